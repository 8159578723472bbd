package page

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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

// every is each page once, as a site would use it.
func every() map[string]rendered {
	const id = "7f2c1f0e-53a1-4c61-9d0c-6a1a3c5d9b20"
	const retry = "/oauth2/start?rd=%2Fbasket"
	return map[string]rendered{
		"sign_in":         render(SignIn(SignInPage{Title: "Example Shop", Choices: choices("Company login")})),
		"sign_in_several": render(SignIn(SignInPage{Title: "Example Shop", Destination: "orders.example.com", Choices: choices("Company login", "GitHub", "Google")})),
		"sign_in_logo":    render(SignIn(SignInPage{Title: "Example Shop", Logo: "https://example.com/logo.svg", Choices: choices("Company login")})),
		"sign_in_none":    render(SignIn(SignInPage{})),
		"sign_out":        render(SignOut(SignOutPage{Title: "Example Shop", Action: "/oauth2/sign_out?rd=%2F"})),
		"signed_out":      render(SignedOut(SignedOutPage{Title: "Example Shop", SignIn: "/oauth2/start?rd=%2F"})),
		"onward":          render(Onward(OnwardPage{Title: "Example Shop", URL: "https://id.example.com/logout?client_id=shop"})),
		"error_expired":   render(Error(ErrorPage{Title: "Example Shop", Status: 400, Reason: "state_expired", RequestID: id, Retry: retry})),
		"error_cookie":    render(Error(ErrorPage{Status: 403, Reason: "binding_missing", RequestID: id, Retry: retry})),
		"error_forbidden": render(Error(ErrorPage{Title: "Example Shop", Status: 403, RequestID: id})),
		"error_away":      render(Error(ErrorPage{Title: "Example Shop", Status: 503, Reason: "no_answer", RequestID: id, Retry: retry})),
		"error_too_large": render(Error(ErrorPage{Title: "Example Shop", Status: 500, Reason: "session_too_large", RequestID: id, Figures: []Figure{
			{Key: "bytes_needed", Value: "15324"}, {Key: "bytes_allowed", Value: "12288"}, {Key: "left_out", Value: "refresh_token, access_token"}}})),
		"error_unavailable": render(Error(ErrorPage{Title: "Example Shop", Status: 503, Reason: "renewal_unavailable", RequestID: id, Retry: "/basket"})),
		"error_ticket":      render(Error(ErrorPage{Title: "Example Shop", Status: 403, Reason: "ticket_refused", RequestID: id, Retry: retry})),
		"error_plain_http":  render(Error(ErrorPage{Title: "Example Shop", Status: 403, Reason: "binding_missing", Cause: "plain_http", RequestID: id, Retry: retry})),
		"error_loop": render(Error(ErrorPage{Title: "Example Shop", Status: 403, Reason: "login_loop", Cause: "no_cookie", RequestID: id, Retry: retry, Figures: []Figure{
			{Key: "rounds", Value: "2"}, {Key: "seconds", Value: "7"}, {Key: "cookie", Value: "__Secure-postern; Path=/; Domain=shop.example.com; Secure; SameSite=lax"},
			{Key: "bytes_set", Value: "5120"}, {Key: "cookies_received", Value: "0"}, {Key: "bytes_received", Value: "0"}}})),
		"signed_out_everywhere": render(SignedOut(SignedOutPage{Title: "Example Shop", SignIn: "/oauth2/start?rd=%2F", AtProvider: true})),
		"denied":                denied(nil),
		"denied_unknown_person": denied(func(p *DeniedPage) { p.Title, p.SignedInAs, p.Provider, p.Rule, p.Back = "", "", "", "", "" }),
		"denied_any":            denied(func(p *DeniedPage) { p.Missing = several }),
		"denied_long":           denied(func(p *DeniedPage) { p.Missing = []Need{{Reason: "group_missing", Values: numbered("team", 500)}} }),
		"denied_tried": denied(func(p *DeniedPage) {
			p.Reason, p.Tried, p.Again, p.Missing = "acr_insufficient", true, "/oauth2/start?rd=%2Fadmin", []Need{{Reason: "acr_insufficient", Values: []string{"gold", "urn:example:acr:hardware-key"}}}
		}),
		"denied_kept_back": denied(func(p *DeniedPage) {
			p.Reason, p.Provider, p.Switch, p.Missing = "excluded", "", "", []Need{{Reason: "excluded"}, {Reason: "email_not_allowed", Values: []string{"bob@example.com"}}}
		}),
		"error_of_no_name": render(Error(ErrorPage{Status: 418})),
	}
}

// denied is a page that says no to alice, changed as a test wants it.
func denied(change func(*DeniedPage)) rendered {
	p := DeniedPage{
		Title: "Example Shop", Reason: "group_missing", Rule: "admin-area", RequestID: "7f2c1f0e-53a1-4c61-9d0c-6a1a3c5d9b20",
		SignedInAs: "alice@example.com", Provider: "Company login",
		Missing: []Need{{Reason: "group_missing", Values: []string{"admins"}}},
		Switch:  "/oauth2/start?rd=%2Fadmin&switch=1", Back: "/",
	}
	if change != nil {
		change(&p)
	}
	return render(Denied(p))
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
	for name, got := range every() {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".html", got.body)
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
