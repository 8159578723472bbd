package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
)

// world is an Envoy's admin interface, its front and a provider, all of them made
// up. Tests change what is to be different.
type world struct {
	bootstrap []string // edits of goodEnvoy
	info      string
	extra     string // further parts of the dump
	stats     string
	clusters  string
	admin     http.HandlerFunc // in place of all that

	settings, url string
	version       string
	front         http.HandlerFunc // before the usual one; it answers by writing something
	start         func(w http.ResponseWriter)
	provider      http.HandlerFunc
	page          func(w http.ResponseWriter, r *http.Request) // where one signs in
	tls           bool                                         // of the front
	untrusted     bool
	replica       []string // edits of another one
}

func newWorld() *world {
	return &world{
		bootstrap: []string{`issuer: "https://id.example.com"`, `issuer: "http://id.example.com", insecure_issuer: true`, "hosts: [app.example.com]", "hosts: [app.localhost]\n                    insecure_http_cookies: true"},
		info:      `{"version": "abc/1.40.0/Clean/RELEASE/BoringSSL", "state": "LIVE"}`,
		clusters:  `{"cluster_statuses": [{"name": "idp", "host_statuses": [{"health_status": {"eds_health_status": "HEALTHY"}}]}]}`,
		stats: "wasm.envoy.wasm.runtime.v8.active: 3\nwasm.postern.vm_reload_success: 0\nwasmcustom.postern_panics_total: 0\n" +
			"wasmcustom.version=.=1.0.0;.;postern_build_info: 1\nwasmcustom.provider=.=main;.;postern_provider_up: 1\n" +
			"wasmcustom.provider=.=main;.;step=.=keys;.;outcome=.=2xx;.;postern_provider_calls_total: 4\n" +
			"wasmcustom.provider=.=gone;.;postern_provider_up: 0\ncluster.idp.ssl.fail_verify_san: 0\nnot a number: x\n",
		url:     "http://app.localhost/",
		version: "1.0.0",
	}
}

const problem = `{"type": "about:blank", "reason": %q}`

// run looks at the world.
func (w *world) run(t *testing.T) []Finding {
	t.Helper()
	servers := map[string]string{}
	serve := func(host string, h http.HandlerFunc) {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		servers[host] = s.Listener.Addr().String()
	}
	serve("admin.test:80", w.adminPages(t, w.bootstrap))
	serve("replica.test:80", w.adminPages(t, append(w.bootstrap, w.replica...)))
	serve("id.example.com:80", w.providerPages)
	o := Options{Admins: []string{"http://admin.test"}, URL: w.url, Version: w.version, Timeout: 2 * time.Second, Env: anything}
	if w.replica != nil {
		o.Admins = append(o.Admins, "http://replica.test/")
	}
	if w.settings != "" {
		o.Settings = []byte(w.settings)
	}
	pool := x509.NewCertPool()
	front := httptest.NewUnstartedServer(http.HandlerFunc(w.frontPages))
	if w.tls {
		front.StartTLS()
		if !w.untrusted {
			pool.AddCert(front.Certificate())
		}
	} else {
		front.Start()
	}
	t.Cleanup(front.Close)
	for _, host := range []string{"app.localhost:80", "app.example.com:80", "example.com:443"} {
		servers[host] = front.Listener.Addr().String()
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		to := servers[address]
		if to == "" {
			return nil, fmt.Errorf("no such host")
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	o.Client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return Run(t.Context(), o)
}

// adminPages are those of an Envoy that was started with a bootstrap.
func (w *world) adminPages(t *testing.T, edits []string) http.HandlerFunc {
	root, err := manifest.Parse([]byte(edit(t, goodEnvoy, edits)))
	if err != nil {
		t.Fatal(err)
	}
	var listeners, clusters []string
	for _, l := range root.Get("static_resources", "listeners").List() {
		listeners = append(listeners, `{"listener": `+string(l.JSON())+`}`)
	}
	for _, c := range root.Get("static_resources", "clusters").List() {
		clusters = append(clusters, `{"cluster": `+string(c.JSON())+`}`)
	}
	dump := `{"configs": [{"@type": "x/envoy.admin.v3.BootstrapConfigDump", "bootstrap": ` + string(root.JSON()) + `}, {"@type": "x/envoy.admin.v3.ClustersConfigDump", "static_clusters": [` + strings.Join(clusters, ",") +
		`]}, {"@type": "x/envoy.admin.v3.ListenersConfigDump", "static_listeners": [` + strings.Join(listeners, ",") + `]}` + w.extra + `]}`
	return func(out http.ResponseWriter, r *http.Request) {
		if w.admin != nil {
			w.admin(out, r)
			return
		}
		page, ok := map[string]string{"/server_info": w.info, "/config_dump": dump, "/stats": w.stats, "/clusters": w.clusters}[r.URL.Path]
		if !ok || page == "" {
			http.NotFound(out, r)
			return
		}
		fmt.Fprint(out, page)
	}
}

func (w *world) providerPages(out http.ResponseWriter, r *http.Request) {
	if w.provider != nil {
		rec := httptest.NewRecorder()
		if w.provider(rec, r); rec.Body.Len() > 0 {
			copyFields(out.Header(), rec.Header())
			out.WriteHeader(rec.Code)
			_, _ = out.Write(rec.Body.Bytes())
			return
		}
		copyFields(out.Header(), rec.Header())
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		fmt.Fprint(out, `{"issuer": "http://id.example.com", "jwks_uri": "http://id.example.com/keys", "authorization_endpoint": "http://id.example.com/authorize"}`)
	case "/keys":
		fmt.Fprint(out, `{"keys": [{}, {}]}`)
	case "/authorize":
		http.SetCookie(out, &http.Cookie{Name: "seen", Value: "1"})
		http.Redirect(out, r, "/login?session=1", http.StatusFound)
	case "/login":
		if w.page != nil {
			w.page(out, r)
			return
		}
		if _, err := r.Cookie("seen"); err != nil {
			http.Error(out, "no cookie", http.StatusBadRequest)
			return
		}
		fmt.Fprint(out, "<form><input type=password></form>")
	default:
		http.NotFound(out, r)
	}
}

func copyFields(to, from http.Header) {
	for name, values := range from {
		to[name] = values
	}
}

func (w *world) frontPages(out http.ResponseWriter, r *http.Request) {
	if w.front != nil {
		rec := httptest.NewRecorder()
		if w.front(rec, r); rec.Body.Len() > 0 {
			copyFields(out.Header(), rec.Header())
			out.WriteHeader(rec.Code)
			_, _ = out.Write(rec.Body.Bytes())
			return
		}
		copyFields(out.Header(), rec.Header())
	}
	switch r.URL.Path {
	case "/oauth2/userinfo":
		out.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(out, problem, "no_session")
	case "/oauth2/start":
		if w.start != nil {
			w.start(out)
			return
		}
		http.SetCookie(out, &http.Cookie{Name: "postern-login", Value: "sealed-hush", Secure: w.tls})
		q := url.Values{"client_id": {"shop"}, "redirect_uri": {"http://app.localhost/oauth2/callback"}, "state": {"hush"}}
		http.Redirect(out, r, "http://id.example.com/authorize?"+q.Encode(), http.StatusSeeOther)
	case "/oauth2/backchannel_logout":
		out.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(out, problem, "logout_token_missing")
	default:
		http.NotFound(out, r)
	}
}

// answers answers one path.
func answers(path string, status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
}

// leads answers one path by a redirect.
func leads(to string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// usual are the notes that there are in any case.
var usual = []string{"note trust", "note replicas_unseen"}

func notWell(all []Finding) (names []string) {
	for _, f := range all {
		if name := string(f.Severity) + " " + f.Code; f.Severity != OK && !slices.Contains(usual, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestWhatIsNotWellInAnEnvoyThatRunsIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   []string
	}{
		"nothing, where all is well": {func(w *world) {}, nil},
		"an admin that does not answer": {func(w *world) {
			w.admin = func(out http.ResponseWriter, _ *http.Request) { http.Error(out, "no", http.StatusServiceUnavailable) }
		}, []string{"error admin_unreachable"}},
		"an admin that is none": {func(w *world) {
			w.admin = func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "<html>: [") }
		}, []string{"error admin_unreachable"}},
		"a dump that is not there": {func(w *world) {
			w.admin = answers("/server_info", 200, `{"version": "a/1.40.0/b", "state": "LIVE"}`)
		}, []string{"error admin_unreachable"}},
		"statistics that are not there": {func(w *world) { w.stats = "" }, []string{"error admin_unreachable", "error module_not_running"}},
		"clusters that are not there":   {func(w *world) { w.clusters = "" }, []string{"error admin_unreachable"}},
		"an Envoy that does not serve":  {func(w *world) { w.info = strings.Replace(w.info, "LIVE", "DRAINING", 1) }, []string{"error envoy_not_live"}},
		"another version of Envoy":      {func(w *world) { w.info = strings.Replace(w.info, "1.40.0", "1.31.0", 1) }, []string{"warning envoy_untested"}},
		"not a later patch":             {func(w *world) { w.info = strings.Replace(w.info, "1.40.0", "1.40.7", 1) }, nil},
		"an Envoy of no version":        {func(w *world) { w.info = `{"state": "LIVE"}` }, []string{"warning envoy_untested"}},
		"no filter": {func(w *world) {
			w.bootstrap = []string{"name: postern\n                failure", "name: waf\n                failure", "/etc/postern.wasm", "/etc/waf.wasm", "providers:", "rules:"}
		}, []string{"error gate_not_found"}},
		"settings that are not valid": {func(w *world) { w.bootstrap = append(w.bootstrap, "hosts: [app.localhost]", "hots: [app.localhost]") }, []string{"error settings_invalid", "error settings_invalid"}},
		"settings that are not those": {func(w *world) {
			w.settings = `{"providers": [{"name": "main", "issuer": "http://id.example.com", "insecure_issuer": true, "cluster": "idp", "client_id": "shop"}], "hosts": ["app.localhost"], "insecure_http_cookies": true, "session": {"keys": [{"id": "a", "env": "K"}]}}`
		}, []string{"warning settings_differ"}},
		"not those that are only written otherwise": {func(w *world) {
			w.settings = ` {"session": {"keys": [{"env": "POSTERN_KEY", "id": "a"}]}, "insecure_http_cookies": true, "hosts": ["app.localhost"], "providers": [{"client_id": "shop", "client_secret": {"env": "SHOP_SECRET"}, "name": "main", "issuer": "http://id.example.com", "insecure_issuer": true, "cluster": "idp"}]}`
		}, nil},
		"settings given that are not valid": {func(w *world) { w.settings = `{}` }, []string{"error settings_invalid", "error settings_invalid", "error settings_invalid", "warning settings_differ"}},
		"replicas that differ":              {func(w *world) { w.replica = []string{"client_id: shop", "client_id: other"} }, []string{"warning replicas_differ"}},
		"not replicas that do not":          {func(w *world) { w.replica = []string{} }, nil},
		"an update that was refused": {func(w *world) {
			w.extra = `, {"@type": "x/envoy.admin.v3.EcdsConfigDump", "ecds_filters": [{"ecds_filter": {"name": "postern"}, "error_state": {"details": "Unable to create Wasm plugin \"hush\""}}]}`
		}, []string{"error update_rejected"}},
		"an update that could not be read": {func(w *world) {
			w.stats += "extension_config_discovery.http_filter.postern.update_failure: 2\nlistener_manager.lds.update_failure: 0\ncluster.idp.update_failure: 3\n"
		}, []string{"warning update_failed"}},
		"listeners and clusters that could not be read": {func(w *world) {
			w.stats += "cluster_manager.cds.update_failure: 1\nlistener_manager.lds.update_failure: 1\n"
		}, []string{"warning update_failed", "warning update_failed"}},
		"not a control plane that is asked once more as a fault": {func(w *world) {
			w.bootstrap = append(w.bootstrap, "static_resources:", "dynamic_resources: {lds_config: {ads: {}}, ads_config: {api_type: GRPC}}\nstatic_resources:")
			w.stats += "listener_manager.lds.update_failure: 4\n"
		}, []string{"note update_failed"}},
		"a filter that is not used": {func(w *world) {
			w.extra = `, {"@type": "x/envoy.admin.v3.EcdsConfigDump", "ecds_filters": [{"ecds_filter": {"@type": "x/envoy.config.core.v3.TypedExtensionConfig", "name": "e", "typed_config": {"@type": "x/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {"failure_policy": "FAIL_RELOAD", "vm_config": {"vm_id": "e", "environment_variables": {"host_env_keys": ["K"]}}, "allow_on_headers_stop_iteration": true, "configuration": {"@type": "x/google.protobuf.Struct", "value": {"providers": [{"name": "main", "issuer": "http://id.example.com", "insecure_issuer": true, "cluster": "idp", "client_id": "shop"}], "hosts": ["app.localhost"], "insecure_http_cookies": true, "session": {"keys": [{"id": "a", "env": "K"}]}}}}}}}]}`
		}, []string{"error gate_not_used"}},
		"what is not well around settings": {func(w *world) { w.bootstrap = append(w.bootstrap, "FAIL_RELOAD", "FAIL_OPEN") }, []string{"error fail_open"}},
		"a module that does not run":       {func(w *world) { w.stats = strings.Replace(w.stats, "active: 3", "active: 0", 1) }, []string{"error module_not_running"}},
		"a module that was made anew":      {func(w *world) { w.stats = strings.Replace(w.stats, "success: 0", "success: 2", 1) }, []string{"warning module_failed"}},
		"a module that panicked":           {func(w *world) { w.stats = strings.Replace(w.stats, "panics_total: 0", "panics_total: 2", 1) }, []string{"warning module_panicked"}},
		"a module of another version":      {func(w *world) { w.version = "2.0.0" }, []string{"note module_other_version"}},
		"a provider that is not known":     {func(w *world) { w.stats = strings.Replace(w.stats, "up: 1", "up: 0", 1) }, []string{"error provider_down"}},
		"calls without an answer":          {func(w *world) { w.stats = strings.Replace(w.stats, "=2xx", "=unavailable", 1) }, []string{"warning provider_calls_failing"}},
		"calls that fail":                  {func(w *world) { w.stats = strings.Replace(w.stats, "=2xx", "=5xx", 1) }, []string{"warning provider_calls_failing"}},
		"not calls that are refused":       {func(w *world) { w.stats = strings.Replace(w.stats, "=2xx", "=4xx", 1) }, nil},
		"a client that is refused, and nobody signs in": {func(w *world) {
			w.stats += "wasmcustom.provider=.=main;.;reason=.=provider_invalid_client;.;postern_logins_failed_total: 3\n"
		}, []string{"error client_refused"}},
		"a client that is refused, and somebody has signed in": {func(w *world) {
			w.stats += "wasmcustom.provider=.=main;.;reason=.=provider_unauthorized_client;.;postern_logins_failed_total: 3\nwasmcustom.provider=.=main;.;postern_logins_succeeded_total: 1\n"
		}, []string{"warning client_refused"}},
		"a client whose renewals are refused": {func(w *world) {
			w.stats += "wasmcustom.provider=.=main;.;reason=.=provider_invalid_client;.;postern_refreshes_failed_total: 3\nwasmcustom.provider=.=main;.;postern_logins_succeeded_total: 1\n"
		}, []string{"warning client_refused"}},
		"logins that fail by the settings": {func(w *world) {
			w.stats += "wasmcustom.provider=.=main;.;reason=.=provider_invalid_scope;.;postern_logins_failed_total: 3\nwasmcustom.provider=.=main;.;reason=.=status_404;.;postern_logins_failed_total: 1\n"
		}, []string{"error logins_misconfigured", "error logins_misconfigured"}},
		"not logins that fail by people": {func(w *world) {
			w.stats += "wasmcustom.provider=.=main;.;reason=.=state_expired;.;postern_logins_failed_total: 3\nwasmcustom.provider=.=main;.;reason=.=provider_access_denied;.;postern_logins_failed_total: 3\nwasmcustom.provider=.=main;.;reason=.=provider_invalid_grant;.;postern_refreshes_failed_total: 3\n"
		}, nil},
		"not logins that failed no more, nor those of a provider that is gone": {func(w *world) {
			w.stats += "wasmcustom.provider=.=main;.;reason=.=provider_invalid_client;.;postern_logins_failed_total: 0\nwasmcustom.provider=.=gone;.;reason=.=provider_invalid_client;.;postern_logins_failed_total: 3\n"
		}, nil},
		"certificates of another name": {func(w *world) { w.stats = strings.Replace(w.stats, "verify_san: 0", "verify_san: 7", 1) }, []string{"error tls_failing"}},
		"certificates, under another name": {func(w *world) {
			w.bootstrap = append(w.bootstrap, "- name: idp", "- name: idp\n    alt_stat_name: other;")
			w.stats = strings.Replace(w.stats, "cluster.idp.ssl.fail_verify_san: 0", "cluster.other;.ssl.fail_verify_error: 7", 1)
		}, []string{"error tls_failing"}},
		"a cluster without hosts": {func(w *world) { w.clusters = `{"cluster_statuses": [{"name": "idp"}]}` }, []string{"error cluster_unhealthy"}},
		"a cluster whose hosts are not well": {func(w *world) {
			w.clusters = strings.Replace(w.clusters, `"eds_health_status": "HEALTHY"`, `"failed_active_health_check": true, "eds_health_status": "HEALTHY"`, 1)
		}, []string{"error cluster_unhealthy"}},
		"a cluster whose hosts are said not to be": {func(w *world) { w.clusters = strings.Replace(w.clusters, "HEALTHY", "UNHEALTHY", 1) }, []string{"error cluster_unhealthy"}},

		"a provider that does not answer": {func(w *world) { w.provider = answers("/.well-known/openid-configuration", 502, "no") }, []string{"warning discovery_unreachable"}},
		"metadata that are none":          {func(w *world) { w.provider = answers("/.well-known/openid-configuration", 200, "<html>") }, []string{"warning discovery_unreachable"}},
		"an issuer of another name": {func(w *world) {
			w.provider = answers("/.well-known/openid-configuration", 200, `{"issuer": "http://id.example.com/"}`)
		}, []string{"error issuer_differs"}},
		"keys that are none":           {func(w *world) { w.provider = answers("/keys", 200, `{"keys": []}`) }, []string{"error keys_unreadable"}},
		"clocks":                       {func(w *world) { w.provider = dates(3 * time.Minute) }, []string{"error clock_skew"}},
		"not clocks within the leeway": {func(w *world) { w.provider = dates(40 * time.Second) }, nil},
		"not a clock that was kept on its way": {func(w *world) {
			w.provider = func(out http.ResponseWriter, r *http.Request) {
				out.Header().Set("Age", "180")
				dates(-3*time.Minute)(out, r)
			}
		}, nil},
		"the clock of this machine": {func(w *world) {
			w.provider = dates(5 * time.Minute)
			w.front = dates(5 * time.Minute)
		}, []string{"note clock_here"}},

		"a front that is not there":      {func(w *world) { w.url = "http://nobody.example.com/" }, []string{"error front_unreachable"}},
		"a front that is no address":     {func(w *world) { w.url = "app.example.com" }, []string{"error front_unreachable"}},
		"a certificate nobody knows":     {func(w *world) { w.url, w.tls, w.untrusted = "https://example.com/", true, true }, []string{"error front_certificate"}},
		"not a certificate that is good": {func(w *world) { w.url, w.tls = "https://example.com/", true }, nil},
		"cookies that are not Secure": {func(w *world) {
			w.url, w.tls = "https://example.com/", true
			w.start = func(out http.ResponseWriter) {
				http.SetCookie(out, &http.Cookie{Name: "postern-login", Value: "x"})
				leads("http://id.example.com/authorize?client_id=shop&redirect_uri=http://app.localhost/oauth2/callback")(out)
			}
		}, []string{"warning cookie_not_secure"}},
		"plain http, and cookies that browsers drop": {func(w *world) {
			w.url = "http://app.example.com/"
			w.start = func(out http.ResponseWriter) {
				http.SetCookie(out, &http.Cookie{Name: "__Host-postern", Value: "x", Secure: true, Path: "/"})
				leads("http://id.example.com/authorize?client_id=shop&redirect_uri=http://app.localhost/oauth2/callback")(out)
			}
		}, []string{"warning front_plain_http", "error cookie_dropped"}},
		"cookies that some browsers drop": {func(w *world) {
			w.start = func(out http.ResponseWriter) {
				http.SetCookie(out, &http.Cookie{Name: "__Host-postern", Value: "x", Secure: true, Path: "/"})
				leads("http://id.example.com/authorize?client_id=shop&redirect_uri=http://app.localhost/oauth2/callback")(out)
			}
		}, []string{"warning cookie_dropped"}},
		"a front without the filter": {func(w *world) { w.front = answers("/oauth2/userinfo", 404, "not here") }, []string{"error gate_not_in_front"}},
		"a host that is not served":  {func(w *world) { w.front = answers("/oauth2/userinfo", 421, fmt.Sprintf(problem, "host_not_allowed")) }, []string{"error host_unknown"}},
		"header fields that are refused": {func(w *world) {
			w.front = func(out http.ResponseWriter, r *http.Request) {
				if len(r.Header.Get("Cookie")) > 8000 {
					out.WriteHeader(431)
					fmt.Fprint(out, "too large")
				}
			}
		}, []string{"error headers_refused"}},
		"bodies that do not arrive": {func(w *world) {
			w.front = answers("/oauth2/backchannel_logout", 501, fmt.Sprintf(problem, "bodies_not_let_through"))
		}, []string{"note bodies_not_let_through"}},
		"a logout that does not arrive":   {func(w *world) { w.front = answers("/oauth2/backchannel_logout", 403, "blocked") }, []string{"note backchannel_unreachable"}},
		"a login that does not begin":     {func(w *world) { w.front = answers("/oauth2/start", 503, fmt.Sprintf(problem, "provider_unavailable")) }, []string{"error login_not_begun"}},
		"a login in circles":              {func(w *world) { w.start = leads("/oauth2/start") }, []string{"error login_not_begun"}},
		"a login to where nobody is":      {func(w *world) { w.start = leads("http://nobody.example.com/") }, []string{"error login_not_begun"}},
		"a redirect address, by a page":   {func(w *world) { w.page = shows(400, "Invalid parameter: redirect_uri") }, []string{"error redirect_refused"}},
		"a redirect address, as at Entra": {func(w *world) { w.page = shows(200, "AADSTS50011: The redirect URI …") }, []string{"error redirect_refused"}},
		"a redirect address, as at GitHub": {func(w *world) {
			w.page = func(out http.ResponseWriter, _ *http.Request) {
				leads("http://registered.example.com/callback?error=redirect_uri_mismatch&state=hush")(out)
			}
		}, []string{"error redirect_refused"}},
		"not at a provider that looks later": {func(w *world) {
			w.bootstrap = append(w.bootstrap, `issuer: "http://id.example.com", insecure_issuer: true`, `type: github, issuer: "http://id.example.com", insecure_issuer: true, clusters: {api.id.example.com: idp}`)
		}, []string{"note redirect_unseen"}},
		"a client that is not known": {func(w *world) { w.page = shows(400, "Client not found.") }, []string{"error authorization_refused"}},
		"a client, as at Entra":      {func(w *world) { w.page = shows(200, "AADSTS700016: no such application") }, []string{"error authorization_refused"}},
		"a provider that fails":      {func(w *world) { w.page = shows(502, "redirect_uri") }, []string{"warning authorization_unreachable"}},
		"a provider in circles": {func(w *world) {
			w.page = func(out http.ResponseWriter, _ *http.Request) { leads("/login")(out) }
		}, []string{"error authorization_refused"}},
		"a provider that leads nowhere": {func(w *world) {
			w.page = func(out http.ResponseWriter, _ *http.Request) { leads("http://nobody.example.com/")(out) }
		}, []string{"warning authorization_unreachable"}},
		"a provider that is gone, told once": {func(w *world) {
			w.provider = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, []string{"warning discovery_unreachable"}},
		"a provider whose proxy says that it is gone, told once": {func(w *world) {
			w.provider = func(out http.ResponseWriter, _ *http.Request) { http.Error(out, "no", http.StatusBadGateway) }
		}, []string{"warning discovery_unreachable"}},
		"a scope that is not known": {func(w *world) {
			w.page = func(out http.ResponseWriter, _ *http.Request) {
				leads("http://app.localhost/oauth2/callback?error=invalid_scope&state=hush")(out)
			}
		}, []string{"error authorization_refused"}},
		"not that somebody must sign in": {func(w *world) {
			w.page = func(out http.ResponseWriter, _ *http.Request) {
				leads("http://app.localhost/oauth2/callback?error=login_required&state=hush")(out)
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.change(w)
			all := w.run(t)
			if diff := cmp.Diff(c.want, notWell(all)); diff != "" {
				t.Errorf("%s\n%+v", diff, all)
			}
			text, _ := json.Marshal(all)
			if strings.Contains(string(text), "hush") || strings.Contains(string(text), "state=") {
				t.Errorf("something was told that is nobody's business: %s", text)
			}
		})
	}
}

// shows answers with a page.
func shows(status int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

// dates has all answers of another time.
func dates(ahead time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
	}
}

func TestTheFrontIsLookedAtByTheSettingsThatServeIt(t *testing.T) {
	w := newWorld()
	const other = `{"name": "first", "typed_config": {"@type": "x/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {"configuration": {"@type": "x/google.protobuf.Struct", "value": {"providers": [{"name": "other", "issuer": "http://nobody.example.com", "insecure_issuer": true, "cluster": "idp", "client_id": "shop"}], "hosts": ["other.example.com"], "session": {"keys": [{"id": "a", "env": "K"}]}}}}}}`
	w.bootstrap = append(w.bootstrap, "- {name: cors,", "- "+other+"\n          - {name: cors,")
	for _, f := range w.run(t) {
		if f.Path == "provider other" {
			t.Errorf("the other settings were taken: %+v", f)
		}
	}
}

func TestWhatIsWellIsToldToo(t *testing.T) {
	var told []string
	for _, f := range newWorld().run(t) {
		if f.Severity == OK {
			told = append(told, f.Code)
		}
	}
	want := []string{
		"envoy_untested", "settings_invalid", "update_rejected", "module_not_running", "module_other_version", "cluster_unhealthy", "provider_down",
		"discovery_unreachable", "gate_not_in_front", "cookie_dropped", "redirect_refused", "headers_refused", "bodies_not_let_through", "clock_skew",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutSettingsTheFrontIsLookedAtAsFarAsItCan(t *testing.T) {
	w := newWorld()
	w.admin = func(out http.ResponseWriter, _ *http.Request) { http.Error(out, "no", 404) }
	if diff := cmp.Diff([]string{"error admin_unreachable"}, notWell(w.run(t))); diff != "" {
		t.Error(diff)
	}
	w.start = func(out http.ResponseWriter) { fmt.Fprint(out, "Choose.") }
	if diff := cmp.Diff([]string{"error admin_unreachable", "note login_not_begun"}, notWell(w.run(t))); diff != "" {
		t.Error(diff)
	}
}

func TestWhoseWordIsTakenIsTold(t *testing.T) {
	for settings, want := range map[string]string{
		"{}":                         "as they come",
		"{use_remote_address: true}": "the peer's own",
		"{use_remote_address: true, xff_num_trusted_hops: 2}": "2 hops before the peer",
		"{xff_num_trusted_hops: 1, skip_xff_append: true}":    "is not added",
		"{xff_num_trusted_hops: 1}":                           "entry 1 of X-Forwarded-For",
	} {
		n, err := manifest.Parse([]byte(settings))
		if err != nil {
			t.Fatal(err)
		}
		if got := believed(n); !strings.Contains(got, want) {
			t.Errorf("%s: %s", settings, got)
		}
	}
	for peer, want := range map[string]config.TrustedPeers{
		"nobody":                 {},
		"whoever reaches":        {Listener: true},
		"spiffe://a, spiffe://b": {SANs: []string{"spiffe://a", "spiffe://b"}},
	} {
		if got := peers(&config.Config{TrustedPeers: want}); !strings.Contains(got, peer) {
			t.Errorf("%s: %s", peer, got)
		}
	}
}
