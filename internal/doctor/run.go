package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
)

// Options say what is to be looked at.
type Options struct {
	Admins []string // addresses of admin interfaces, one for each replica
	URL    string   // of the front, as people type it; "" for none

	// Settings are those that ought to be in force, as the module reads them; nil
	// for whichever are.
	Settings []byte
	// Env finds the variables that settings name, or what stands in for them.
	Env func(settings []byte) func(name string) (string, bool)
	// Version is that of the module that fits this command.
	Version string

	Client  *http.Client     // for requests to front and provider; it must not follow redirects
	Now     func() time.Time // nil for the clock of this machine
	Timeout time.Duration    // of one request
}

// Tested are the versions of Envoy that Postern is tested with, newest first.
var Tested = []string{"1.40.0", "1.39.3", "1.36.4"}

// visit is one look at everything.
type visit struct {
	Options
	ctx      context.Context
	findings []Finding

	gates []*Subject // that were found
	host  *Subject   // the one that protects, by whose settings the front is looked at
	dates []dated    // clocks that were seen
}

// Run looks at an Envoy that runs, and returns all that was seen.
func Run(ctx context.Context, o Options) []Finding {
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &visit{Options: o, ctx: ctx}
	v.expected()
	for _, admin := range o.Admins {
		v.admin(admin)
	}
	v.replicas()
	v.providers()
	if o.URL != "" {
		v.front()
	}
	v.clocks()
	return v.findings
}

func (v *visit) add(all ...Finding) { v.findings = append(v.findings, all...) }

// expected takes the settings that are given; those in force are asked later.
func (v *visit) expected() {
	if v.Settings == nil {
		return
	}
	s := &Subject{Found: &manifest.Found{Kind: manifest.Settings, Settings: v.Settings}}
	if err := v.parse(s); err != nil {
		v.add(invalid("--config", err)...)
		return
	}
	v.host = s
}

// parse reads a subject's settings.
func (v *visit) parse(s *Subject) (err error) {
	s.Config, s.Variables, err = Parse(s.Found, v.Env)
	return err
}

// Parse reads settings that were found, with what the file hands over of the
// environment, and says which variables they name.
func Parse(f *manifest.Found, env func(settings []byte) func(string) (string, bool)) (c *config.Config, variables []string, err error) {
	other := env(f.Settings)
	c, err = config.Parse(f.Settings, func(name string) (string, bool) {
		if !slices.Contains(variables, name) {
			variables = append(variables, name)
		}
		for _, e := range f.Env {
			if e.Name == name && e.Value != nil {
				return *e.Value, true
			}
		}
		return other(name)
	})
	return c, variables, err
}

func invalid(path string, err error) (all []Finding) {
	var problems config.Problems
	if !errors.As(err, &problems) {
		problems = config.Problems{{Message: err.Error()}}
	}
	for _, p := range problems {
		all = append(all, found("settings_invalid", path, "%s", p.String()))
	}
	return all
}

// same says whether two settings say the same, in whatever order.
func same(a, b []byte) bool {
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func canonical(text []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// replicas compares what several Envoys run with.
func (v *visit) replicas() {
	if len(v.gates) == 0 {
		return
	}
	for _, g := range v.gates[1:] {
		if g.Filter == v.gates[0].Filter && !same(g.Settings, v.gates[0].Settings) && len(v.Admins) > 1 {
			v.add(found("replicas_differ", "filter "+told(g.Filter), "its settings are not the same in all of them"))
			break
		}
	}
	v.add(found("replicas_unseen", "", "a proxy shows the names of its variables, and not what is in them"))
}

// page is an answer.
type page struct {
	status int
	header http.Header
	body   []byte
	at     *url.URL
}

// maxBody is how much of a page is read; maxDump, of a dump of Envoy's.
const (
	maxBody = 1 << 20
	maxDump = manifest.MaxBytes
)

var errTooLong = errors.New("the answer is too long")

// get fetches a page, and follows no redirect.
func (v *visit) get(address string, most int64) (*page, error) {
	req, err := http.NewRequestWithContext(v.ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("it is not an address")
	}
	return v.do(req, most)
}

func (v *visit) do(req *http.Request, most int64) (*page, error) {
	ctx, cancel := context.WithTimeout(req.Context(), v.Timeout)
	defer cancel()
	begun := v.Now()
	res, err := v.Client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, plain(err)
	}
	defer res.Body.Close()
	v.noteDate(req.URL.Host, res.Header, begun)
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return nil, plain(err)
	}
	if int64(len(body)) > most {
		return nil, errTooLong
	}
	return &page{res.StatusCode, res.Header, body, req.URL}, nil
}

var errStrays = errors.New("it leads to an address of this very machine, where nothing of elsewhere has any business")

// strays reports whether a page of elsewhere leads to this machine, or to what
// answers its direct neighbours alone, as the clouds' metadata do: whoever answers
// us must not have us ask there.
func strays(from, to *url.URL) bool { return isInner(to.Hostname()) && !isInner(from.Hostname()) }

func isInner(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if config.Loopback(host) {
		return true
	}
	a, err := netip.ParseAddr(host)
	a = a.Unmap()
	return err == nil && (a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified())
}

// plain is an error of a request without the request's address, whose query may
// hold what is nobody's business.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout() {
		return errors.New("no answer in time")
	}
	return err
}

// filler is text that nothing makes shorter on its way.
func filler(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
