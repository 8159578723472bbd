package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// The secrets that the tests below spell out, in every form in which they
// could turn up.
var spelled = []string{"hunter2", "hunter3", keyA, keyA[:20], keyB, keyB[:20]}

func discloses(t *testing.T, how, text string) {
	t.Helper()
	for _, s := range spelled {
		if strings.Contains(text, s) {
			t.Errorf("%s discloses %q:\n%s", how, s, text)
		}
	}
}

func TestNoWayOfPrintingSettingsDisclosesASecret(t *testing.T) {
	settings := with(t,
		`"client_id": "c"`, `"client_id": "c", "client_secret": {"value": "hunter2"}`,
		`"keys": [`, `"keys": [{"id": "b", "value": "`+keyB+`"}, `)
	c := mustParse(t, settings)
	if c.Providers[0].ClientSecret.Reveal() != "hunter2" {
		t.Fatal("the secret was not read")
	}
	// What other packages do with a secret: keep it where nobody sees it.
	type holder struct {
		secret  Secret
		key     Key
		secrets map[string]Secret
	}
	h := holder{c.Providers[0].ClientSecret, c.Session.Keys[0], map[string]Secret{"a": NewSecret("hunter3")}}
	values := []any{c, *c, c.Session, &c.Session.Keys[0], c.Session.Keys[0], c.Providers[0].ClientSecret, &c.Providers[0].ClientSecret, h, &h, []holder{h}}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s", "%t"} {
			discloses(t, fmt.Sprintf("%s of a %T", verb, v), fmt.Sprintf(verb, v))
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T as JSON: %v", v, err)
		}
		discloses(t, fmt.Sprintf("%T as JSON", v), string(text))
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("settings", "value", v)
		discloses(t, fmt.Sprintf("%T in a log", v), log.String())
	}
	discloses(t, "the bytes of the key", fmt.Sprint(c.Session.Keys[0].Value, c.Session.Keys[1]))
}

func TestNoProblemDisclosesASecret(t *testing.T) {
	secret := func(s string) string { return provider(t, `"client_secret": `+s) }
	key := func(s string) string { return with(t, `{"id": "k", "env": "POSTERN_KEY"}`, s) }
	const form = `providers[0].client_secret: must be {"env": "NAME"} or {"value": "…"}`
	tests := []struct {
		name, settings string
		want           string
	}{
		{"a secret without its object", secret(`"hunter2"`), form},
		{"a secret as a key", secret(`{"hunter2": "value"}`), form},
		{"a secret from two places", secret(`{"value": "hunter2", "env": "SHOP_CLIENT_SECRET"}`), form},
		{"a secret given twice", secret(`{"value": "hunter2", "value": "hunter3"}`), form},
		{"a secret in a list", secret(`["hunter2"]`), form},
		{"no secret", secret(`{}`), form},
		{"a secret that is an object", secret(`{"value": {"hunter2": 1}}`),
			`providers[0].client_secret.value: must be a string, not an object`},
		{"a secret with a line break", secret(`{"value": "hunter2\n"}`),
			`providers[0].client_secret.value: holds a line break or another control character`},
		{"a secret where the variable belongs", secret(`{"env": "hunter2"}`),
			`providers[0].client_secret.env: the variable of this name is not set in the VM's environment (vm_config.environment_variables)`},
		{"a secret where the variable belongs, with other characters", secret(`{"env": "hunter2!"}`),
			`providers[0].client_secret.env: is not the name of an environment variable; the secret itself belongs under "value"`},
		{"a variable with two lines", secret(`{"env": "TWO_LINES"}`),
			`providers[0].client_secret.env: the variable TWO_LINES holds a line break or another control character`},
		{"a variable that is not set", secret(`{"env": "NOT_SET"}`),
			`providers[0].client_secret.env: the variable NOT_SET is not set in the VM's environment (vm_config.environment_variables)`},
		{"a key where its variable belongs", key(`{"id": "k", "env": "` + keyA + `"}`),
			`session.keys[0].env: is not the name of an environment variable; the secret itself belongs under "value"`},
		{"a key as a key", key(`{"id": "k", "` + keyA + `": 1, "` + keyA + `": 2}`),
			`session.keys[0]: holds an unknown key; known here: id, env, value`},
		{"a key that is not base64", key(`{"id": "k", "value": "hunter2"}`),
			`session.keys[0].value: the key is not base64; make one with "openssl rand -base64 32"`},
		{"a secret under a mistyped key", provider(t, `"client_secrt": {"value": "hunter2"}`),
			`providers[0].client_secrt: unknown key; did you mean "client_secret"?`},
		{"a password in an address", top(t, `"public_url": "https://me:hunter2@auth.example.com"`),
			`public_url: must be an absolute address such as "https://id.example.com", without user and password`},
		{"a password in an address that nobody can read", top(t, `"public_url": "https://me:hunter2@auth example.com"`),
			`public_url: must be an absolute address such as "https://id.example.com"`},
		{"a secret at which the JSON breaks", `{"client_secret": hunter2}`,
			`the settings are not valid JSON at line 1, column 19`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, tt.settings, tt.want)
			discloses(t, "what is wanted here", tt.want)
		})
	}
}
