package migrate

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/standin"
)

// rulesOf compiles the rules of settings, as the gate does.
func rulesOf(t *testing.T, r *Result) *policy.Rules {
	t.Helper()
	text := r.Settings.JSON()
	c, err := config.Parse(text, standin.For(text).Lookup)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(c)
}

// isOpen reports whether nobody in particular passes.
func isOpen(rules *policy.Rules, host, method, path string) bool {
	need, err := rules.Need(policy.Request{Host: host, Path: path, Method: method})
	return err == nil && (need.Anyone || need.Pass)
}

// openThere is what oauth2-proxy lets pass without a session, by its routes.
func openThere(routes []string, method, path string) bool {
	open := false
	for _, route := range routes {
		parts := regexp.MustCompile("!?=").Split(route, 2)
		wanted, pattern := "", parts[0]
		if len(parts) == 2 {
			wanted, pattern = strings.ToUpper(parts[0]), parts[1]
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return true // it does not start, so that there is nothing to compare with
		}
		if (wanted == "" || wanted == method) && re.MatchString(path) != strings.Contains(route, "!=") {
			open = true
		}
	}
	return open
}

func FuzzNothingIsOpenThatWasClosedBeforeOAuth2ProxyWent(f *testing.F) {
	for _, seed := range [][4]string{
		{"^/public/", "GET=^/probe$", "GET", "/probe"}, {"!=^/private/", "", "GET", "/private/x"}, {"!=^/private/", "^/private/open$", "GET", "/private/open"},
		{"POST!=^/x", "", "POST", "/x"}, {"POST!=^/x", "", "GET", "/y"}, {"!=^/a", "!=^/b", "GET", "/a"}, {"=^/x", "", "GET", "/x"}, {"get=/x", "", "GET", "/x"},
		{"!=^/private/.$", "", "GET", "/private/%C3%A9"}, {"a=b=c", "", "A", "/b=c"}, {"!=/admin", "", "GET", "/x/admin"}, {"!=(?i)^/admin", "", "GET", "/ADMIN"},
		{"!=^/[^a-z]", "", "GET", "/%C3%A9"}, {"!=^/a$", "", "GET", "/a"}, {"!=", "", "GET", "/a"}, {"!=^/a/*$", "", "GET", "/a"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, one, two, method, path string) {
		if !normal(path) || method == "HEAD" || strings.ContainsAny(path, ";") || len(path) > 200 || !regexp.MustCompile(`^[A-Z]{1,9}$`).MatchString(method) {
			return // of GET comes HEAD, which is told; parameters of paths need what both readings need
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			return
		}
		routes := []string{}
		for _, r := range []string{one, two} {
			if r != "" {
				routes = append(routes, r)
			}
		}
		text, err := json.Marshal(tree{"provider": "oidc", "oidc_issuer_url": "https://id.example.com", "client_id": "shop", "email_domains": "example.com", "redirect_url": "https://a.example.com/oauth2/callback", "skip_auth_routes": routes})
		if err != nil {
			t.Fatal(err)
		}
		r, err := From("oauth2-proxy", Input{Files: []File{{"options.json", text}}})
		if err != nil {
			t.Fatal(err)
		}
		if isOpen(rulesOf(t, r), "a.example.com", method, path) && !openThere(routes, method, decoded) {
			t.Errorf("%q: %s %s is open\n%s", routes, method, path, r.Settings.JSON())
		}
	})
}

func TestWhatWasOpenBehindOAuth2ProxyIs(t *testing.T) {
	for path, want := range map[string]bool{"/public/x": true, "/public": false, "/css/a.css": true, "/x/y": false, "/private/x": false} {
		r, err := From("oauth2-proxy", Input{Args: append(usualArgs[:len(usualArgs):len(usualArgs)], `--skip-auth-route=^/public/`, `--skip-auth-regex=\.css$`)})
		if err != nil {
			t.Fatal(err)
		}
		if got := isOpen(rulesOf(t, r), "app.example.com", "GET", path); got != want {
			t.Errorf("%s: open %t, want %t", path, got, want)
		}
	}
}

func TestWhatAuthserviceWasNotAskedAboutIsOpenAndNothingElse(t *testing.T) {
	r, err := From("authservice", Input{Files: files(t, "authservice/chains.json")})
	if err != nil {
		t.Fatal(err)
	}
	rules := rulesOf(t, r)
	for path, want := range map[string]bool{
		"/healthz": true, "/healthz/x": true, "/public/x": true, "/app": false, "/apple": false, "/app/x.css": true, "/app/x": false, "/else": true,
	} {
		if got := isOpen(rules, "a.example.com", "GET", path); got != want {
			t.Errorf("%s: open %t, want %t", path, got, want)
		}
	}
}

func TestWhatEnvoysFilterLetPassIsOpenAndNothingElse(t *testing.T) {
	r, err := From("envoy-oauth2", Input{Files: files(t, "envoy-oauth2/bootstrap.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	rules := rulesOf(t, r)
	for path, want := range map[string]bool{"/healthz": true, "/healthz/": false, "/public/x": true, "/public": false, "/v12/open": true, "/v12/openly": false, "/api/x": false, "/": false} {
		if got := isOpen(rules, "shop.example.com", "GET", path); got != want {
			t.Errorf("%s: open %t, want %t", path, got, want)
		}
	}
	if !isOpen(rules, "shop.example.com", "OPTIONS", "/x") || isOpen(rules, "shop.example.com", "POST", "/x") {
		t.Error("OPTIONS alone was let through")
	}
}

func TestWhatIngressesLeftOpenIsOpenAndNothingElse(t *testing.T) {
	r, err := From("easyauth", Input{Files: files(t, "easyauth/values.yaml", "easyauth/ingress.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	rules := rulesOf(t, r)
	for path, want := range map[string]bool{"/Anonymous": true, "/Anonymous/x": true, "/Anonymousx": false, "/favicon.ico": true, "/favicon.ico/x": false, "/": false, "/Graph": false, "/RoleRequired/x": false} {
		if got := isOpen(rules, "shop.example.com", "GET", path); got != want {
			t.Errorf("%s: open %t, want %t", path, got, want)
		}
	}
}
