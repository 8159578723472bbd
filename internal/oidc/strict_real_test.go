package oidc

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/idp"
	"github.com/postern-auth/postern/internal/session"
)

// newStrict is a sign-in at an embedded provider that insists: requests are pushed
// and signed, and each proof of possession holds a nonce of the minute.
func newStrict(t *testing.T, client idp.Client, extra string, set func(*Provider)) *real {
	t.Helper()
	r := &real{t: t, now: time.Unix(1_800_000_000, 0)}
	client.ID, client.RedirectURIs, client.Algorithm = "shop", []string{redirectURI}, "ES256"
	client.RequirePushed, client.BoundTokens = true, true
	var err error
	r.idp, err = idp.New(idp.Config{
		Issuer: issuer, Clock: func() time.Time { return r.now }, RequirePushed: true, DPoPNonces: true,
		Clients: []idp.Client{client},
		Users:   []idp.User{{PreferredUsername: "alice", Subject: "u-1", Password: "wonderland"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.p = newFake(t).provider(extra)
	r.p.settings.TokenBinding, r.p.settings.PAR, r.p.ProofKeys = "dpop", "auto", newRing(1)
	set(r.p)
	r.p.OnFailure = func(err error) { t.Errorf("learning: %v", err) }
	r.p.Learn(r.env())
	r.signIn()
	return r
}

func TestAStrictProviderSignsInRenewsAndConfirms(t *testing.T) {
	public := jose.JSONWebKey{Key: edKey.Public()}
	for name, c := range map[string]struct {
		client idp.Client
		extra  string
		set    func(*Provider)
	}{
		"a client with a key that signs its requests": {
			idp.Client{Key: &public, SignedRequests: true}, keyed(t, edKey, ``), func(p *Provider) { p.settings.RequestObject = true },
		},
		"a client with a secret": {idp.Client{Secret: secret}, ``, func(*Provider) {}},
		"a public client":        {idp.Client{}, ``, func(p *Provider) { p.settings.ClientAuth = "none" }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStrict(t, c.client, c.extra, c.set)
			if r.tokens.Proof != "k0" || r.id.Subject != "u-1" {
				t.Fatalf("bound to %q, for %s", r.tokens.Proof, r.id.Subject)
			}
			access := Access{Token: r.tokens.Access, Proof: r.tokens.Proof}
			r.now = r.now.Add(2 * time.Minute) // with it goes the nonce
			if _, err := r.p.Userinfo(r.env(), access, "u-1"); err != nil {
				t.Error(err)
			}
			if _, err := r.p.Confirm(r.env(), Access{Token: access.Token}, "u-1"); Reason(err) != "token_refused" {
				t.Errorf("without a proof: %v", err)
			}
			r.now = r.now.Add(2 * time.Minute)
			renewed, err := r.p.Refresh(r.env(), Access{Token: r.tokens.Refresh, Proof: access.Proof})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.p.Confirm(r.env(), Access{Token: renewed.Access, Proof: renewed.Proof}, "u-1"); err != nil {
				t.Error(err)
			}
			if n := r.idp.Count("refused:use_dpop_nonce"); n != 3 {
				t.Errorf("%d calls came without the nonce of their minute", n)
			}
		})
	}
}

func TestAStrictProviderTakesNothingLess(t *testing.T) {
	public := jose.JSONWebKey{Key: edKey.Public()}
	r := newStrict(t, idp.Client{Key: &public, SignedRequests: true}, keyed(t, edKey, ``), func(p *Provider) { p.settings.RequestObject = true })
	r.p.settings.RequestObject = false
	request := Request{RedirectURI: redirectURI, State: "st", Proof: session.Proof{Verifier: "v", Nonce: "n"}}
	if _, err := r.p.AuthorizationURL(r.env(), request); Reason(err) != "provider_invalid_request" {
		t.Errorf("a request that is not signed: %v", err)
	}
	r.p.settings.TokenBinding = "none"
	if _, err := r.p.Refresh(r.env(), Access{Token: r.tokens.Refresh}); Reason(err) != "provider_invalid_dpop_proof" {
		t.Errorf("a refresh that proves nothing: %v", err)
	}
	if names := slices.Sorted(maps.Keys(r.p.nonces)); !slices.Equal(names, []string{"https://id.example.com"}) {
		t.Errorf("nonces of %q", names)
	}
}
