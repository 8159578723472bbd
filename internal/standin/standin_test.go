package standin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
)

const begin = `{"hosts": ["app.example.com"], "session": {"keys": [{"id": "a", "env": "SESSION_KEY"}]}, "providers": [
	{"name": "idp", "issuer": "https://idp.example.com", "cluster": "idp", "client_id": "app"`

func TestSettingsAreAcceptedWithWhatIsThrownIn(t *testing.T) {
	cases := map[string]string{
		"a secret":                  `"client_secret": {"env": "SECRET"}`,
		"a key":                     `"client_key": {"env": "SECRET"}`,
		"a key that signs by RS256": `"client_key": {"env": "SECRET"}, "client_key_algorithm": "RS256"`,
		"a key that signs by PS256": `"client_key": {"env": "SECRET"}, "client_key_algorithm": "PS256"`,
		"a key that signs by ES256": `"client_key": {"env": "SECRET"}, "client_key_algorithm": "ES256"`,
		"a key that signs by EdDSA": `"client_key": {"env": "SECRET"}, "client_key_algorithm": "EdDSA"`,
	}
	for name, client := range cases {
		t.Run(name, func(t *testing.T) {
			settings := []byte(begin + ", " + client + "}]}")
			s := For(settings)
			if _, err := config.Parse(settings, s.Lookup); err != nil {
				t.Error(err)
			}
			used := map[string]bool{}
			for _, name := range s.Used() {
				used[name] = true
			}
			if diff := cmp.Diff(map[string]bool{"SECRET": true, "SESSION_KEY": true}, used); diff != "" {
				t.Errorf("used (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNothingIsThrownInForWhatIsThere(t *testing.T) {
	s := For(nil)
	lookup := s.Behind(func(name string) (string, bool) { return "", name == "EMPTY" })
	if value, set := lookup("EMPTY"); value != "" || !set {
		t.Errorf("%q, %v for a variable that is set", value, set)
	}
	for _, name := range []string{"B", "A", "B"} {
		if value, set := lookup(name); value == "" || !set {
			t.Errorf("nothing for %s", name)
		}
	}
	if diff := cmp.Diff([]string{"B", "A"}, s.Used()); diff != "" {
		t.Errorf("used, in the order of asking (-want +got):\n%s", diff)
	}
}

func TestAKeyIsNotThrownInTwice(t *testing.T) {
	s := For(nil)
	first, _ := s.Lookup("A")
	second, _ := s.Lookup("B")
	if first == second {
		t.Error("two variables hold the same")
	}
}

func TestWhatIsNoSettingsNamesNoKey(t *testing.T) {
	for _, text := range []string{"", "x", `[]`, `{"providers": 1}`, `{"providers": [1, {"client_key": "x"}, {"client_key": {"env": ""}}]}`} {
		if s := For([]byte(text)); len(s.keys) != 0 {
			t.Errorf("%s: keys %v", text, s.keys)
		}
	}
}
