package gate

import (
	"testing"

	"github.com/postern-auth/postern/internal/oidc"
)

func TestASessionThatWasGrantedNoScopeHasNone(t *testing.T) {
	w := newWorld(t, 1, parts{rules: `[{"name":"mail","match":{"paths":["/mail"]},"require":{"scopes":["email"]}}]`})
	k := w.workers[0]
	for name, c := range map[string]struct {
		told []string
		want string
	}{
		"none": {[]string{}, "login"}, "all": {[]string{"openid", "profile", "email"}, "forwarded alice"}, "nothing is said": {nil, "forwarded alice"},
	} {
		alice := w.alice()
		k.parties[0].noteScopes(alice, oidc.Tokens{Scope: c.told})
		t.Run(name, func(t *testing.T) { w.get(k, "/mail", w.cookie(alice)).want(c.want) })
	}
}
