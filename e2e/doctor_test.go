package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/e2e/standins"
	"github.com/postern-auth/postern/internal/doctor"
	"github.com/postern-auth/postern/internal/release"
)

// examine has the doctor look at an Envoy and, if it is given one, its front, and
// returns what is not well. It reaches nothing but this machine, and tells no secret.
func examine(t testing.TB, e *Envoy, front string) (codes []string, all []doctor.Finding) {
	t.Helper()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host != "localhost" && host != "127.0.0.1" {
			return nil, fmt.Errorf("%s is not on this machine", host)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	transport := &http.Transport{DialContext: dial}
	defer transport.CloseIdleConnections()
	all = doctor.Run(t.Context(), doctor.Options{
		Admins: []string{"http://" + e.Admin}, URL: front, Version: release.Version, Timeout: 20 * time.Second,
		Env: func([]byte) func(string) (string, bool) {
			other := NewSecrets()
			return func(name string) (string, bool) { return other["POSTERN_KEY"], true }
		},
		Client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	text := string(must(json.Marshal(all))(t))
	for _, secret := range append(values(e.Setup.Env), "state=", "eyJ") {
		if strings.Contains(text, secret) {
			t.Errorf("the doctor tells a secret: %s", text)
		}
	}
	for _, f := range all {
		if f.Severity == doctor.Error || f.Severity == doctor.Warning {
			codes = append(codes, strings.TrimSpace(f.Code+" "+f.Path))
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes), all
}

// well are the codes of what was looked at and is well.
func well(all []doctor.Finding) (codes []string) {
	for _, f := range all {
		if f.Severity == doctor.OK && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

func TestTheDoctorFindsNothingWrongWithAnEnvoyThatIsWell(t *testing.T) {
	t.Parallel()
	g := StartGate(t, OIDCProvider(t), EnvoySetup{AllowHeadersStop: true, Tags: documentedTags(t)})
	// The tests hand their secrets over so that everybody can see them.
	faults := []string{"secret_in_environment configs[2].static_listeners[0].listener.filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.config"}
	want := []string{
		"envoy_untested", "settings_invalid", "update_rejected", "module_not_running", "module_other_version", "cluster_unhealthy", "provider_down",
		"discovery_unreachable", "gate_not_in_front", "cookie_dropped", "redirect_refused", "headers_refused", "bodies_not_let_through", "clock_skew",
	}
	Eventually(t, 20*time.Second, func() error { // Postern tells of its provider in intervals
		got, all := examine(t, g.Envoy, g.URL("/"))
		if diff := cmp.Diff(faults, got) + cmp.Diff(want, well(all)); diff != "" {
			return fmt.Errorf("%s\n%+v", diff, all)
		}
		return nil
	})
	if g.App.Requests() != 0 {
		t.Error("the doctor asked the application")
	}
}

// TestTheDoctorFindsWhatIsWrong is about an Envoy with many faults at once: a
// cluster that is not there, a provider with a certificate of another name, an
// address to come back to that is not registered, little room for cookies, and no
// bodies.
func TestTheDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	const wanted, shows = "id.example.com", "evil.example.com"
	n := must(standins.NewInternet())(t)
	t.Cleanup(n.Close)
	if err := n.Serve(shows, http.NotFoundHandler()); err != nil {
		t.Fatal(err)
	}
	p := OIDCProvider(t)
	settings := NewSettings(p)
	elsewhere := func(name, host string) Settings {
		return Settings{"name": name, "issuer": "https://" + host, "cluster": name, "client_id": "shop", "client_secret": Settings{"env": "SHOP_CLIENT_SECRET"}}
	}
	nowhere := elsewhere("nowhere", "nowhere.example.com")
	nowhere["sign_in"] = false
	settings["providers"] = append(settings["providers"].([]Settings), elsewhere("stranger", wanted), nowhere)
	settings["path_prefix"] = "/gate"
	e := StartEnvoy(t, EnvoySetup{
		App: NewApp(t).Addr(), IDP: p.Addr(), Config: settings, Env: NewSecrets(), Tags: documentedTags(t),
		Clusters: map[string]string{"stranger": n.Addr(shows)},
		Sockets:  map[string]object{"stranger": verifiedTLS(wanted, n.Authority())},
		Listener: func(listener map[string]any) {
			chain := listener["filter_chains"].([]object)[0]["filters"].([]object)[0]["typed_config"].(object)
			chain["max_request_headers_kb"] = 8
		},
	})
	want := []string{
		"cluster_missing cluster nowhere",
		"discovery_unreachable provider nowhere",
		"discovery_unreachable provider stranger",
		"header_limit_low configs[2].static_listeners[0].listener.filter_chains[0].filters[0].typed_config",
		"headers_refused " + e.URL("/gate"),
		"login_not_begun provider stranger",
		"provider_calls_failing provider nowhere",
		"provider_calls_failing provider stranger",
		"provider_down provider nowhere",
		"provider_down provider stranger",
		"redirect_refused provider " + p.Name,
		"secret_in_environment configs[2].static_listeners[0].listener.filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.config",
		"tls_failing cluster stranger",
	}
	Eventually(t, 60*time.Second, func() error { // until Postern has given up on the two
		got, all := examine(t, e, "")
		for _, code := range []string{"provider_down provider nowhere", "provider_down provider stranger", "tls_failing cluster stranger"} {
			if !slices.Contains(got, code) {
				return fmt.Errorf("no %s: %+v", code, all)
			}
		}
		return nil
	})
	got, all := examine(t, e, e.URL("/"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%+v", diff, all)
	}
	bodies := 0
	for _, f := range all {
		if f.Code == "bodies_not_let_through" && f.Severity == doctor.Note {
			bodies++
		}
	}
	if bodies != 2 {
		t.Errorf("bodies do not arrive, which the doctor sees %d times: %+v", bodies, all)
	}
}

func TestTheDoctorKnowsTheVersionsThatAreTested(t *testing.T) {
	if diff := cmp.Diff(EnvoyVersions, doctor.Tested); diff != "" {
		t.Error(diff)
	}
}
