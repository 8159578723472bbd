package oidc

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// gitHubHeader are the fields of a question that GitHub wants, by the type of
// provider. It refuses callers that do not name themselves.
var gitHubHeader = map[string]map[string]string{"github": {
	"accept":               "application/vnd.github+json",
	"x-github-api-version": "2022-11-28",
	"user-agent":           "postern",
}}

// Bounds of what GitHub is asked for. A team takes some four kilobytes there, of
// which a hundred come at once.
const (
	maxGitHubPage  = 1 << 20
	maxGitHubPages = 10
)

func (p *Provider) gitHubEndpoints() config.Endpoints {
	issuer := strings.TrimSuffix(p.settings.Issuer, "/")
	return config.Endpoints{
		Authorization: issuer + "/login/oauth/authorize",
		Token:         issuer + "/login/oauth/access_token",
	}
}

// isNamed reports whether an authorisation response that names an issuer names this
// provider. GitHub calls itself by the address below which its endpoints are, in
// responses that name one at all.
func (p *Provider) isNamed(issuer string) bool {
	if p.settings.Type == "github" && issuer == strings.TrimSuffix(p.settings.Issuer, "/")+"/login/oauth" {
		return true
	}
	return issuer == p.settings.Issuer
}

// gitHubError is what GitHub's own word for an error is in the specifications.
func gitHubError(word string) string {
	switch word {
	case "bad_verification_code", "bad_refresh_token":
		return "invalid_grant"
	case "incorrect_client_credentials":
		return "invalid_client"
	case "redirect_uri_mismatch":
		return "invalid_request"
	case "application_suspended":
		return "unauthorized_client"
	case "unverified_user_email":
		return "access_denied"
	}
	return word
}

// translate has a token answer of GitHub's say what it says in the words of RFC
// 6749. GitHub separates scopes by commas, and says by none that it granted none:
// whoever takes them out of the address in their browser has none. Elsewhere an
// empty list tells nothing.
func (p *Provider) translate(doc *tokenDocument) {
	if p.settings.Type != "github" {
		if len(doc.Scope) == 0 {
			doc.Scope = nil
		}
		return
	}
	doc.Error = gitHubError(doc.Error)
	if doc.Scope != nil {
		doc.Scope = strings.FieldsFunc(strings.Join(doc.Scope, ","), func(c rune) bool { return c == ',' })
	}
}

// askGitHub asks GitHub who somebody is: by the number of the account, since the
// name can be given up and taken by another person.
func (p *Provider) askGitHub(env flow.Env, access Access) (*IDToken, error) {
	const step = "userinfo"
	env = limited{env}
	api := config.GitHubAPI(p.settings.Issuer)
	user, err := p.askOne(env, step, api+"/user", access)
	if err != nil {
		return nil, err
	}
	id, login := gjson.GetBytes(user, "id"), gjson.GetBytes(user, "login")
	subject, ok := plainSubject(id)
	if !ok || id.Type != gjson.Number || login.Type != gjson.String || login.Str == "" {
		return nil, refuse(step, "sub_malformed")
	}
	claims := map[string]any{"sub": subject, "login": login.Str, "preferred_username": login.Str}
	for name, theirs := range map[string]string{"name": "name", "picture": "avatar_url"} {
		if s := gjson.GetBytes(user, theirs).Str; s != "" {
			claims[name] = s
		}
	}
	if err := p.addEmail(env, api, access, claims); err != nil {
		return nil, err
	}
	if err := p.addGroups(env, api, access, claims); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(claims)
	if err != nil {
		return nil, refuse(step, "answer_malformed")
	}
	return &IDToken{Issuer: p.settings.Issuer, Subject: subject, Claims: doc}, nil
}

// addEmail adds the address that is a person's first one and verified, if there is
// one. Where GitHub does not let us see addresses there is none.
func (p *Provider) addEmail(env flow.Env, api string, access Access, claims map[string]any) error {
	if !slices.Contains(p.settings.Scopes, "user:email") && !slices.Contains(p.settings.Scopes, "user") {
		return nil
	}
	entries, err := p.askGitHubList(env, "e-mail addresses", api+"/user/emails", access)
	if reason := Reason(err); reason == "status_403" || reason == "status_404" {
		return nil
	}
	for _, e := range entries {
		if address := e.Get("email"); e.Get("primary").Type == gjson.True && e.Get("verified").Type == gjson.True && address.Type == gjson.String {
			claims["email"], claims["email_verified"] = address.Str, true
		}
	}
	return err
}

// addGroups adds organisations and teams, where a scope was asked for that allows
// it: in lower case, in which GitHub does not tell names apart. Half of them would
// be taken for all, so the login fails where they cannot be had.
func (p *Provider) addGroups(env flow.Env, api string, access Access, claims map[string]any) error {
	const step = "groups"
	if !p.settings.Orgs() {
		return nil
	}
	groups := []string{}
	for _, list := range []struct{ path, org, team string }{
		{"/user/orgs", "login", ""},
		{"/user/teams", "organization.login", "slug"},
	} {
		entries, err := p.askGitHubList(env, step, api+list.path, access)
		if err != nil {
			return groupsFailure(step, err)
		}
		for _, e := range entries {
			name, ok := gitHubName(e.Get(list.org))
			if ok && list.team != "" {
				var team string
				team, ok = gitHubName(e.Get(list.team))
				name += "/" + team
			}
			if !ok {
				return refuse(step, "groups_not_resolved")
			}
			groups = append(groups, name)
		}
	}
	claims["groups"] = groups
	return nil
}

// groupsFailure says why there are no groups: the scope was not granted; or there
// are more than are asked for, or no answer.
func groupsFailure(step string, err error) error {
	switch reason := Reason(err); {
	case errors.Is(err, flow.ErrCanceled):
		return err
	case reason == "status_403" || reason == "status_404":
		return refuse(step, "groups_not_granted")
	case reason == "too_many_pages" || reason == "answer_too_large": // which no other try would change
		return refuse(step, "groups_not_resolved")
	}
	return &Failure{Step: step, Reason: "groups_not_resolved", Temporary: Temporary(err)}
}

// gitHubName is a name of an organisation or a team, in lower case.
func gitHubName(v gjson.Result) (string, bool) {
	ok := v.Type == gjson.String && v.Str != "" && visible(v.Str) && !strings.ContainsAny(v.Str, "/,")
	return strings.ToLower(v.Str), ok
}

// askGitHubList asks for a list, over all of its pages.
func (p *Provider) askGitHubList(env flow.Env, step, address string, access Access) (entries []gjson.Result, err error) {
	pages, err := p.Ask(env, step, Question{
		URL: address + "?per_page=100", Header: gitHubHeader["github"], Next: NextByLink,
		MaxPages: maxGitHubPages, MaxBytes: maxGitHubPage,
		Timeout: p.settings.Timeout.Std(), // of all pages: a renewal waits for no more
	}, access)
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		list := gjson.ParseBytes(page)
		if !list.IsArray() {
			return nil, refuse(step, "answer_malformed")
		}
		entries = append(entries, list.Array()...)
	}
	return entries, nil
}

// limited is an Env that knows GitHub's way of saying that it was asked too often,
// which is the status of a refusal.
type limited struct{ flow.Env }

// Fetch implements flow.Fetcher.
func (l limited) Fetch(c flow.Call) (flow.Response, error) {
	r, err := l.Env.Fetch(c)
	if err == nil && r.Status == 403 {
		left, _ := r.Header.Get("x-ratelimit-remaining")
		if _, later := r.Header.Get("retry-after"); later || left == "0" {
			r.Status = 429
		}
	}
	return r, err
}
