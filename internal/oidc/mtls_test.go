package oidc

import (
	"testing"

	"github.com/postern-auth/postern/internal/config"
)

func TestWhereACertificateIsShownTheAddressesForThatAreTaken(t *testing.T) {
	aliases := map[string]any{
		"token_endpoint": "https://mtls.example.com/token", "userinfo_endpoint": "https://mtls.example.com/userinfo",
		"revocation_endpoint": "https://mtls.example.com/revoke", "introspection_endpoint": "https://mtls.example.com/introspect",
		"pushed_authorization_request_endpoint": "https://mtls.example.com/par", "device_authorization_endpoint": 7,
	}
	for name, c := range map[string]struct {
		set     func(*config.Provider)
		aliases any
		cluster string
	}{
		"to know the client by its authority":  {func(s *config.Provider) { s.ClientAuth = "tls_client_auth" }, aliases, "mtls"},
		"to know the client by its own":        {func(s *config.Provider) { s.ClientAuth = "self_signed_tls_client_auth" }, aliases, "mtls"},
		"to bind tokens":                       {func(s *config.Provider) { s.TokenBinding = "mtls" }, aliases, "mtls"},
		"for neither":                          {func(*config.Provider) {}, aliases, "idp"},
		"where there are none":                 {func(s *config.Provider) { s.TokenBinding = "mtls" }, nil, "idp"},
		"where they are of no use":             {func(s *config.Provider) { s.TokenBinding = "mtls" }, []string{"x"}, "idp"},
		"where one is, and is not even a text": {func(s *config.Provider) { s.TokenBinding = "mtls" }, map[string]any{"token_endpoint": nil}, "idp"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			meta := f.metadata()
			for _, name := range []string{"revocation_endpoint", "introspection_endpoint", "pushed_authorization_request_endpoint"} {
				meta[name] = "https://id.example.com/" + name
			}
			f.on("/realms/main/.well-known/openid-configuration", jsonAnswer(200, with(meta, "mtls_endpoint_aliases", c.aliases)), nil)
			p := f.provider(`,"clusters":{"mtls.example.com":"mtls"}`)
			c.set(p.settings)
			p.Learn(f.env())
			if !p.Known() {
				t.Fatal("the provider is not known")
			}
			m := p.meta
			for name, e := range map[string]*endpoint{"token": &m.token, "userinfo": m.userinfo, "revocation": m.revocation, "introspection": m.introspection, "pushed": m.pushed} {
				if e == nil || e.cluster != c.cluster {
					t.Errorf("%s: %+v", name, e)
				}
			}
			if m.jwks.cluster != "idp" {
				t.Errorf("keys: %+v", m.jwks)
			}
		})
	}
}

func TestAClientWithACertificateNamesItselfAndProvesNothingElse(t *testing.T) {
	for _, method := range []string{"tls_client_auth", "self_signed_tls_client_auth"} {
		for what, proof := range proofs {
			t.Run(method+" for "+what, func(t *testing.T) {
				f := newFake(t)
				p := f.asking("")
				p.settings.ClientAuth = method
				if err := proof.ask(p, f.env()); err != nil {
					t.Fatal(err)
				}
				v := form(t, f.last)
				if _, basic := f.last.Header.Get("authorization"); basic || v.Get("client_id") != "shop" || proves(v) {
					t.Error("the client does not name itself, or it proves something else")
				}
			})
		}
	}
}
