package bearer

import (
	"crypto/rand"
	"testing"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/oidc"
)

func TestATokenIsJudgedByTheProviderThatSpeaksForItsIssuer(t *testing.T) {
	const (
		one, other, third = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-2222-3333-4444-555555555555"
		entra             = "https://login.microsoftonline.com/"
	)
	c, err := config.Parse([]byte(`{"providers": [
		{"name": "many", "type": "entra", "tenant": "organizations", "tenants": ["`+one+`", "`+other+`"], "cluster": "entra", "client_id": "a"},
		{"name": "one", "type": "entra", "tenant": "`+one+`", "cluster": "entra", "client_id": "b"},
		{"name": "main", "issuer": "https://id.example.com", "cluster": "idp"}],
		"hosts": ["app.example.com"], "session": {"keys": [{"id": "k", "value": "u3ZbQ0Zc8r1n2kqj5mXoU4wq7eYt9aS6dF0gHjKlZxc="}]}}`),
		func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	v := &Verifier{byIssuer: map[string]*entry{}}
	for i := range c.Providers {
		e := &entry{provider: oidc.NewProvider(&c.Providers[i], rand.Reader)}
		v.entries, v.byIssuer[e.provider.Issuer()] = append(v.entries, e), e
	}
	for issuer, want := range map[string]string{
		"https://id.example.com":                 "main",
		entra + one + "/v2.0":                    "one", // it is that one's own
		entra + other + "/v2.0":                  "many",
		"https://sts.windows.net/" + other + "/": "many",
		entra + third + "/v2.0":                  "",
		"https://id.example.com/":                "",
		"":                                       "",
	} {
		got := ""
		if e := v.entryOf(issuer); e != nil {
			got = e.provider.Name()
		}
		if got != want {
			t.Errorf("%q is judged by %q, want %q", issuer, got, want)
		}
	}
}
