package oidc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
)

func TestScopesAreGrantedInTheWordsInWhichTheyWereAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		kind           string
		asked, granted []string
		want           []string
	}{
		"any provider's are as they are": {"oidc", []string{"openid", "email"}, []string{"openid"}, []string{"openid"}},
		"those of OpenID Connect at Entra": {"entra", []string{"openid", "profile", "email", "offline_access"}, []string{"User.Read"},
			[]string{"User.Read", "openid", "profile", "email", "offline_access"}},
		"Graph's with the resource": {"entra", []string{"User.Read", "Mail.Read"}, []string{"https://graph.microsoft.com/User.Read"},
			[]string{"https://graph.microsoft.com/User.Read", "User.Read"}},
		"Graph's without it": {"entra", []string{"https://graph.microsoft.com/User.Read"}, []string{"User.Read"},
			[]string{"User.Read", "https://graph.microsoft.com/User.Read"}},
		"Graph's by its number":  {"entra", []string{"User.Read"}, []string{"00000003-0000-0000-c000-000000000000/user.read"}, []string{"00000003-0000-0000-c000-000000000000/user.read", "User.Read"}},
		"another resource's":     {"entra", []string{"User.Read", "api://a/User.Read"}, []string{"api://b/User.Read"}, []string{"api://b/User.Read"}},
		"Google's long names":    {"google", []string{"openid", "email", "profile"}, []string{"openid", "https://www.googleapis.com/auth/userinfo.email"}, []string{"openid", "https://www.googleapis.com/auth/userinfo.email", "email"}},
		"the widest of GitHub's": {"github", []string{"read:user", "user:email", "read:org"}, []string{"user", "write:org"}, []string{"user", "write:org", "read:user", "user:email", "read:org"}},
		"GitHub's narrow ones":   {"github", []string{"user", "read:org"}, []string{"read:user"}, []string{"read:user"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Provider{settings: &config.Provider{Type: c.kind}, host: "login.microsoftonline.com"}
			if diff := cmp.Diff(c.want, p.Granted(c.asked, c.granted)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
