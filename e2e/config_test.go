package e2e

import (
	"strings"
	"testing"
)

func TestEnvoyRefusesBadSettings(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-that-nobody-may-read"
	nowhere := &Provider{Name: "nowhere", Issuer: "http://127.0.0.1:1"}
	for _, test := range []struct {
		name string
		text string         // used as it is
		edit func(Settings) // or: what is wrong with good settings
		want []string       // in the log
	}{
		{
			name: "several problems at once, each with its path",
			edit: func(s Settings) {
				provider(s)["issuer"] = "not an address"
				provider(s)["client_secret"] = Settings{"env": "NO_SUCH_SECRET"}
				provider(s)["scopes"] = []string{"profile"}
				s["hosts"] = []string{"*"}
				s["colour"] = "green"
				s["session"].(Settings)["lifetime"] = 3600
				s["session"].(Settings)["keys"] = []Settings{{"id": "k1", "value": secret}, {"id": "k2", "env": "NO_SUCH_KEY"}}
			},
			want: []string{
				"providers[0].issuer", "NO_SUCH_SECRET", "providers[0].scopes", "hosts[0]", "colour",
				"session.lifetime", "session.keys[0]", "NO_SUCH_KEY",
			},
		},
		{name: "text that is no JSON", text: `{"providers": [` + secret, want: []string{"JSON"}},
		{name: "no settings at all", text: "", want: []string{"settings"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			setup := EnvoySetup{IDP: nowhere.Addr(), Config: test.text, Env: NewSecrets()}
			if test.edit != nil {
				settings := NewSettings(nowhere)
				test.edit(settings)
				setup.Config = settings
			}
			log := RefuseEnvoy(t, setup)
			for _, text := range test.want {
				if !log.Contains(text) {
					t.Errorf("the log does not speak of %s:\n%s", text, log.Tail(30))
				}
			}
			for _, text := range append([]string{secret}, values(setup.Env)...) {
				if log.Contains(text) {
					t.Errorf("the log shows a secret:\n%s", strings.Join(log.Lines(text), "\n"))
				}
			}
		})
	}
}

func values(m map[string]string) []string {
	var all []string
	for _, v := range m {
		all = append(all, v)
	}
	return all
}
