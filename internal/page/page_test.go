package page

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/httpmsg"
)

var update = flag.Bool("update", false, "write the golden files anew")

func choices(names ...string) []Choice {
	var c []Choice
	for _, name := range names {
		c = append(c, Choice{Name: name, URL: "/oauth2/start?provider=" + name[:1] + "&rd=%2Fbasket%3Fitem%3D7"})
	}
	return c
}

type rendered struct {
	body   []byte
	header httpmsg.Fields
}

func render(body []byte, header httpmsg.Fields) rendered { return rendered{body, header} }

// look is the pages of a site that has a name, and nothing else of its own.
func look(t testing.TB, change func(*Options)) *Pages {
	t.Helper()
	o := Options{Title: "Example Shop"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// every is each page once, as a site would use it.
func every(t testing.TB) map[string]rendered {
	s, bare := look(t, nil), bare(t)
	withLogo := look(t, func(o *Options) {
		o.Logo, o.Text = "https://example.com/logo.svg", "Staff sign in with the company login, everybody else with Google."
	})
	const id = "7f2c1f0e-53a1-4c61-9d0c-6a1a3c5d9b20"
	const retry, other = "/oauth2/start?rd=%2Fbasket", "/oauth2/sign_in?rd=%2Fbasket"
	kinds := choices("Company login", "GitHub", "Google", "Microsoft", "GitLab", "Okta", "Auth0", "Partners")
	for i, kind := range []string{"keycloak", "github", "google", "entra", "gitlab", "okta", "auth0", "oidc"} {
		kinds[i].Kind = kind
	}
	kinds[2].Last, kinds[3].Color, kinds[7].Logo = true, "#2f2f2f", "data:image/svg+xml,x"
	email := &EmailForm{Action: "/oauth2/sign_in", Return: "/basket?item=7"}
	unknown := &EmailForm{Action: "/oauth2/sign_in", Return: "/", Value: "alice@example.org", Unknown: true}
	pages := map[string]rendered{
		"sign_in":         render(s.SignIn("", SignInPage{Choices: choices("Company login")})),
		"sign_in_several": render(s.SignIn("", SignInPage{Destination: "orders.example.com", Choices: kinds})),
		"sign_in_logo":    render(withLogo.SignIn("", SignInPage{Choices: choices("Company login")})),
		"sign_in_none":    render(bare.SignIn("", SignInPage{})),
		"sign_in_email":   render(s.SignIn("", SignInPage{Email: email})),
		"sign_in_both":    render(s.SignIn("", SignInPage{Choices: kinds[:2], Email: unknown})),
		"sign_in_already": render(s.SignIn("", SignInPage{Choices: kinds[1:3], SignedInAs: "alice@example.com", Stay: "/basket", SignOut: "/oauth2/sign_out"})),
		"sign_out":        render(s.SignOut("", SignOutPage{Action: "/oauth2/sign_out?rd=%2F"})),
		"signed_out":      render(s.SignedOut("", SignedOutPage{SignIn: retry})),
		"signed_out_not":  render(s.SignedOut("", SignedOutPage{StillSignedIn: true, SignOut: "/oauth2/sign_out"})),
		"onward":          render(s.Onward("", OnwardPage{URL: "https://id.example.com/logout?client_id=shop"})),
		"error_expired":   render(s.Error("", ErrorPage{Status: 400, Reason: "state_expired", RequestID: id, Retry: retry, Other: other})),
		"error_cookie":    render(bare.Error("", ErrorPage{Status: 403, Reason: "binding_missing", RequestID: id, Retry: retry})),
		"error_forbidden": render(s.Error("", ErrorPage{Status: 403, RequestID: id})),
		"error_away":      render(s.Error("", ErrorPage{Status: 503, Reason: "no_answer", RequestID: id, Retry: retry})),
		"error_too_large": render(s.Error("", ErrorPage{Status: 500, Reason: "session_too_large", RequestID: id, Figures: []Figure{
			{Key: "bytes_needed", Value: "15324"}, {Key: "bytes_allowed", Value: "12288"}, {Key: "left_out", Value: "refresh_token, access_token"}}})),
		"error_unavailable": render(s.Error("", ErrorPage{Status: 503, Reason: "renewal_unavailable", RequestID: id, Retry: "/basket"})),
		"error_ticket":      render(s.Error("", ErrorPage{Status: 403, Reason: "ticket_refused", RequestID: id, Retry: retry})),
		"error_plain_http":  render(s.Error("", ErrorPage{Status: 403, Reason: "binding_missing", Cause: "plain_http", RequestID: id, Retry: retry})),
		"error_loop": render(s.Error("", ErrorPage{Status: 403, Reason: "login_loop", Cause: "no_cookie", RequestID: id, Retry: retry, Figures: []Figure{
			{Key: "rounds", Value: "2"}, {Key: "seconds", Value: "7"}, {Key: "cookie", Value: "__Secure-postern; Path=/; Domain=shop.example.com; Secure; SameSite=lax"},
			{Key: "bytes_set", Value: "5120"}, {Key: "cookies_received", Value: "0"}, {Key: "bytes_received", Value: "0"}}})),
		"signed_out_everywhere": render(s.SignedOut("", SignedOutPage{SignIn: retry, AtProvider: true})),
		"denied":                denied(s, "", nil),
		"denied_unknown_person": denied(bare, "", func(p *DeniedPage) { p.SignedInAs, p.Provider, p.Rule, p.Back = "", "", "", "" }),
		"denied_any":            denied(s, "", func(p *DeniedPage) { p.Missing = several }),
		"denied_long":           denied(s, "", func(p *DeniedPage) { p.Missing = []Need{{Reason: "group_missing", Values: numbered("team", 500)}} }),
		"denied_tried": denied(s, "", func(p *DeniedPage) {
			p.Reason, p.Tried, p.Again, p.Missing = "acr_insufficient", true, retry, []Need{{Reason: "acr_insufficient", Values: []string{"gold", "urn:example:acr:hardware-key"}}}
		}),
		"denied_kept_back": denied(s, "", func(p *DeniedPage) {
			p.Reason, p.Provider, p.Switch, p.Missing = "excluded", "", "", []Need{{Reason: "excluded"}, {Reason: "email_not_allowed", Values: []string{"bob@example.com"}}}
		}),
		"error_of_no_name": render(bare.Error("", ErrorPage{Status: 418})),
	}
	for _, tag := range Languages()[1:] {
		pages["denied_any_"+tag] = denied(s, tag, func(p *DeniedPage) { p.Missing = several })
		pages["sign_in_both_"+tag] = render(s.SignIn(tag, SignInPage{Choices: kinds[:3], Email: unknown, Destination: "orders.example.com"}))
	}
	return pages
}

// denied is a page that says no to alice, changed as a test wants it.
func denied(s *Pages, accept string, change func(*DeniedPage)) rendered {
	p := DeniedPage{
		Reason: "group_missing", Rule: "admin-area", RequestID: "7f2c1f0e-53a1-4c61-9d0c-6a1a3c5d9b20",
		SignedInAs: "alice@example.com", Provider: "Company login",
		Missing: []Need{{Reason: "group_missing", Values: []string{"admins"}}},
		Switch:  "/oauth2/start?rd=%2Fadmin&switch=1", Back: "/",
	}
	if change != nil {
		change(&p)
	}
	return render(s.Denied(accept, p))
}

// several is one need of each kind that has something to show.
var several = []Need{
	{Reason: "none_met", Any: []Need{
		{Reason: "group_missing", Values: []string{"admins", "operators"}},
		{Reason: "claim_missing", Claim: "department", Values: []string{"it", "hr"}, Prefixes: []string{"ops-"}},
		{Reason: "none_met", Any: []Need{{Reason: "role_missing", Values: []string{"editor"}}, {Reason: "email_domain_not_allowed", Values: []string{"example.com"}}}},
	}},
	{Reason: "scope_missing", Values: []string{"orders.read", "orders.write"}},
	{Reason: "login_too_old", MaxAge: 10 * time.Minute},
	{Reason: "claim_missing", Claim: "address.country"},
}

func numbered(name string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%03d", name, i))
	}
	return list
}

func TestPages(t *testing.T) {
	for name, got := range every(t) {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".html", bytes.Replace(got.body, []byte(style), []byte("our style\n"), 1))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", path, diff)
	}
}

// bare is the pages of a site that says nothing of itself.
func bare(t testing.TB) *Pages { return look(t, func(o *Options) { o.Title = "" }) }

// goFiles are the sources of this package.
func goFiles(t *testing.T) (names []string) {
	t.Helper()
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnAddressOfNoProviderLeadsToTheButtonsWhereThereAreAny(t *testing.T) {
	for choices, want := range map[int]string{0: "Nobody signs in here", 1: "one of the buttons above"} {
		got := render(look(t, nil).SignIn("", SignInPage{
			Choices: []Choice{{Name: "A", URL: "/a"}}[:choices], Email: &EmailForm{Action: "/", Value: "a@example.org", Unknown: true},
		}))
		if !strings.Contains(string(got.body), want) {
			t.Errorf("%d choices: it does not say %q", choices, want)
		}
	}
}

func TestWhoeverIsSignedInAndCanChooseIsNotUrgedBack(t *testing.T) {
	for choices, want := range map[int]string{0: "button", 1: "button second"} {
		got := render(look(t, nil).SignIn("", SignInPage{Choices: []Choice{{Name: "A", URL: "/a"}}[:choices], SignedInAs: "alice", Stay: "/admin"}))
		if way := all(parsed(t, got.body, false), "a")[0]; value(way, "href") != "/admin" || value(way, "class") != want {
			t.Errorf("%d choices: %q is a %q", choices, value(way, "href"), value(way, "class"))
		}
	}
}

func TestAnAddressOfSomebodyElseIsAskedForWhereOneIsSignedIn(t *testing.T) {
	for _, other := range []bool{true, false} {
		got := render(look(t, nil).SignIn("", SignInPage{Email: &EmailForm{Action: "/oauth2/sign_in", Return: "/", Switch: other}}))
		sent := map[string]string{}
		for _, n := range all(parsed(t, got.body, false), "input") {
			sent[value(n, "name")] = value(n, "value")
		}
		if (sent["switch"] == "1") != other || sent["rd"] != "/" {
			t.Errorf("switch %t: the form sends %v", other, sent)
		}
	}
}
