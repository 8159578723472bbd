// Package showcase holds one of each page as a site would show it, for people to
// look at: postern pages writes them into files, and a test has a browser look
// for what keeps somebody from using them. It is no part of the module.
//
// It follows no specification.
package showcase

import (
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
)

// Site is what pages are shown for.
type Site struct {
	Prefix  string        // of our own endpoints
	Choices []page.Choice // as the sign-in page offers them; none for some that are made up
	Email   bool          // it asks for an e-mail address
}

// Sample is a page.
type Sample struct {
	Name  string // of its file
	About string // when somebody sees it
	Write func(s *page.Pages, accept string) (body []byte, header httpmsg.Fields)
}

const requestID = "7f2c1f0e-53a1-4c61-9d0c-6a1a3c5d9b20"

// Samples are all pages.
func Samples(site Site) (all []Sample) {
	if len(site.Choices) == 0 {
		site.Choices, site.Email = madeUp(), true
	}
	all = append(all, signIn(site)...)
	all = append(all, signOut(site)...)
	all = append(all, refusals(site)...)
	return append(all, errors(site)...)
}

// madeUp is a way to sign in of each kind.
func madeUp() (choices []page.Choice) {
	for _, p := range [][2]string{
		{"keycloak", "Company login"}, {"google", "Google"}, {"entra", "Microsoft"}, {"github", "GitHub"},
		{"gitlab", "GitLab"}, {"okta", "Okta"}, {"auth0", "Auth0"}, {"oidc", "Partner login"},
	} {
		choices = append(choices, page.Choice{Kind: p[0], Name: p[1], URL: "/oauth2/start?provider=" + p[0] + "&rd=%2F"})
	}
	return choices
}

func signIn(site Site) []Sample {
	address := site.Prefix + "/sign_in"
	form := &page.EmailForm{Action: address, Return: "/"}
	several := page.SignInPage{Destination: "orders.example.com", Choices: site.Choices}
	if site.Email {
		several.Email = form
	}
	last := append([]page.Choice{}, site.Choices...)
	last[len(last)/2].Last = true
	sample := func(name, about string, p page.SignInPage) Sample {
		return Sample{name, about, func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) { return s.SignIn(accept, p) }}
	}
	return []Sample{
		sample("sign_in", "all ways to sign in", several),
		sample("sign_in_one", "one way to sign in", page.SignInPage{Choices: site.Choices[:1]}),
		sample("sign_in_last", "a browser that signed in before", page.SignInPage{Choices: last}),
		sample("sign_in_email", "an e-mail address is asked for", page.SignInPage{Email: form}),
		sample("sign_in_email_unknown", "an address for which no provider is known", page.SignInPage{Choices: site.Choices[:1],
			Email: &page.EmailForm{Action: address, Return: "/", Value: "alice@example.org", Unknown: true}}),
		sample("sign_in_already", "somebody who is signed in", page.SignInPage{Choices: site.Choices, SignedInAs: "alice@example.com", Stay: "/", SignOut: site.Prefix + "/sign_out"}),
		sample("sign_in_none", "no way to sign in is set up", page.SignInPage{}),
	}
}

func signOut(site Site) []Sample {
	again := site.Prefix + "/start?rd=%2F"
	signedOut := func(name, about string, p page.SignedOutPage) Sample {
		return Sample{name, about, func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) { return s.SignedOut(accept, p) }}
	}
	return []Sample{
		{"sign_out", "the question before signing out", func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) {
			return s.SignOut(accept, page.SignOutPage{Action: site.Prefix + "/sign_out"})
		}},
		signedOut("signed_out", "signed out here", page.SignedOutPage{SignIn: again}),
		signedOut("signed_out_at_provider", "signed out here and at the provider", page.SignedOutPage{SignIn: again, AtProvider: true}),
		signedOut("signed_out_not", "not signed out after all", page.SignedOutPage{StillSignedIn: true, SignOut: site.Prefix + "/sign_out"}),
	}
}

func refusals(site Site) []Sample {
	name := site.Choices[0].Name
	sample := func(name, about string, p page.DeniedPage) Sample {
		return Sample{name, about, func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) { return s.Denied(accept, p) }}
	}
	p := page.DeniedPage{
		Reason: "group_missing", Rule: "admin-area", RequestID: requestID, SignedInAs: "alice@example.com", Provider: name,
		Missing: []page.Need{{Reason: "group_missing", Values: []string{"admins"}}},
		Switch:  site.Prefix + "/start?rd=%2Fadmin&switch=1", Back: "/",
	}
	several, tried := p, p
	several.Missing = []page.Need{
		{Reason: "none_met", Any: []page.Need{
			{Reason: "group_missing", Values: []string{"admins", "operators"}},
			{Reason: "claim_missing", Claim: "department", Values: []string{"it", "hr"}, Prefixes: []string{"ops-"}},
		}},
		{Reason: "scope_missing", Values: []string{"orders.read", "orders.write"}},
		{Reason: "login_too_old", MaxAge: 10 * time.Minute},
	}
	tried.Reason, tried.Tried, tried.Again = "acr_insufficient", true, site.Prefix+"/start?rd=%2Fadmin"
	tried.Missing = []page.Need{{Reason: "acr_insufficient", Values: []string{"gold"}}}
	return []Sample{
		sample("denied", "a group is missing", p),
		sample("denied_several", "several things are missing", several),
		sample("denied_tried", "a stronger sign-in was asked for, and did not come", tried),
	}
}

func errors(site Site) (all []Sample) {
	retry, other := site.Prefix+"/start?rd=%2F", site.Prefix+"/sign_in?rd=%2F"
	for _, p := range []struct {
		name, about string
		page        page.ErrorPage
	}{
		{"error", "a sign-in that took too long", page.ErrorPage{Status: 400, Reason: "state_expired", Retry: retry, Other: other}},
		{"error_cookie", "a browser that keeps no cookies", page.ErrorPage{Status: 403, Reason: "binding_missing", Retry: retry}},
		{"error_cancelled", "a sign-in that was cancelled", page.ErrorPage{Status: 403, Reason: "provider_access_denied", Retry: retry, Other: other}},
		{"error_loop", "a session that does not last, and why", page.ErrorPage{Status: 403, Reason: "login_loop", Cause: "no_cookie", Retry: retry, Figures: []page.Figure{
			{Key: "rounds", Value: "2"}, {Key: "seconds", Value: "7"}, {Key: "cookie", Value: "__Secure-postern; Path=/; Domain=shop.example.com; Secure; SameSite=lax"},
			{Key: "bytes_set", Value: "5120"}, {Key: "cookies_received", Value: "0"}, {Key: "bytes_received", Value: "0"}}}},
		{"error_too_large", "an account that is too large for cookies", page.ErrorPage{Status: 500, Reason: "session_too_large", Figures: []page.Figure{
			{Key: "bytes_needed", Value: "15324"}, {Key: "bytes_allowed", Value: "12288"}, {Key: "left_out", Value: "refresh_token, access_token"}}}},
		{"error_refused", "an answer of the provider's that could not be verified", page.ErrorPage{Status: 502, Reason: "iss_differs", Retry: retry, Other: other}},
		{"error_question", "a question after the login that found no answer", page.ErrorPage{Status: 503, Reason: "enrich_failed", Retry: retry}},
		{"error_away", "a provider that does not answer", page.ErrorPage{Status: 503, Reason: "no_answer", Retry: retry, Other: other}},
		{"error_renewal", "a session that cannot be renewed right now", page.ErrorPage{Status: 503, Reason: "renewal_unavailable", Retry: "/"}},
		{"error_form", "a form that could not be kept", page.ErrorPage{Status: 403, Reason: "form_not_kept", Retry: retry}},
		{"error_host", "a host name that nothing is served under", page.ErrorPage{Status: 421, Reason: "host_not_allowed"}},
	} {
		p.page.RequestID = requestID
		all = append(all, Sample{p.name, p.about, func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) { return s.Error(accept, p.page) }})
	}
	all = append(all, Sample{"form", "a form that was kept, to be sent", func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) {
		return s.SendForm(accept, page.SendFormPage{Action: "/orders/new", Address: "shop.example.com/orders/new", Cancel: "/orders",
			Fields: []page.FormField{{Name: "item", Value: "7"}, {Name: "count", Value: "2"}}, SignedInAs: "alice@example.com", Provider: site.Choices[0].Name})
	}})
	return append(all, Sample{"onward", "on the way to another site after a form", func(s *page.Pages, accept string) ([]byte, httpmsg.Fields) {
		return s.Onward(accept, page.OnwardPage{URL: "https://id.example.com/logout"})
	}})
}
