package oidc

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// octocat is a fake GitHub: the issuer of the tests, whose API is below it.
func octocat(t *testing.T) *fake {
	f := newFake(t)
	f.api("/user", `{"id":583231,"login":"OctoCat","name":"Mona","avatar_url":"https://a.example.com/u","email":"public@example.com"}`)
	f.api("/user/emails", `[{"email":"old@example.com","primary":false,"verified":true},{"email":"mona@example.com","primary":true,"verified":true}]`)
	f.api("/user/orgs", `[{"login":"Octo-Org"}]`)
	f.api("/user/teams", `[{"slug":"Core","organization":{"login":"Octo-Org"}}]`)
	return f
}

const apiPath = "/realms/main/api/v3"

func (f *fake) api(path, body string) {
	f.on(apiPath+path, rawAnswer(200, "application/json; charset=utf-8", body), nil)
}

func gitHub(f *fake, scopes string) *Provider {
	return f.provider(`,"type":"github","scopes":["read:user","user:email"` + scopes + `]`)
}

const withOrgs = `,"read:org"`

// who is whom GitHub says that somebody is.
func who(f *fake, p *Provider) (map[string]any, error) {
	id, err := p.Identify(f.env(), Tokens{Access: "at-1"}, "n-1")
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(id.Claims, &claims); err != nil || claims["sub"] != id.Subject {
		f.t.Errorf("claims %s: %v", id.Claims, err)
	}
	return claims, nil
}

func TestWhomGitHubSaysThatSomebodyIs(t *testing.T) {
	f := octocat(t)
	got, err := who(f, gitHub(f, withOrgs))
	want := map[string]any{
		"sub": "583231", "login": "OctoCat", "preferred_username": "OctoCat", "name": "Mona", "picture": "https://a.example.com/u",
		"email": "mona@example.com", "email_verified": true, "groups": []any{"octo-org", "octo-org/core"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	header := map[string]string{}
	for _, h := range f.last.Header {
		header[h.Name] = h.Value
	}
	wantHeader := map[string]string{
		"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28", "user-agent": "postern",
		"authorization": "Bearer at-1", "accept-encoding": "identity",
	}
	if diff := cmp.Diff(wantHeader, header); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestOnlyAnAddressThatIsTheFirstAndVerifiedIsSomebodys(t *testing.T) {
	for name, c := range map[string]struct {
		answer flow.Response
		want   any
		reason string
	}{
		"one that is":                       {rawAnswer(200, "application/json", `[{"email":"a@b.com","primary":true,"verified":true}]`), "a@b.com", ""},
		"the first one is not verified":     {rawAnswer(200, "application/json", `[{"email":"a@b.com","primary":true,"verified":false},{"email":"c@d.com","primary":false,"verified":true}]`), nil, ""},
		"a word in place of a truth value":  {rawAnswer(200, "application/json", `[{"email":"a@b.com","primary":true,"verified":"true"}]`), nil, ""},
		"none":                              {rawAnswer(200, "application/json", `[]`), nil, ""},
		"addresses that are not shown":      {rawAnswer(404, "application/json", `{"message":"Not Found"}`), nil, ""},
		"addresses that an app may not see": {rawAnswer(403, "application/json", `{"message":"Resource not accessible by integration"}`), nil, ""},
		"no list":                           {rawAnswer(200, "application/json", `{}`), nil, "answer_malformed"},
		"an outage":                         {rawAnswer(502, "text/html", `<h1>`), nil, "status_502"},
		"asked too often": {flow.Response{Status: 403, Body: []byte(`{}`), Header: httpmsg.Fields{
			{Name: "content-type", Value: "application/json"}, {Name: "x-ratelimit-remaining", Value: "0"}}}, nil, "status_429"},
	} {
		t.Run(name, func(t *testing.T) {
			f := octocat(t)
			f.on(apiPath+"/user/emails", c.answer, nil)
			claims, err := who(f, gitHub(f, ""))
			if c.reason != "" {
				if Reason(err) != c.reason {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || claims["email"] != c.want {
				t.Errorf("got %v, %v", claims["email"], err)
			}
			if verified := claims["email_verified"]; (verified == true) != (c.want != nil) {
				t.Errorf("verified: %v", verified)
			}
		})
	}
}

func TestGitHubIsAskedForNoMoreThanTheScopesAllow(t *testing.T) {
	f := octocat(t)
	claims, err := who(f, f.provider(`,"type":"github","scopes":["read:user"]`))
	if err != nil || claims["email"] != nil || claims["groups"] != nil {
		t.Errorf("%v, %v", claims, err)
	}
	if len(f.calls) != 1 {
		t.Errorf("calls %v", f.calls)
	}
}

func TestAnAccountIsKnownByItsNumber(t *testing.T) {
	for name, c := range map[string]struct {
		user    string
		subject any
	}{
		"a number":            {`{"id":1,"login":"a"}`, "1"},
		"a number above 2^53": {`{"id":9007199254740993,"login":"a"}`, "9007199254740993"},
		"a text":              {`{"id":"1","login":"a"}`, nil},
		"a fraction":          {`{"id":1.5,"login":"a"}`, nil},
		"none":                {`{"login":"a"}`, nil},
		"no name":             {`{"id":1}`, nil},
		"an empty name":       {`{"id":1,"login":""}`, nil},
		"a list":              {`[{"id":1,"login":"a"}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := octocat(t)
			f.api("/user", c.user)
			claims, err := who(f, gitHub(f, ""))
			if c.subject == nil && Reason(err) != "sub_malformed" || c.subject != nil && (err != nil || claims["sub"] != c.subject) {
				t.Errorf("got %v, %v", claims["sub"], err)
			}
		})
	}
}

func TestGroupsThatGitHubDoesNotTellFailTheLogin(t *testing.T) {
	for name, c := range map[string]struct {
		path      string
		answer    flow.Response
		reason    string
		temporary bool
	}{
		"organisations that are not shown":  {"/user/orgs", rawAnswer(403, "application/json", `{}`), "groups_not_granted", false},
		"teams that are not shown":          {"/user/teams", rawAnswer(404, "application/json", `{}`), "groups_not_granted", false},
		"an outage":                         {"/user/teams", rawAnswer(500, "application/json", `{}`), "groups_not_resolved", true},
		"no list":                           {"/user/orgs", rawAnswer(200, "application/json", `{"login":"a"}`), "groups_not_resolved", false},
		"a team of nobody":                  {"/user/teams", rawAnswer(200, "application/json", `[{"slug":"core"}]`), "groups_not_resolved", false},
		"a name that looks like a team":     {"/user/orgs", rawAnswer(200, "application/json", `[{"login":"octo-org/core"}]`), "groups_not_resolved", false},
		"a name that looks like two":        {"/user/orgs", rawAnswer(200, "application/json", `[{"login":"a,b"}]`), "groups_not_resolved", false},
		"a name with a line break":          {"/user/teams", rawAnswer(200, "application/json", `[{"slug":"a\nb","organization":{"login":"c"}}]`), "groups_not_resolved", false},
		"a token that has just been pulled": {"/user/teams", rawAnswer(401, "application/json", `{}`), "groups_not_resolved", false},
		"asked too often": {"/user/orgs", flow.Response{Status: 403, Header: httpmsg.Fields{
			{Name: "content-type", Value: "application/json"}, {Name: "retry-after", Value: "60"}}}, "groups_not_resolved", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := octocat(t)
			f.on(apiPath+c.path, c.answer, nil)
			if _, err := who(f, gitHub(f, withOrgs)); Reason(err) != c.reason || Temporary(err) != c.temporary {
				t.Errorf("got %v", err)
			}
		})
	}
}

// paged has GitHub answer with so many pages of a list, each of one entry.
func (f *fake) paged(path string, pages int, entry func(n int) string) {
	f.answers[apiPath+path] = func(c flow.Call) (flow.Response, error) {
		_, query, _ := strings.Cut(c.Path, "?")
		q, err := url.ParseQuery(query)
		n := 1
		if q.Has("page") {
			n, err = strconv.Atoi(q.Get("page"))
		}
		if err != nil || q.Get("per_page") != "100" {
			f.t.Errorf("asked for %s: %v", c.Path, err)
		}
		r := rawAnswer(200, "application/json", `[`+entry(n)+`]`)
		if n < pages {
			link := fmt.Sprintf(`<%s%s?per_page=100&page=%d>; rel="next", <https://id.example.com/x?page=%d>; rel="last"`, issuer, "/api/v3"+path, n+1, pages)
			r.Header = append(r.Header, httpmsg.Field{Name: "link", Value: link})
		}
		return r, nil
	}
}

func TestTeamsOnSeveralPagesAreReadToTheEndOrNotAtAll(t *testing.T) {
	team := func(n int) string { return fmt.Sprintf(`{"slug":"t%d","organization":{"login":"o"}}`, n) }
	f := octocat(t)
	f.paged("/user/teams", maxGitHubPages, team)
	claims, err := who(f, gitHub(f, withOrgs))
	if err != nil {
		t.Fatal(err)
	}
	groups := claims["groups"].([]any)
	if len(groups) != 1+maxGitHubPages || !slices.Contains(groups, any("o/t10")) {
		t.Errorf("groups %v", groups)
	}
	f.paged("/user/teams", maxGitHubPages+1, team)
	if _, err := who(f, gitHub(f, withOrgs)); Reason(err) != "groups_not_resolved" || Temporary(err) {
		t.Errorf("more than are read: %v", err)
	}
	if f.calls[apiPath+"/user/teams"] != 2*maxGitHubPages {
		t.Errorf("%d pages were fetched", f.calls[apiPath+"/user/teams"])
	}
}

func TestWhoIsConfirmedAtGitHubIsAskedForAnew(t *testing.T) {
	f := octocat(t)
	p := gitHub(f, withOrgs)
	f.api("/user/teams", `[]`)
	claims, err := p.Confirm(f.env(), Access{Token: "at-1"}, "583231")
	if err != nil || !strings.Contains(string(claims), `"groups":["octo-org"]`) {
		t.Errorf("%s, %v", claims, err)
	}
	f.on(apiPath+"/user", rawAnswer(401, "application/json", `{}`), nil)
	if _, err := p.Confirm(f.env(), Access{Token: "at-1"}, "583231"); Reason(err) != "token_refused" || Temporary(err) {
		t.Errorf("got %v", err)
	}
	f.on(apiPath+"/user", flow.Response{Status: 403, Header: httpmsg.Fields{{Name: "x-ratelimit-remaining", Value: "0"}}}, nil)
	if _, err := p.Confirm(f.env(), Access{Token: "at-1"}, "583231"); !Temporary(err) {
		t.Errorf("asked too often: %v", err)
	}
}

func TestGitHubsTokenAnswers(t *testing.T) {
	const path = "/realms/main/login/oauth/access_token"
	for name, c := range map[string]struct {
		answer string
		want   Tokens
		reason string
	}{
		"a token that does not expire": {`{"access_token":"gho_1","token_type":"bearer","scope":"read:org,read:user,user:email"}`,
			Tokens{Access: "gho_1", Scope: []string{"read:org", "read:user", "user:email"}}, ""},
		"a token of an app that expires": {`{"access_token":"ghu_1","expires_in":28800,"refresh_token":"ghr_1","refresh_token_expires_in":15897600,"token_type":"bearer","scope":""}`,
			Tokens{Access: "ghu_1", Refresh: "ghr_1", Lifetime: 8 * time.Hour, Scope: []string{}}, ""},
		"a token for which nothing is said": {`{"access_token":"gho_1","token_type":"bearer"}`, Tokens{Access: "gho_1"}, ""},
		"a code that is used up":            {`{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}`, Tokens{}, "provider_invalid_grant"},
		"a refresh token that is spent":     {`{"error":"bad_refresh_token"}`, Tokens{}, "provider_invalid_grant"},
		"another client":                    {`{"error":"incorrect_client_credentials"}`, Tokens{}, "provider_invalid_client"},
		"another redirect address":          {`{"error":"redirect_uri_mismatch"}`, Tokens{}, "provider_invalid_request"},
		"an address without proof":          {`{"error":"unverified_user_email"}`, Tokens{}, "provider_access_denied"},
		"a word that nobody knows":          {`{"error":"teapot"}`, Tokens{}, "provider_error"},
	} {
		t.Run(name, func(t *testing.T) {
			f := octocat(t)
			f.on(path, rawAnswer(200, "application/json; charset=utf-8", c.answer), nil)
			got, err := gitHub(f, "").Exchange(f.env(), "c", "https://app.example.com/oauth2/callback", "v")
			if (c.reason == "") != (err == nil) || err != nil && Reason(err) != c.reason {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(fmt.Sprintf("%#v", plain(c.want)), fmt.Sprintf("%#v", plain(got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			sent := form(t, f.last)
			if sent.Get("client_secret") != secret || sent.Get("code_verifier") != "v" {
				t.Errorf("sent %v", sent)
			}
		})
	}
}

// plain is Tokens that can be printed.
func plain(t Tokens) any {
	type shown Tokens
	return shown(t)
}

func TestARefreshTokenOfGitHubsThatIsSpentEndsTheSession(t *testing.T) {
	f := octocat(t)
	f.on("/realms/main/login/oauth/access_token", rawAnswer(200, "application/json", `{"error":"bad_refresh_token"}`), nil)
	if _, err := gitHub(f, "").Refresh(f.env(), Access{Token: "ghr_1"}); Reason(err) != "provider_invalid_grant" || Temporary(err) || Unknown(err) {
		t.Errorf("got %v", err)
	}
}

func TestGitHubIsNamedInItsResponsesByTheAddressOfItsEndpoints(t *testing.T) {
	f := octocat(t)
	p := gitHub(f, "")
	for _, iss := range []string{issuer + "/login/oauth", issuer} {
		if err := p.CheckIssuer(f.env(), iss, true); err != nil {
			t.Errorf("%s: %v", iss, err)
		}
	}
	if err := p.CheckIssuer(f.env(), "", false); err != nil {
		t.Errorf("a response that names nobody: %v", err)
	}
	for _, iss := range []string{issuer + "/login/oauth/", "https://github.com/login/oauth", ""} {
		if err := p.CheckIssuer(f.env(), iss, true); Reason(err) != "iss_differs" {
			t.Errorf("%q: %v", iss, err)
		}
	}
	if err := f.learned("").CheckIssuer(f.env(), issuer+"/login/oauth", true); Reason(err) != "iss_differs" {
		t.Errorf("another type of provider: %v", err)
	}
}
