// Package migrate turns the settings of other gates into Postern's: those of
// oauth2-proxy, of Envoy's oauth2 filter and Envoy Gateway, of authservice and of
// EasyAuth for Kubernetes.
//
// It makes settings that internal/config accepts, and a report that names every
// option that it was given: what was taken over, what differs, what is to be done
// by hand, and what is not needed any more.
//
// It refuses to open what was closed. What has no counterpart closes: a path that
// cannot be told apart needs a session, a condition that cannot be asked lets
// nobody pass, and the report says so. It copies no secret: settings name
// variables, and the report says which secret goes into which. It reads no file
// and no network: whoever calls it hands the texts over.
//
// What the options of the others mean is what their documentation and code say, as
// of oauth2-proxy 7.15, Envoy 1.40, Envoy Gateway 1.9, authservice 1.1.7 and
// EasyAuth for Kubernetes 1.0.2. What an expression for paths means is Go's
// regexp, which is RE2; paths are those of RFC 3986, section 3.3.
package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/standin"
)

// Systems are those that can be migrated from.
var Systems = []string{"oauth2-proxy", "envoy-oauth2", "authservice", "easyauth"}

// File is a text of somebody else's settings.
type File struct {
	Name string // for messages, and to find a file that another one names
	Text []byte
}

// Input is what there is to go by.
type Input struct {
	Files []File
	Args  []string // a command line, without the program's name
	Hosts []string // that the gate is to serve, where the files do not say it
}

// Result is what came of it.
type Result struct {
	Settings *Map   // Postern's settings
	Report   Report // what became of each option
}

// ErrNothing is returned where no settings were found.
var ErrNothing = errors.New("migrate: no settings of that kind are in it")

// From makes settings of another system's.
func From(system string, in Input) (*Result, error) {
	m := &maker{settings: NewMap(), in: in}
	var err error
	switch system {
	case "oauth2-proxy":
		err = m.oauth2Proxy()
	case "envoy-oauth2":
		err = m.envoyOAuth2()
	case "authservice":
		err = m.authservice()
	case "easyauth":
		err = m.easyAuth()
	default:
		return nil, fmt.Errorf("migrate: %q is none of %s", system, strings.Join(Systems, ", "))
	}
	if err != nil {
		return nil, err
	}
	if err := m.repair(); err != nil {
		return nil, err
	}
	return &Result{m.settings, m.report}, nil
}

// Valid holds settings against what the module accepts, with something thrown in
// for each secret.
func Valid(settings *Map) error {
	text := settings.JSON()
	_, err := config.Parse(text, standin.For(text).Lookup)
	return err
}

// maker is one migration under way.
type maker struct {
	settings *Map
	report   Report
	in       Input
}

// nobody is a domain that no address is of (RFC 2606, section 2), so that to
// require it lets nobody pass.
const nobody = "nobody.invalid"

// lockedOut is a requirement that nobody meets.
func lockedOut() *Map { return NewMap().Set("email_domains", []string{nobody}) }

// unknownHost stands in for hosts that nobody named. All requests are refused
// (421) until somebody does.
const unknownHost = "app.invalid"

// clientToBeNamed stands in for the client's id where nobody named it.
const clientToBeNamed = "client-id-to-be-named"

// toldNothing is the note where an application was told of nobody.
const toldNothing = "nothing, as before. Without this line: x-auth-request-user, -email, -groups, -preferred-username"

// keys are the session's, made anew: nothing of the old system can open what
// Postern seals, nor the other way round.
func (m *maker) keys(option, old string) {
	session := m.settings.At("session")
	session.Set("keys", []any{NewMap().Set("id", "first").Set("env", "POSTERN_KEY")})
	session.Note("keys", "a new key, made by: postern keygen")
	text := "a new key, made by `postern keygen`, goes into the variable POSTERN_KEY of Envoy's VM."
	if old != "" {
		text += " " + old + " is not used again, so everybody signs in once."
	}
	m.report.add(ToDo, option, "session.keys", text)
}

// hosts sets which hosts are served.
func (m *maker) hosts(option string, hosts []string) {
	for _, h := range m.in.Hosts {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	if good := slices.DeleteFunc(slices.Clone(hosts), badHost); len(good) < len(hosts) {
		m.report.add(ToDo, option, "hosts", "a host among them is none that can be served, and was left out.")
		hosts = good
	}
	if len(hosts) == 0 {
		hosts = []string{unknownHost}
		m.settings.Note("hosts", "TO DO: the hosts that people open. Every other one is refused")
		m.report.add(ToDo, option, "hosts", "no host is named. Name those that people open (or say --host): until then every request is refused with status 421.")
	}
	m.settings.Set("hosts", hosts)
}
