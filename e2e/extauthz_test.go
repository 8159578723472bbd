package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// asksGate is Envoy's own filter that asks another server about each request:
// here a gate, at an address that where names.
func asksGate(where object, withBody bool) object {
	exact := func(name string) object { return object{"exact": name} }
	service := object{
		"server_uri": object{"uri": "http://postern", "cluster": "postern", "timeout": "5s"},
		"authorization_response": object{
			"allowed_upstream_headers":          object{"patterns": []object{{"prefix": "x-auth-request-"}, exact("authorization")}},
			"allowed_client_headers_on_success": object{"patterns": []object{exact("set-cookie")}},
		},
	}
	for name, value := range where {
		service[name] = value
	}
	filter := object{
		"transport_api_version": "V3", "http_service": service,
		"allowed_headers": object{"patterns": []object{exact("cookie"), exact("accept"), exact("dpop"), exact("x-requested-with"), {"prefix": "sec-fetch-"}}},
	}
	if withBody {
		filter["with_request_body"] = object{"max_request_bytes": 4096, "allow_partial_message": true}
	}
	return typed("envoy.filters.http.ext_authz", "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", filter)
}

// extAuthz has an Envoy without Postern, in front of the same application, ask
// the one with it.
func (w *callers) extAuthz(t *testing.T) {
	front := StartEnvoy(t, EnvoySetup{
		Host: w.gate.Setup.Host, App: w.gate.Setup.App, Clusters: map[string]string{"postern": w.gate.Addr},
		Filters: []object{asksGate(object{"path_prefix": "/oauth2/auth"}, false)},
		Listener: func(listener map[string]any) {
			manager := listener["filter_chains"].([]object)[0]["filters"].([]object)[0]["typed_config"].(object)
			manager["common_http_protocol_options"] = object{"headers_with_underscores_action": "REJECT_REQUEST"}
		},
		Beside: map[string]func(*EnvoySetup){
			"bodies": func(s *EnvoySetup) { s.Filters = []object{asksGate(object{"path_prefix": "/oauth2/auth"}, true)} },
			"admins": func(s *EnvoySetup) {
				s.Filters = []object{asksGate(object{"path_override": "/oauth2/auth?allowed_groups=admins"}, false)}
			},
		},
	})
	// People sign in at the gate itself: cookies do not know ports.
	alice, bob := NewBrowser(), NewBrowser()
	for b, who := range map[*Browser]Person{alice: Alice, bob: Bob} {
		if _, err := w.gate.SignIn(b, "/orders", who); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("who is nobody is refused, and not redirected", func(t *testing.T) { w.askedAnonymously(t, front) })
	t.Run("the application is told who a person is", func(t *testing.T) { w.askedForPerson(t, front, bob) })
	t.Run("a token speaks for its service", func(t *testing.T) { w.askedForToken(t, front) })
	t.Run("a body arrives", func(t *testing.T) {
		for _, at := range []*Envoy{front, front.At("bodies")} {
			w.askedWithBody(t, at, bob)
		}
	})
	t.Run("who is in none of the groups is forbidden", func(t *testing.T) {
		admins := front.At("admins")
		if page := must(bob.Get(admins.URL("/orders")))(t); page.Status != http.StatusForbidden || page.Location() != nil {
			t.Errorf("Bob gets %d", page.Status)
		}
		checkIdentity(t, must(ReadSeen(must(alice.Get(admins.URL("/orders")))(t)))(t), Alice)
	})
}

func (w *callers) askedAnonymously(t *testing.T, front *Envoy) {
	before := w.api.Seen(http.MethodGet)
	for name, header := range map[string]http.Header{
		"a person":  nil,
		"a script":  scripted(),
		"a forger":  {"X-Auth-Request-User": {"eve"}, "X-Forwarded-User": {"eve"}},
		"a service": bearer("nonsense"),
	} {
		page := must(NewBrowser().Get(front.URL("/orders?allowed_groups=x"), header))(t)
		challenge := page.Header.Get("WWW-Authenticate")
		if page.Status != http.StatusUnauthorized || page.Header.Get("Location") != "" || !strings.Contains(challenge, `oauth-protected-resource/orders"`) {
			t.Errorf("%s gets %d, challenged by %q", name, page.Status, challenge)
		}
		if name == "a script" && !strings.Contains(page.Body, "sign_in_url") {
			t.Errorf("a script reads %.300s", page.Body)
		}
	}
	if n := w.api.Seen(http.MethodGet) - before; n != 0 {
		t.Errorf("%d requests reached the application", n)
	}
}

func (w *callers) askedForPerson(t *testing.T, front *Envoy, bob *Browser) {
	claimed := http.Header{"X-Forwarded-User": {"eve"}}
	for name, values := range forged() {
		if !strings.Contains(name, "_") && canonical(name) != "authorization" { // which would be a token to be judged
			claimed[name] = values
		}
	}
	// The application's own query, which is no condition.
	seen := must(ReadSeen(must(bob.Get(front.URL("/orders?allowed_groups=admins&x=%2F"), claimed))(t)))(t)
	if seen.Target != "/orders?allowed_groups=admins&x=%2F" {
		t.Errorf("the application saw %s", seen.Target)
	}
	for name, want := range map[string]string{
		"X-Auth-Request-User": Bob.Name, "X-Auth-Request-Email": Bob.Email, "X-Auth-Request-Groups": strings.Join(Bob.Groups, ","),
		// What the gate does not tell, nobody else does either.
		"X-Auth-Request-Access-Token": "", "Authorization": "", "X-Forwarded-User": "",
	} {
		if got := seen.Value(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if page := must(bob.Get(front.URL("/orders"), http.Header{"x_auth_request_user": {"eve"}}))(t); page.Status != http.StatusBadRequest {
		t.Errorf("a name with underscores is answered %d", page.Status)
	}
}

func (w *callers) askedForToken(t *testing.T, front *Envoy) {
	token := w.token(t, w.b, "partner", apiOfB)
	seen := must(ReadSeen(must(NewScript().Get(front.URL("/orders"), bearer(token)))(t)))(t)
	if user := seen.Value("x-auth-request-user"); user != "partner" || seen.Value("authorization") != "Bearer "+token {
		t.Errorf("the application is called by %q", user)
	}
	page := must(NewScript().Get(front.URL("/orders"), bearer(w.token(t, w.b, "partner", apiOfA))))(t)
	if got := page.Header.Get("WWW-Authenticate"); page.Status != http.StatusUnauthorized || !strings.HasPrefix(got, `Bearer error="invalid_token"`) {
		t.Errorf("a token for another is answered %d %s", page.Status, got)
	}
}

// posted is longer than what the front keeps of a body.
var posted = strings.Repeat("a=b&", 5000)

func (w *callers) askedWithBody(t *testing.T, front *Envoy, bob *Browser) {
	t.Helper()
	page := must(bob.Do(http.MethodPost, front.URL("/orders"), posted))(t)
	seen := must(ReadSeen(page))(t)
	if seen.Method != http.MethodPost || page.Header.Get("Received") != "20000" || seen.Value("x-auth-request-user") != Bob.Name {
		t.Errorf("the application was sent a %s of %s bytes by %q", seen.Method, page.Header.Get("Received"), seen.Value("x-auth-request-user"))
	}
	before := w.api.Seen(http.MethodPost)
	page = must(NewBrowser().Do(http.MethodPost, front.URL("/orders"), posted))(t)
	if page.Status != http.StatusUnauthorized || w.api.Seen(http.MethodPost) != before {
		t.Errorf("without a session: %d", page.Status)
	}
}
