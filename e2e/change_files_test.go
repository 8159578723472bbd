package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/idp"
)

// shippedDynamic is envoy/dynamic in a folder of the test's own.
type shippedDynamic struct {
	*Gate
	dir     string
	version int
}

func startShippedDynamic(t *testing.T) *shippedDynamic {
	t.Helper()
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	const listener = 10000
	g := &Shipped{App: NewApp(t), ports: map[int]int{shippedAdmin: 0, listener: port}}
	g.ports[shippedApp] = portOf(t, g.App.Addr())
	g.browserURL = g.at(fmt.Sprintf("http://localhost:%d", listener))
	g.startProvider(t, ShippedSetup{Clients: []idp.Client{}})
	g.ports[shippedProvider] = portOf(t, g.Provider.Addr())
	d := &shippedDynamic{dir: t.TempDir(), version: 1}
	var bootstrap string
	for _, name := range []string{"clusters.yaml", "postern.yaml", "listeners.yaml", "envoy.yaml"} {
		bootstrap = d.moved(t, g, name)
		d.put(t, name, bootstrap)
	}
	g.runText(t, []byte(bootstrap), nil)
	g.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	d.Gate = &Gate{Envoy: g.Envoy, App: g.App, Provider: g.Provider}
	d.waitProvider(t)
	return d
}

// moved is one of the files, with the test's ports and paths.
func (d *shippedDynamic) moved(t *testing.T, g *Shipped, name string) string {
	t.Helper()
	root := must(Root())(t)
	text := string(must(os.ReadFile(filepath.Join(root, "envoy", "dynamic", name)))(t))
	for from, to := range g.ports {
		text = strings.ReplaceAll(text, fmt.Sprint("port_value: ", from), fmt.Sprint("port_value: ", to))
	}
	text = strings.ReplaceAll(g.at(text), "envoy/dynamic/", d.dir+"/")
	return strings.ReplaceAll(text, "build/postern.wasm", must(modulePath(EnvoySetup{}))(t))
}

func (d *shippedDynamic) put(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(d.dir, name)
	if err := os.WriteFile(file+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".next", file); err != nil {
		t.Fatal(err)
	}
}

// change replaces a text in one of the files and waits until Envoy has taken it.
func (d *shippedDynamic) change(t *testing.T, name, from, to, stat string) {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(d.dir, name)))(t))
	if !strings.Contains(text, from) {
		t.Fatalf("%s has no %q", name, from)
	}
	before, version := d.Stat(t, stat), fmt.Sprintf("version_info: %q", fmt.Sprint(d.version))
	d.version++
	text = strings.Replace(strings.Replace(text, from, to, 1), version, fmt.Sprintf("version_info: %q", fmt.Sprint(d.version)), 1)
	d.put(t, name, text)
	Eventually(t, deliveryLimit, func() error {
		if n := d.Stat(t, stat); n <= before {
			return fmt.Errorf("%s is %d", stat, n)
		}
		return nil
	})
}

// TestFilesChangeUnderLoad runs envoy/dynamic as it stands, and changes each of its
// files while people work.
func TestFilesChangeUnderLoad(t *testing.T) {
	d := startShippedDynamic(t)
	var people []Errand
	for _, who := range []Person{Alice, Bob} {
		b := NewBrowser()
		must(d.SignIn(b, "/shop", who))(t)
		people = append(people, d.servedAgain(b, "/shop", who))
	}
	socketOf := NewBrowser()
	must(d.SignIn(socketOf, "/shop", Alice))(t)
	socket := d.OpenSocket(t, socketOf)
	load := StartLoad(people...)
	t.Run("postern.yaml, for the connections that are open", func(t *testing.T) {
		d.change(t, "postern.yaml", `"/public/*"`, `"/public/*", "/step/1"`, "extension_config_discovery.http_filter.postern.update_success")
		d.wantOpen(t, "/step/1")
	})
	t.Run("listeners.yaml: old connections are drained", func(t *testing.T) {
		d.change(t, "listeners.yaml", "stat_prefix: http", "stat_prefix: again", "listener_manager.lds.update_success")
		d.wantOpen(t, "/step/1")
	})
	t.Run("clusters.yaml", func(t *testing.T) {
		d.change(t, "clusters.yaml", "connect_timeout: 2s", "connect_timeout: 3s", "cluster_manager.cds.update_success")
		d.wantOpen(t, "/step/1")
	})
	t.Run("postern.yaml, with the listener that came after", func(t *testing.T) {
		d.change(t, "postern.yaml", `"/step/1"`, `"/step/2"`, "extension_config_discovery.http_filter.postern.update_success")
		d.wantOpen(t, "/step/2")
	})
	took := load.Stop()
	if lost := load.Lost(); len(lost) > 0 {
		t.Errorf("%d of %d requests were lost, the first: %v", len(lost), len(took), lost[0])
	}
	if err := socket.Echo("hello"); err != nil {
		t.Error(err)
	}
	checkLog(t, d.Gate)
}

// wantOpen wants a page to be open to everybody, on a connection of its own.
func (d *shippedDynamic) wantOpen(t *testing.T, path string) {
	t.Helper()
	Eventually(t, deliveryLimit, func() error {
		page, err := NewBrowser().Over(&http.Transport{DialContext: dialLoopback, DisableKeepAlives: true}).do(context.Background(), http.MethodGet, d.URL(path), "")
		if err == nil && page.Status != http.StatusOK {
			err = fmt.Errorf("e2e: %s answers %d", path, page.Status)
		}
		return err
	})
}
