package policy

import (
	"testing"

	"github.com/postern-auth/postern/internal/config"
)

func TestWhatNoProviderSaysOfAnybodyIsWarnedOf(t *testing.T) {
	const nobody = " never have any: nobody gets in"
	acr, groups := config.Require{ACR: []string{"gold"}}, config.Require{Groups: []string{"staff"}}
	provider := func(kind string) config.Provider {
		return config.Provider{Name: kind, Type: kind, ClientID: "shop", SignIn: true, Claims: config.Claims{"groups": "groups"}}
	}
	mapped, asking, apart := provider("google"), provider("google"), provider("keycloak")
	mapped.Claims = config.Claims{"groups": "hd"}
	asking.Enrich = []config.Enrich{{Name: "teams", When: "login", Select: map[string]string{"groups": "teams"}}}
	apart.SignIn = false
	for name, c := range map[string]struct {
		require   config.Require
		accept    []string
		providers []config.Provider
		want      string
	}{
		"a level at GitHub":                       {acr, nil, []config.Provider{provider("github")}, "requires acr, and people of github" + nobody},
		"groups at Google":                        {groups, nil, []config.Provider{provider("google")}, "requires groups, and people of google" + nobody},
		"groups at GitHub":                        {groups, nil, []config.Provider{provider("github")}, ""},
		"a level at Keycloak":                     {acr, nil, []config.Provider{provider("keycloak")}, ""},
		"a level at two that have none":           {acr, nil, []config.Provider{provider("github"), provider("google")}, "requires acr, and people of github, google" + nobody},
		"a level at one of two":                   {acr, nil, []config.Provider{provider("github"), provider("keycloak")}, ""},
		"a level where nobody signs in elsewhere": {acr, nil, []config.Provider{provider("github"), apart}, "requires acr, and people of github" + nobody},
		"a level of the provider that is required": {config.Require{ACR: []string{"gold"}, Provider: "github"}, nil,
			[]config.Provider{provider("github"), provider("keycloak")}, "requires acr, and people of github" + nobody},
		"groups that are taken from elsewhere": {groups, nil, []config.Provider{mapped}, ""},
		"groups that a question brings":        {groups, nil, []config.Provider{asking}, ""},
		"tokens":                               {acr, []string{"bearer"}, []config.Provider{provider("github")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, w := range Warnings(&config.Config{Providers: c.providers, Rules: []config.Rule{{Accept: c.accept, Require: &c.require}}}) {
				if w.Kind == WarnsNeverMet {
					got = w.Text
				}
			}
			if got != c.want {
				t.Errorf("%q; want %q", got, c.want)
			}
		})
	}
}
