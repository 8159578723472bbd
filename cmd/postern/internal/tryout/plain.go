package tryout

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// Providers that speak OAuth 2.0 alone answer at addresses of their own, and say
// who somebody is where they are asked with an access token.

// gitHub has the provider answer as GitHub does.
func (p *provider) gitHub() {
	issuer, api := strings.TrimSuffix(p.settings.Issuer, "/"), config.GitHubAPI(p.settings.Issuer)
	p.authorization = issuer + "/login/oauth/authorize"
	p.answers = map[string]answer{
		issuer + "/login/oauth/access_token": p.exchange,
		api + "/user":                        p.tellAs(Claims.gitHubUser),
		api + "/user/emails":                 p.tellAs(Claims.gitHubEmails),
		api + "/user/orgs":                   p.tellAs(Claims.gitHubOrgs),
		api + "/user/teams":                  p.tellAs(Claims.gitHubTeams),
	}
}

// oauth2 has the provider answer where the settings say.
func (p *provider) oauth2() {
	e := &p.settings.Endpoints
	p.authorization = e.Authorization
	p.answers = map[string]answer{
		called(e.Token):         p.exchange,
		called(e.Userinfo):      p.tellAs(func(c Claims) any { return c.found(p.settings.Subject) }),
		called(e.Introspection): p.introspect,
	}
}

// tellAs tells of whoever an access token is of, in a provider's own words.
func (p *provider) tellAs(words func(Claims) any) answer {
	return func(c flow.Call) (any, string, error) {
		person, known := p.people[token(c)]
		if !known {
			return nil, "", errors.New("no such token")
		}
		return words(person), plainJSON, nil
	}
}

// found are claims in which the subject stands where the settings look for it.
func (c Claims) found(subject string) any {
	doc := maps.Clone(c)
	for _, name := range unlike {
		delete(doc, name)
	}
	names := strings.Split(subject, ".")
	if strings.Trim(subject, ".abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || slices.Contains(names, "") {
		return doc // more than a path: it is for whoever wrote it to fill
	}
	var sub any = somebody
	if told, ok := c["sub"]; ok {
		sub = told
	}
	put(doc, names, sub)
	return doc
}

// put puts a value at a path where there is none yet.
func put(doc map[string]any, path []string, value any) {
	there, told := doc[path[0]]
	deeper, object := there.(map[string]any)
	switch {
	case len(path) == 1 && !told:
		doc[path[0]] = value
	case len(path) > 1 && object:
		deeper = maps.Clone(deeper)
		doc[path[0]] = deeper
		put(deeper, path[1:], value)
	case len(path) > 1 && !told:
		deeper = map[string]any{}
		doc[path[0]] = deeper
		put(deeper, path[1:], value)
	}
}

// account is the number of somebody's account at GitHub, and whether the claims
// say it, or say nothing of it.
func (c Claims) account() (number json.Number, ok bool) {
	for _, name := range []string{"sub", "id"} {
		if told, is := c[name]; is {
			text := fmt.Sprint(told)
			return json.Number(text), text != "" && text[0] != '0' && strings.Trim(text, "0123456789") == ""
		}
	}
	return "1", true
}

func (c Claims) gitHubUser() any {
	number, ok := c.account()
	if !ok {
		number = "1" // of those who are somebody elsewhere
	}
	user := map[string]any{"id": number, "login": somebody, "name": c["name"], "avatar_url": c["picture"]}
	for _, name := range []string{"preferred_username", "login"} {
		if login := c.text(name); login != "" {
			user["login"] = login
		}
	}
	return user
}

func (c Claims) gitHubEmails() any {
	address := c.text("email")
	if address == "" {
		return []any{}
	}
	return []any{map[string]any{"email": address, "primary": true, "verified": c["email_verified"] != false}}
}

func (c Claims) gitHubOrgs() any {
	orgs := []any{}
	for _, group := range c.groups() {
		if !strings.Contains(group, "/") {
			orgs = append(orgs, map[string]any{"login": group})
		}
	}
	return orgs
}

func (c Claims) gitHubTeams() any {
	teams := []any{}
	for _, group := range c.groups() {
		if org, team, is := strings.Cut(group, "/"); is {
			teams = append(teams, map[string]any{"slug": team, "organization": map[string]any{"login": org}})
		}
	}
	return teams
}

// groups are the groups that claims name.
func (c Claims) groups() (groups []string) {
	switch all := c["groups"].(type) {
	case string:
		groups = []string{all}
	case []any:
		for _, group := range all {
			if name, ok := group.(string); ok {
				groups = append(groups, name)
			}
		}
	}
	return groups
}

// check says what a provider of this type can say of nobody.
func (c Claims) check(p *config.Provider) error {
	if _, ok := c.account(); p.Type == "github" && !ok {
		return errors.New("sub is the number of an account at GitHub, such as 583231; the name belongs under preferred_username")
	}
	return nil
}
