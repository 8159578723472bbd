// Package demo runs Postern on one machine, with everything around it: an
// OpenID provider with two people, a sample application that shows what it was
// told about them, and a proxy in front with postern.wasm inside. The proxy is
// Envoy, run by func-e's library, or the embedded WebAssembly host where there
// is no Envoy. A check walks the whole journey as a browser would.
//
// It listens on loopback addresses only and makes new secrets at every start.
// It is for trying things out: the provider knows its passwords in clear and
// prints them.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postern-auth/postern/internal/idp"
)

// Options say how to run the demo.
type Options struct {
	Host   string // one of Hosts
	Listen string // the proxy's address, on loopback
	IdP    string // the provider's address
	App    string // the application's address
	Module string // the file postern.wasm

	Partner bool // there is a second provider, and so a choice

	// For an Envoy of the reader's own: what browsers call it, if that is not
	// localhost by the port of Listen, and the provider's certificate and key, if
	// it is to speak TLS (file names).
	URL, IdPCertificate, IdPKey string

	Out io.Writer // what a person reads
	Log io.Writer // what the proxy logs
}

// Hosts are what may run the module: "none" leaves that to an Envoy of the
// reader's own.
var Hosts = []string{"envoy", "wazero", "none"}

// The people of the demo.
var people = []idp.User{
	{PreferredUsername: "alice", Password: "wonderland", Name: "Alice Liddell", Email: "alice@example.com", Groups: []string{"admins", "group2"}},
	{PreferredUsername: "bob", Password: "builder", Name: "Bob Builder", Email: "bob@example.com", Groups: []string{"group1"}},
}

// signInAgain is where the provider sends a person who wants to be another.
const signInAgain = "/oauth2/start?rd=%2F"

// signedOut is where the gate has the provider send people back to, once
// sign_out.at_provider is on in settings of one's own.
const signedOut = "/oauth2/signed_out"

// Run serves until the context ends.
func Run(ctx context.Context, o Options) error {
	d, err := start(ctx, o)
	if err != nil {
		return err
	}
	return d.run(ctx)
}

func (d *demo) run(ctx context.Context) error {
	defer d.stop()
	d.welcome()
	var ended <-chan error // never, where the proxy is not ours
	if d.proxy != nil {
		ended = d.proxy.done
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.out, "\nStopping.")
		return nil
	case err := <-ended:
		return fmt.Errorf("demo: the proxy ended: %w", orEnded(err))
	}
}

// Check starts everything, walks the journey and says whether all went well.
// The proxy's log is shown only if not.
func Check(ctx context.Context, o Options) (ok bool, err error) {
	log, shown := &heldLog{}, o.Log
	o.Log = log
	d, err := start(ctx, o)
	if err == nil {
		ok = check(ctx, &d.place, o.Out)
		d.stop()
	}
	if !ok {
		_, _ = shown.Write(log.bytes())
	}
	return ok, err
}

// heldLog keeps what the proxy logs, from whichever goroutine.
type heldLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *heldLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *heldLog) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text.Bytes())
}

type demo struct {
	place
	out     io.Writer
	servers []*http.Server
	proxy   *proxy
}

// start brings up provider, application and proxy, in this order.
func start(ctx context.Context, o Options) (_ *demo, err error) {
	d := &demo{out: o.Out}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	if o.Host != "none" { // an Envoy of somebody's own has its own
		if d.module, err = moduleAt(o.Module); err != nil {
			return nil, err
		}
	}
	if d.listen, err = chosen(o.Listen); err != nil {
		return nil, err
	}
	if d.env, err = secrets(o.Host); err != nil {
		return nil, err
	}
	if err = d.ownWorld(o); err != nil {
		return nil, err
	}
	if d.idp, err = d.serve(o.IdP, d.provider, d.idpTLS...); err != nil {
		return nil, err
	}
	if o.Partner {
		if d.partner, err = d.serve("127.0.0.1:0", d.partnerProvider); err != nil {
			return nil, err
		}
	}
	if d.app, err = d.serve(o.App, d.application); err != nil {
		return nil, err
	}
	if o.Host == "none" {
		return d, nil
	}
	if err := d.startProxy(ctx, o); err != nil {
		return nil, err
	}
	return d, d.await(ctx)
}

// moduleAt finds the module before anything is started.
func moduleAt(file string) (string, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return "", fmt.Errorf("demo: module: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("demo: module: %w (make build makes it)", err)
	}
	return path, nil
}

// secrets makes new ones. Somebody's own Envoy has its secrets already, so
// there the provider takes the client's from the same variable.
func secrets(host string) (map[string]string, error) {
	const client = "DEMO_CLIENT_SECRET"
	if host != "none" {
		return map[string]string{"POSTERN_KEY": secret(), client: secret()}, nil
	}
	shared := os.Getenv(client)
	if shared == "" {
		return nil, fmt.Errorf("demo: --host none needs the variable %s, the same as Envoy gets", client)
	}
	return map[string]string{client: shared}, nil
}

func secret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

func (d *demo) provider(address string) (http.Handler, error) {
	base, issuer := d.base(), (&place{idp: address, idpTLS: d.idpTLS}).issuer()
	return idp.New(idp.Config{
		Issuer: issuer,
		Title:  "Demo login",
		Users:  people,
		Clients: []idp.Client{{
			ID: "demo", Secret: d.env["DEMO_CLIENT_SECRET"],
			RedirectURIs:           []string{base + "/oauth2/callback"},
			PostLogoutRedirectURIs: []string{base + "/", base + "/public/", base + signInAgain, base + signedOut},
		}, {
			ID: scriptID, Secret: scriptSecret, Audience: "demo-api", ServiceAccount: true,
		}},
	})
}

// scriptID is a service that has tokens of its own.
const scriptID, scriptSecret = "script", "jabberwocky"

// application offers to end the sign-in at the provider, too: the gate's own
// sign-out leaves it, and the next login would be silent.
func (d *demo) application(string) (http.Handler, error) {
	q := url.Values{"client_id": {"demo"}, "post_logout_redirect_uri": {d.base() + signInAgain}}
	return app(d.issuer() + "/end_session?" + q.Encode()), nil
}

func (d *demo) startProxy(ctx context.Context, o Options) (err error) {
	d.rules = true
	switch o.Host {
	case "envoy":
		envoy, err := FindEnvoy(ctx, func(line string) { fmt.Fprintln(o.Out, line) })
		if err != nil {
			return err
		}
		fmt.Fprintf(o.Out, "Envoy %s from %s: %s\n", envoy.Version, envoy.Source, envoy.Path)
		d.proxy, err = startEnvoy(ctx, envoy, &d.place, o.Log)
		return err
	case "wazero":
		d.proxy, err = startWazero(ctx, &d.place, o.Log)
		return err
	}
	return fmt.Errorf("demo: host %q is none of %v", o.Host, Hosts)
}

// listen opens a loopback address; the demo has nothing to do on a network.
func listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("demo: address %q: %w", address, err)
	}
	if !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("demo: address %q is not on a loopback IP such as 127.0.0.1", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return l, nil
}

// chosen tries an address that the proxy will open later, and picks the port
// if it is 0.
func chosen(address string) (string, error) {
	l, err := listen(address)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (d *demo) serve(address string, handler func(address string) (http.Handler, error), certificates ...tls.Certificate) (string, error) {
	l, err := listen(address)
	if err != nil {
		return "", err
	}
	h, err := handler(l.Addr().String())
	if err != nil {
		_ = l.Close()
		return "", err
	}
	address = l.Addr().String()
	if len(certificates) > 0 {
		l = tls.NewListener(l, &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12})
	}
	d.serveOn(l, h)
	return address, nil
}

func (d *demo) serveOn(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	d.servers = append(d.servers, server)
	go func() { _ = server.Serve(l) }()
}

// await returns once the gate knows its provider: until then it answers 503.
func (d *demo) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base()+"/", nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("demo: the gate did not become ready; its log says why")
		}
	}
}

func (d *demo) stop() {
	if d.proxy != nil {
		d.proxy.stop()
	}
	for _, server := range d.servers {
		_ = server.Close()
	}
}

func (d *demo) welcome() {
	guards := "Postern guards"
	if d.proxy == nil {
		guards = "An Envoy of yours may now guard"
	}
	fmt.Fprintf(d.out, "\n%s a sample application at\n\n    %s\n\nSign in as\n\n", guards, d.base()+"/")
	for _, p := range people {
		fmt.Fprintf(d.out, "    %-6s password %-11s groups %v\n", p.PreferredUsername, p.Password, p.Groups)
	}
	if d.partner != "" {
		fmt.Fprint(d.out, "\nor at the second provider as\n\n")
		for _, p := range partners {
			fmt.Fprintf(d.out, "    %-6s password %-11s groups %v\n", p.PreferredUsername, p.Password, p.Groups)
		}
	}
	if d.proxy != nil {
		fmt.Fprintf(d.out, "\nA script calls it like this\n\n"+
			"    TOKEN=$(curl -s -u %s:%s -d grant_type=client_credentials %s | sed 's/.*\"access_token\":\"//; s/\".*//')\n"+
			"    curl -H \"Authorization: Bearer $TOKEN\" %s\n", scriptID, scriptSecret, d.issuer()+"/token", d.base()+"/")
	}
	if d.rules {
		fmt.Fprintf(d.out, "\nFor everybody who is signed in: %s   For group2: %s\nFor admins who give the password once more: %s\n", d.base()+"/app1/", d.base()+"/app2/", d.base()+"/admin/")
	}
	fmt.Fprintf(d.out, "\nOpen to anyone: %s   Provider: %s\nCtrl-C stops everything.\n", d.base()+"/public/", d.issuer())
}
