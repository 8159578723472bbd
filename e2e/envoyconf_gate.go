package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/idp"
)

// Shipped is one of the configurations of envoy/, which runs as it stands but
// for its ports, and where the module and certificates are.
type Shipped struct {
	*Envoy
	App      *App
	IDP      *idp.Provider
	Provider *Provider
	HangUp   func() // ends the provider's connections
	Folder   string // below envoy/

	browserURL string // what browsers call it
	ports      map[int]int
}

// ShippedSetup says what a configuration of envoy/ needs around it.
type ShippedSetup struct {
	File         string // below envoy/
	URL          string // what browsers call it, and where the provider sends them back: with the ports of the file
	Certificates string // the folder that has them

	// ProviderCertificate has the provider speak TLS; it is asked at each handshake.
	ProviderCertificate func() *tls.Certificate

	Clients []idp.Client         // further ones
	Env     []string             // further variables
	Edit    func(map[string]any) // what is tried out beyond what is shipped
}

// Ports that the files speak of: of the admin interface, the provider and the
// application. All others are listeners'.
const (
	shippedAdmin    = 9901
	shippedProvider = 10001
	shippedApp      = 10002
)

// StartShipped runs a configuration and waits until Envoy serves.
func StartShipped(t testing.TB, s ShippedSetup) *Shipped {
	t.Helper()
	bootstrap := readShipped(t, s.File)
	g := &Shipped{App: NewApp(t), Folder: path.Dir(s.File), ports: map[int]int{shippedAdmin: 0}}
	g.ports[shippedApp] = portOf(t, g.App.Addr())
	for port := range listenerPorts(bootstrap) {
		if g.ports[port] == 0 && port != shippedAdmin {
			free, release, err := ReservePort()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(release)
			g.ports[port] = free
		}
	}
	g.browserURL = g.at(s.URL)
	g.startProvider(t, s)
	g.ports[shippedProvider] = portOf(t, g.Provider.Addr())
	moved := g.moved(bootstrap, shippedFiles(t, s)).(map[string]any)
	if s.Edit != nil {
		s.Edit(moved)
	}
	g.run(t, moved, s.Env)
	return g
}

// Base is what browsers call it.
func (g *Shipped) Base() string { return g.browserURL }

// at is an address as the file has it, at the port that is used in its place.
func (g *Shipped) at(address string) string {
	return portInText.ReplaceAllStringFunc(address, func(text string) string {
		if port, moved := g.ports[number(text[1:])]; moved {
			return ":" + strconv.Itoa(port)
		}
		return text
	})
}

var portInText = regexp.MustCompile(`:[0-9]{4,5}\b`)

func number(text string) int {
	n, _ := strconv.Atoi(text) // of digits alone
	return n
}

func portOf(t testing.TB, address string) int {
	t.Helper()
	port := number(address[strings.LastIndexByte(address, ':')+1:])
	if port == 0 {
		t.Fatalf("e2e: %q has no port", address)
	}
	return port
}

func readShipped(t testing.TB, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(must(Root())(t), "envoy", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	var bootstrap map[string]any
	if err := yaml.UnmarshalStrict(text, &bootstrap); err != nil {
		t.Fatalf("e2e: %s: %v", file, err)
	}
	return bootstrap
}

// listenerPorts are the ports that a bootstrap's listeners have.
func listenerPorts(bootstrap map[string]any) map[int]bool {
	ports := map[int]bool{}
	static, _ := bootstrap["static_resources"].(map[string]any)
	listeners, _ := static["listeners"].([]any)
	for _, l := range listeners {
		listener, _ := l.(map[string]any)
		address, _ := listener["address"].(map[string]any)
		socket, _ := address["socket_address"].(map[string]any)
		port, _ := socket["port_value"].(float64)
		ports[int(port)] = true
	}
	return ports
}

// shippedFiles are the names of files that mean others here, by how they begin.
func shippedFiles(t testing.TB, s ShippedSetup) map[string]string {
	t.Helper()
	files := map[string]string{"build/postern.wasm": must(modulePath(EnvoySetup{}))(t)}
	if s.Certificates != "" {
		files["build/certificates"] = s.Certificates
	}
	return files
}

// moved is a part of a bootstrap with other ports and files in it, and nothing
// else changed.
func (g *Shipped) moved(part any, files map[string]string) any {
	switch part := part.(type) {
	case map[string]any:
		for key, value := range part {
			if n, isNumber := value.(float64); isNumber && (key == "port_value" || key == "port_redirect") {
				if port, known := g.ports[int(n)]; known {
					part[key] = port
				}
				continue
			}
			part[key] = g.moved(value, files)
		}
	case []any:
		for i, value := range part {
			part[i] = g.moved(value, files)
		}
	case string:
		for name, other := range files {
			if rest, found := strings.CutPrefix(part, name); found {
				return other + rest
			}
		}
		return g.at(part)
	}
	return part
}

func (g *Shipped) startProvider(t testing.TB, s ShippedSetup) {
	t.Helper()
	server, scheme := httptest.NewUnstartedServer(nil), "http"
	if s.ProviderCertificate != nil {
		scheme = "https"
	}
	p := &Provider{
		Name: "demo", Issuer: fmt.Sprintf("%s://localhost:%d", scheme, portOf(t, server.Listener.Addr().String())),
		userField: "username", passwordField: "password",
	}
	var users []idp.User
	for _, who := range []Person{Alice, Bob, Carol, Dave} {
		users = append(users, embeddedUser(who))
	}
	provider, err := idp.New(idp.Config{Issuer: p.Issuer, Users: users, Clients: append(s.Clients, idp.Client{
		ID: "demo", Secret: ClientSecret, RedirectURIs: []string{g.browserURL + "/oauth2/callback"},
	})})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = provider
	if s.ProviderCertificate == nil {
		server.Start()
	} else {
		// Without tickets, each connection begins with a certificate.
		server.TLS = &tls.Config{SessionTicketsDisabled: true, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.ProviderCertificate(), nil
		}}
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is called with certificates that are refused
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	g.IDP, g.Provider, g.HangUp = provider, p, server.CloseClientConnections
}

func (g *Shipped) run(t testing.TB, bootstrap map[string]any, env []string) {
	t.Helper()
	g.runText(t, must(yaml.Marshal(bootstrap))(t), env)
}

// runText starts Envoy, one worker of it, with the secrets in its environment.
func (g *Shipped) runText(t testing.TB, bootstrap []byte, env []string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, bootstrap, 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := part("setup", "build", "tools", "envoy", EnvoyVersions[0], "envoy")
	if err != nil {
		t.Fatal(err)
	}
	secrets := NewSecrets()
	p, err := startProcess(binary, []string{
		"--config-path", file, "--admin-address-path", filepath.Join(dir, "admin"),
		"--concurrency", "1", "--use-dynamic-base-id", "--file-flush-interval-msec", "50", "--log-level", "warning", "--component-log-level", "wasm:info",
	}, append(env, "POSTERN_KEY="+secrets["POSTERN_KEY"], "DEMO_CLIENT_SECRET="+ClientSecret))
	if err != nil {
		t.Fatal(err)
	}
	g.Envoy = &Envoy{
		Process: p, adminFile: filepath.Join(dir, "admin"),
		Setup: EnvoySetup{Version: EnvoyVersions[0], Host: "localhost", Workers: 1, Env: secrets},
	}
	t.Cleanup(func() {
		g.Envoy.stop()
		if t.Failed() {
			t.Logf("%s, %s:\n%s", lastLines, file, g.Log.Brief(40))
		}
	})
	if err := g.waitServing(); err != nil {
		t.Fatalf("e2e: %v", err)
	}
}

// waitServing waits until Envoy serves, on however many listeners.
func (g *Shipped) waitServing() error {
	return poll(startLimit, g.Exited(), func(ctx context.Context) error {
		admin, err := os.ReadFile(g.adminFile)
		if err != nil || len(admin) == 0 {
			return errors.New("no admin address yet")
		}
		g.Admin = strings.TrimSpace(string(admin))
		g.ports[shippedAdmin] = number(g.Admin[strings.LastIndexByte(g.Admin, ':')+1:])
		_, err = g.AdminGet(ctx, "/ready")
		return err
	})
}
