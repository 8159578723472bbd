package standins

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var asJSON = http.Header{"Accept": {"application/json"}}

func octocat() *GitHubUser {
	u := &GitHubUser{
		ID: 583231, Login: "octocat", Password: "pw", Name: "Mona", Orgs: []string{"acme"},
		Emails: []GitHubEmail{{Email: "mona@example.com", Primary: true, Verified: true}, {Email: "mona@other.example"}},
	}
	for i := range 65 {
		u.Teams = append(u.Teams, GitHubTeam{Org: "acme", Slug: fmt.Sprintf("team-%d", i)})
	}
	return u
}

// newGitHubVisit is somebody signed in at GitHub, who has allowed the scopes.
func newGitHubVisit(t *testing.T, app *GitHubApp, scope string, users ...*GitHubUser) (*visitor, *GitHub, url.Values) {
	t.Helper()
	n, v := newNet(t)
	app.ID, app.Secret, app.Callback = clientID, clientSecret, callback
	g, err := NewGitHub(n, []*GitHubApp{app}, users...)
	if err != nil {
		t.Fatal(err)
	}
	page, back := v.open("https://github.com/login/oauth/authorize", url.Values{"scope": {scope}})
	if back == nil {
		page, _ = v.send(page, url.Values{"login": {users[0].Login}, "password": {"pw"}})
		_, back = v.send(page, nil)
	}
	return v, g, back
}

const githubTokens = "https://github.com/login/oauth/access_token"

func TestGitHubGivesAnOAuthAppATokenThatDoesNotExpire(t *testing.T) {
	v, g, back := newGitHubVisit(t, &GitHubApp{}, "read:user user:email read:org", octocat())
	want(t, "state", back.Get("state"), "xyz")
	got := v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)
	want(t, "scope", got["scope"], "read:org,read:user,user:email")
	want(t, "token_type", got["token_type"], "bearer")
	want(t, "expires_in", got["expires_in"], nil)
	me := v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(got["access_token"]))
	want(t, "scopes", me.header.Get("X-Oauth-Scopes"), "read:org, read:user, user:email")
	want(t, "login", me.json(t)["login"], "octocat")
	g.Withdraw("octocat")
	gone := v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(got["access_token"]))
	want(t, "status", gone.status, http.StatusUnauthorized)
	want(t, "message", gone.json(t)["message"], "Bad credentials")
}

func TestGitHubAnswersAsAFormUnlessAskedForJSON(t *testing.T) {
	v, _, back := newGitHubVisit(t, &GitHubApp{}, "user", octocat())
	got := v.exchange(githubTokens, back.Get("code"), nil, nil)
	form, err := url.ParseQuery(got.body)
	if err != nil || form.Get("token_type") != "bearer" || !strings.HasPrefix(form.Get("access_token"), "gho_") {
		t.Errorf("the answer is %s (%v)", got.body, err)
	}
}

func TestGitHubNamesTheWidestScopesAlone(t *testing.T) {
	v, _, back := newGitHubVisit(t, &GitHubApp{}, "user:email user read:org write:org", octocat())
	want(t, "scope", v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)["scope"], "user,write:org")
}

func TestGitHubSaysErrorsWithStatus200(t *testing.T) {
	for _, test := range []struct {
		name, want string
		more       url.Values
	}{
		{"a code that is not known", "bad_verification_code", url.Values{"code": {"other"}}},
		{"a verifier that does not fit", "bad_verification_code", url.Values{"code_verifier": {"other"}}},
		{"a wrong secret", "incorrect_client_credentials", url.Values{"client_secret": {"other"}}},
		{"another redirect address", "redirect_uri_mismatch", url.Values{"redirect_uri": {callback + "/other"}}},
		{"a refresh token that is not known", "bad_refresh_token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"other"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, _, back := newGitHubVisit(t, &GitHubApp{}, "user", octocat())
			got := v.exchange(githubTokens, back.Get("code"), asJSON, test.more)
			want(t, "status", got.status, http.StatusOK)
			want(t, "error", got.json(t)["error"], test.want)
		})
	}
	t.Run("a code that was used", func(t *testing.T) {
		v, _, back := newGitHubVisit(t, &GitHubApp{}, "user", octocat())
		v.exchange(githubTokens, back.Get("code"), asJSON, nil)
		want(t, "error", v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)["error"], "bad_verification_code")
	})
	t.Run("somebody without a verified primary address", func(t *testing.T) {
		u := octocat()
		u.Emails[0].Verified = false
		v, _, back := newGitHubVisit(t, &GitHubApp{}, "user", u)
		want(t, "error", v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)["error"], "unverified_user_email")
	})
}

func TestGitHubSendsErrorsToTheRegisteredAddress(t *testing.T) {
	for _, test := range []struct {
		name, want string
		app        *GitHubApp
		more       url.Values
	}{
		{"another host", "redirect_uri_mismatch", &GitHubApp{}, url.Values{"redirect_uri": {"https://evil.example/oauth2/callback"}}},
		{"a path beside the registered one", "redirect_uri_mismatch", &GitHubApp{}, url.Values{"redirect_uri": {callback + "s"}}},
		{"a path that climbs out", "redirect_uri_mismatch", &GitHubApp{}, url.Values{"redirect_uri": {callback + "/../x"}}},
		{"a suspended app", "application_suspended", &GitHubApp{Suspended: true}, nil},
		{"a plain challenge", "invalid_request", &GitHubApp{}, url.Values{"code_challenge_method": {"plain"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, v := newNet(t)
			test.app.ID, test.app.Secret, test.app.Callback = clientID, clientSecret, callback
			if _, err := NewGitHub(n, []*GitHubApp{test.app}, octocat()); err != nil {
				t.Fatal(err)
			}
			_, back := v.open("https://github.com/login/oauth/authorize", test.more)
			want(t, "error", back.Get("error"), test.want)
			want(t, "state", back.Get("state"), "xyz")
		})
	}
}

func TestGitHubTellsOfADenial(t *testing.T) {
	n, v := newNet(t)
	if _, err := NewGitHub(n, []*GitHubApp{{ID: clientID, Secret: clientSecret, Callback: callback}}, octocat()); err != nil {
		t.Fatal(err)
	}
	page, _ := v.open("https://github.com/login/oauth/authorize", url.Values{"scope": {"user"}})
	page, _ = v.send(page, url.Values{"login": {"octocat"}, "password": {"pw"}})
	_, back := v.send(page, url.Values{"authorize": {"0"}})
	want(t, "error", back.Get("error"), "access_denied")
	want(t, "error_description", back.Get("error_description"), "The user has denied your application access.")
}

func TestGitHubAsksForAnAccountWhereToldTo(t *testing.T) {
	v, _, _ := newGitHubVisit(t, &GitHubApp{}, "user", octocat())
	if _, back := v.open("https://github.com/login/oauth/authorize", url.Values{"scope": {"user"}}); back.Get("code") == "" {
		t.Error("who has allowed it is asked again")
	}
	page, back := v.open("https://github.com/login/oauth/authorize", url.Values{"scope": {"user"}, "prompt": {"select_account"}})
	if back != nil || !strings.Contains(page.body, "Select an account") {
		t.Errorf("no account picker: %v %.200s", back, page.body)
	}
}

func TestGitHubRotatesTheTokensOfApps(t *testing.T) {
	app := &GitHubApp{TokenLife: 8 * time.Hour, Permissions: []string{"emails", "members"}}
	v, g, back := newGitHubVisit(t, app, "ignored", octocat())
	first := v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)
	want(t, "expires_in", first["expires_in"], 28800.0)
	want(t, "refresh_token_expires_in", first["refresh_token_expires_in"], 15897600.0)
	want(t, "scope", first["scope"], "")
	renew := func(token any) object {
		return v.exchange(githubTokens, "", asJSON, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}).json(t)
	}
	second := renew(first["refresh_token"])
	want(t, "the old access token's status", v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(first["access_token"])).status, 401)
	want(t, "the new access token's status", v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(second["access_token"])).status, 200)
	want(t, "error", renew(first["refresh_token"])["error"], "bad_refresh_token")
	g.now = func() time.Time { return time.Now().Add(9 * time.Hour) }
	want(t, "the status after its time", v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(second["access_token"])).status, 401)
}

func TestGitHubsAPIIsParticular(t *testing.T) {
	for _, test := range []struct {
		name, scope, path string
		header            http.Header
		want              int
	}{
		{"no user agent", "user", "/user", http.Header{"User-Agent": {""}}, 403},
		{"a version that there is not", "user", "/user", http.Header{"X-Github-Api-Version": {"2001-01-01"}}, 400},
		{"no token", "user", "/user", http.Header{"Authorization": nil}, 401},
		{"addresses without the scope", "read:org", "/user/emails", nil, 404},
		{"organisations without the scope", "user:email", "/user/orgs", nil, 403},
		{"teams without the scope", "user:email", "/user/teams", nil, 404},
		{"teams with it", "read:org", "/user/teams", nil, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, _, back := newGitHubVisit(t, &GitHubApp{}, test.scope, octocat())
			header := bearing(v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)["access_token"])
			for k, values := range test.header {
				header[k] = values
			}
			want(t, "status", v.do(http.MethodGet, "https://api.github.com"+test.path, nil, header).status, test.want)
		})
	}
	t.Run("the rate limit", func(t *testing.T) {
		v, g, back := newGitHubVisit(t, &GitHubApp{}, "user", octocat())
		token := v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)["access_token"]
		g.LeaveRequests(1)
		v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(token))
		got := v.do(http.MethodGet, "https://api.github.com/user", nil, bearing(token))
		want(t, "status", got.status, http.StatusForbidden)
		want(t, "what is left", got.header.Get("X-Ratelimit-Remaining"), "0")
	})
}

func TestGitHubsTeamsGoOverPages(t *testing.T) {
	v, _, back := newGitHubVisit(t, &GitHubApp{}, "read:org", octocat())
	token := v.exchange(githubTokens, back.Get("code"), asJSON, nil).json(t)["access_token"]
	count := func(path string) (int, string) {
		got := v.do(http.MethodGet, "https://api.github.com"+path, nil, bearing(token))
		var teams []object
		if err := json.Unmarshal([]byte(got.body), &teams); err != nil {
			t.Fatal(err)
		}
		return len(teams), got.header.Get("Link")
	}
	for path, expected := range map[string]int{
		"/user/teams": 30, "/user/teams?page=3": 5, "/user/teams?page=9": 0, "/user/teams?per_page=100": 65, "/user/teams?per_page=7": 7,
	} {
		n, _ := count(path)
		want(t, path, n, expected)
	}
	if _, link := count("/user/teams"); !strings.HasPrefix(link, `<https://api.github.com/user/teams?page=2>; rel="next"`) {
		t.Errorf("the first page's links are %s", link)
	}
	if _, link := count("/user/teams?page=3"); strings.Contains(link, `rel="next"`) || !strings.Contains(link, `rel="prev"`) {
		t.Errorf("the last page's links are %s", link)
	}
	if _, link := count("/user/teams?per_page=100"); link != "" {
		t.Errorf("the only page's links are %s", link)
	}
}

func TestAnEnterpriseHasItsAPIBelowItsOwnHost(t *testing.T) {
	n, v := newNet(t)
	u := octocat()
	u.Emails[0].Verified = false
	if _, err := NewGitHubEnterprise(n, "github.example.com", []*GitHubApp{{ID: clientID, Secret: clientSecret, Callback: callback}}, u); err != nil {
		t.Fatal(err)
	}
	page, _ := v.open("https://github.example.com/login/oauth/authorize", url.Values{"scope": {"user:email"}})
	page, _ = v.send(page, url.Values{"login": {"octocat"}, "password": {"pw"}})
	_, back := v.send(page, nil)
	token := v.exchange("https://github.example.com/login/oauth/access_token", back.Get("code"), asJSON, nil).json(t)["access_token"]
	want(t, "status", v.do(http.MethodGet, "https://github.example.com/api/v3/user", nil, bearing(token)).status, 200)
	got := v.do(http.MethodGet, "https://github.example.com/api/v3/user/emails", nil, bearing(token))
	if !strings.Contains(got.body, `"verified":false`) {
		t.Errorf("the addresses are %s", got.body)
	}
}
