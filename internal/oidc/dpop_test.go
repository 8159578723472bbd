package oidc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// ring is a set of keys, the first of which is the current one.
type ring []*ecdsa.PrivateKey

func newRing(n int) (r ring) {
	for range n {
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		r = append(r, key)
	}
	return r
}

func (r ring) Current() string { return "k0" }

func (r ring) Key(id string) *ecdsa.PrivateKey {
	for i := range r {
		if id == "k"+string(rune('0'+i)) {
			return r[i]
		}
	}
	return nil
}

// bound returns a provider whose tokens are bound to the first of some keys, and
// the keys.
func (f *fake) bound(extra string, keys int) (*Provider, ring) {
	f.t.Helper()
	p, r := f.learned(extra), newRing(keys)
	p.settings.TokenBinding, p.ProofKeys = "dpop", r
	return p, r
}

// proofOf verifies the proof of a call by the very key that is wanted, and
// returns what it says but for its id, which no other proof may have.
func proofOf(t *testing.T, c flow.Call, key *ecdsa.PrivateKey) (claims map[string]any, id string) {
	t.Helper()
	raw, _ := c.Header.Get("dpop")
	token, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	payload, err := token.Verify(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	header := token.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != "dpop+jwt" || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() || !key.PublicKey.Equal(header.JSONWebKey.Key) {
		t.Errorf("header %v", header)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	id, _ = claims["jti"].(string)
	delete(claims, "jti")
	return claims, id
}

// dpopAnswer is that of a token endpoint.
func dpopAnswer() map[string]any { return with(tokenAnswer(), "token_type", "DPoP") }

// withNonce is an answer that brings a nonce.
func withNonce(r flow.Response, nonce string, more ...httpmsg.Field) flow.Response {
	r.Header = append(slices.Clone(r.Header), append(more, httpmsg.Field{Name: "dpop-nonce", Value: nonce})...)
	return r
}

// These are the examples of RFC 9449: the key of section 4.1, its thumbprint as
// in section 6.1, and the token and its hash of section 7.1.
func TestHashesAreThoseOfTheSpecification(t *testing.T) {
	const token, hash = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
	f := newFake(t)
	p, keys := f.bound("", 1)
	f.on("/userinfo", jsonAnswer(200, map[string]any{"sub": "u-1"}), nil)
	if _, err := p.Userinfo(f.env(), Access{Token: token, Proof: "k0"}, "u-1"); err != nil {
		t.Fatal(err)
	}
	if claims, _ := proofOf(t, f.last, keys[0]); claims["ath"] != hash {
		t.Errorf("ath is %v", claims["ath"])
	}
	x, err := base64.RawURLEncoding.DecodeString("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs")
	if err != nil {
		t.Fatal(err)
	}
	y, err := base64.RawURLEncoding.DecodeString("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		t.Fatal(err)
	}
	thumbprint, err := binding{"", &ecdsa.PrivateKey{PublicKey: *public}}.thumbprint()
	if err != nil || thumbprint != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("the thumbprint is %s, %v", thumbprint, err)
	}
}

func TestAProofIsForOneCallToOneAddressWithoutItsQuery(t *testing.T) {
	ath := "R8PYaIQdcYEdkSc9TeGyiUqSAedmCQuOQImPRh1E3HI" // SHA-256 of at-1, by OpenSSL
	for name, c := range map[string]struct {
		ask  func(*Provider, flow.Env) error
		want map[string]any
	}{
		"a code exchange": {func(p *Provider, env flow.Env) error {
			_, err := p.Exchange(env, "c-1", redirectURI, "v-1")
			return err
		}, map[string]any{"htm": "POST", "htu": "https://id.example.com/token"}},
		"a refresh": {func(p *Provider, env flow.Env) error {
			_, err := p.Refresh(env, Access{Token: "rt-0"})
			return err
		}, map[string]any{"htm": "POST", "htu": "https://id.example.com/token"}},
		"userinfo": {func(p *Provider, env flow.Env) error {
			_, err := p.Userinfo(env, Access{Token: "at-1", Proof: "k0"}, "u-1")
			return err
		}, map[string]any{"htm": "GET", "htu": "https://id.example.com/userinfo", "ath": ath}},
		"a confirmation": {func(p *Provider, env flow.Env) error {
			_, err := p.Confirm(env, Access{Token: "at-1", Proof: "k0"}, "u-1")
			return err
		}, map[string]any{"htm": "GET", "htu": "https://id.example.com/userinfo", "ath": ath}},
		"a question": {func(p *Provider, env flow.Env) error {
			_, err := p.Ask(env, "q", Question{Method: "POST", URL: "https://id.example.com/ask?a=b", MaxPages: 1, MaxBytes: 1024}, Access{Token: "at-1", Proof: "k0"})
			return err
		}, map[string]any{"htm": "POST", "htu": "https://id.example.com/ask", "ath": ath}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p, keys := f.bound("", 1)
			p.meta.token.path += "?realm=main"
			f.on("/token", jsonAnswer(200, dpopAnswer()), nil)
			f.on("/userinfo", jsonAnswer(200, map[string]any{"sub": "u-1"}), nil)
			f.on("/ask", jsonAnswer(200, map[string]any{}), nil)
			var ids []string
			for range 2 {
				if err := c.ask(p, f.env()); err != nil {
					t.Fatal(err)
				}
				got, id := proofOf(t, f.last, keys[0])
				if diff := cmp.Diff(with(c.want, "iat", float64(f.now.Unix())), got); diff != "" {
					t.Errorf("the proof (-want +got):\n%s", diff)
				}
				ids = append(ids, id)
			}
			if ids[0] == ids[1] || len(ids[0]) < 16 {
				t.Errorf("ids %q", ids)
			}
			if authorization, _ := f.last.Header.Get("authorization"); c.want["ath"] != nil && authorization != "DPoP at-1" {
				t.Errorf("authorization: %s", authorization)
			}
		})
	}
}

func TestTheTokenOfABoundLoginNamesItsKey(t *testing.T) {
	f := newFake(t)
	p, _ := f.bound("", 1)
	f.on("/token", jsonAnswer(200, with(tokenAnswer(), "token_type", "dpop")), nil) // the case does not matter
	tokens, err := p.Exchange(f.env(), "c-1", redirectURI, "v-1")
	if err != nil || tokens.Proof != "k0" {
		t.Errorf("bound to %q, %v", tokens.Proof, err)
	}
	f.on("/token", jsonAnswer(200, tokenAnswer()), nil)
	if _, err := p.Exchange(f.env(), "c-1", redirectURI, "v-1"); Reason(err) != "token_not_bound" || Temporary(err) {
		t.Errorf("a token for anybody: %v", err)
	}
	if _, err := p.Refresh(f.env(), Access{Token: "rt-1"}); Reason(err) != "token_not_bound" || !Unknown(err) {
		t.Errorf("a refreshed token for anybody: %v", err)
	}
}

func TestAServicesTokenIsNotBound(t *testing.T) {
	f := newFake(t)
	p, _ := f.bound("", 1)
	f.on("/token", jsonAnswer(200, tokenAnswer()), nil)
	tokens, err := p.ClientCredentials(f.env(), Grant{})
	if _, proved := f.last.Header.Get("dpop"); err != nil || tokens.Proof != "" || proved {
		t.Errorf("bound to %q, proved: %v, %v", tokens.Proof, proved, err)
	}
}

func TestARefreshIsProvedByTheKeyThatTheRefreshTokenIsBoundTo(t *testing.T) {
	for name, c := range map[string]struct {
		auth, was, want string
	}{
		"a client that proves itself moves on to the current key": {"client_secret_basic", "k1", "k0"},
		"a public client stays with its key":                      {"none", "k1", "k1"},
		"a public client whose key is gone tries the current one": {"none", "k7", "k0"},
		"a session from before tokens were bound":                 {"none", "", "k0"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p, keys := f.bound("", 2)
			p.settings.ClientAuth = c.auth
			f.on("/token", jsonAnswer(200, dpopAnswer()), nil)
			tokens, err := p.Refresh(f.env(), Access{Token: "rt-0", Proof: c.was})
			if err != nil || tokens.Proof != c.want {
				t.Fatalf("bound to %q, %v", tokens.Proof, err)
			}
			proofOf(t, f.last, keys.Key(c.want))
		})
	}
}

func TestATokenWhoseKeyIsGoneIsAsGoodAsRefused(t *testing.T) {
	f := newFake(t)
	p, _ := f.bound("", 1)
	if _, err := p.Confirm(f.env(), Access{Token: "at-1", Proof: "k9"}, "u-1"); Reason(err) != "token_refused" || Temporary(err) {
		t.Errorf("got %v", err)
	}
	if f.calls["/userinfo"] != 0 {
		t.Error("the token was sent without a proof")
	}
}

func TestWithoutAProofNothingIsSent(t *testing.T) {
	for name, spoil := range map[string]func(*Provider){
		"no keys":       func(p *Provider) { p.ProofKeys = nil },
		"no such key":   func(p *Provider) { p.ProofKeys = ring{} },
		"no randomness": func(p *Provider) { p.random = bytes.NewReader(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p, _ := f.bound("", 1)
			spoil(p)
			_, err := p.Refresh(f.env(), Access{Token: "rt-0"})
			if Reason(err) != "proof_not_made" || !Temporary(err) || Unknown(err) || f.calls["/token"] != 0 {
				t.Errorf("got %v after %d calls", err, f.calls["/token"])
			}
		})
	}
}

// wantsNonce answers as a provider does that demands the nonce which want returns.
func (f *fake) wantsNonce(t *testing.T, path string, key *ecdsa.PrivateKey, want func() string, refusal, good flow.Response) {
	f.answers[path] = func(c flow.Call) (flow.Response, error) {
		nonce := want()
		if claims, _ := proofOf(t, c, key); claims["nonce"] != nonce {
			return withNonce(refusal, nonce), nil
		}
		return good, nil
	}
}

var (
	tokenNonceWanted    = jsonAnswer(400, map[string]any{"error": "use_dpop_nonce"})
	resourceNonceWanted = flow.Response{Status: 401, Header: httpmsg.Fields{{Name: "www-authenticate", Value: `DPoP error="use_dpop_nonce"`}}}
)

func TestANonceThatTheProviderWantsIsSentWithTheNextTry(t *testing.T) {
	f := newFake(t)
	p, keys := f.bound(keyed(t, edKey, ``), 1)
	nonce := func() string { return "nonce-1" }
	f.wantsNonce(t, "/token", keys[0], nonce, tokenNonceWanted, jsonAnswer(200, dpopAnswer()))
	f.wantsNonce(t, "/userinfo", keys[0], nonce, resourceNonceWanted, jsonAnswer(200, map[string]any{"sub": "u-1"}))
	var assertions []string
	answer := f.answers["/token"]
	f.answers["/token"] = func(c flow.Call) (flow.Response, error) {
		assertions = append(assertions, form(t, c).Get("client_assertion"))
		return answer(c)
	}
	if _, err := p.Exchange(f.env(), "c-1", redirectURI, "v-1"); err != nil || f.calls["/token"] != 2 {
		t.Fatalf("%d calls, %v", f.calls["/token"], err)
	}
	if assertions[0] == assertions[1] {
		t.Error("an assertion was used twice")
	}
	// The nonce is that of the origin, so userinfo needs no second try.
	if _, err := p.Userinfo(f.env(), Access{Token: "at-1", Proof: "k0"}, "u-1"); err != nil || f.calls["/userinfo"] != 1 {
		t.Errorf("userinfo: %d calls, %v", f.calls["/userinfo"], err)
	}
	p.nonces = nil
	if _, err := p.Userinfo(f.env(), Access{Token: "at-1", Proof: "k0"}, "u-1"); err != nil || f.calls["/userinfo"] != 3 {
		t.Errorf("userinfo anew: %d calls, %v", f.calls["/userinfo"], err)
	}
}

func TestThereIsOneMoreTryAndNoThird(t *testing.T) {
	f := newFake(t)
	p, keys := f.bound("", 1)
	n := 0
	always := func() string { n++; return "nonce-" + strings.Repeat("x", n) }
	f.wantsNonce(t, "/token", keys[0], always, tokenNonceWanted, flow.Response{})
	f.wantsNonce(t, "/userinfo", keys[0], always, resourceNonceWanted, flow.Response{})
	if _, err := p.Refresh(f.env(), Access{Token: "rt-0"}); Reason(err) != "provider_use_dpop_nonce" || !Temporary(err) || f.calls["/token"] != 2 {
		t.Errorf("%d calls, %v", f.calls["/token"], err)
	}
	if _, err := p.Userinfo(f.env(), Access{Token: "at-1", Proof: "k0"}, "u-1"); Reason(err) != "status_401" || f.calls["/userinfo"] != 2 {
		t.Errorf("%d calls, %v", f.calls["/userinfo"], err)
	}
}

func TestOnlyTheWordOfTheProviderLeadsToASecondTry(t *testing.T) {
	dpop := httpmsg.Field{Name: "www-authenticate", Value: `DPoP error="invalid_token"`}
	for name, answer := range map[string]flow.Response{
		"without a nonce":           tokenNonceWanted,
		"with another error":        withNonce(jsonAnswer(400, map[string]any{"error": "invalid_grant"}), "n"),
		"with a page":               withNonce(rawAnswer(400, "text/html", "use_dpop_nonce"), "n"),
		"a token that is refused":   withNonce(flow.Response{Status: 401}, "n", dpop),
		"a server's word, no nonce": resourceNonceWanted,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p, _ := f.bound("", 1)
			f.on("/token", answer, nil)
			f.on("/userinfo", answer, nil)
			if _, err := p.Refresh(f.env(), Access{Token: "rt-0"}); err == nil || f.calls["/token"] != 1 {
				t.Errorf("token: %d calls, %v", f.calls["/token"], err)
			}
			if _, err := p.Userinfo(f.env(), Access{Token: "at-1", Proof: "k0"}, "u-1"); err == nil || f.calls["/userinfo"] != 1 {
				t.Errorf("userinfo: %d calls, %v", f.calls["/userinfo"], err)
			}
		})
	}
}

func TestNoncesAreKeptByOriginAndBounded(t *testing.T) {
	f := newFake(t)
	p, keys := f.bound(`,"clusters":{"api.example.com":"api"}`, 1)
	ask := func(address string) map[string]any {
		t.Helper()
		_, err := p.Ask(f.env(), "q", Question{URL: address, MaxPages: 1, MaxBytes: 1024}, Access{Token: "at-1", Proof: "k0"})
		if err != nil {
			t.Fatal(err)
		}
		claims, _ := proofOf(t, f.last, keys[0])
		return claims
	}
	f.on("/a", withNonce(jsonAnswer(200, map[string]any{}), "of-id"), nil)
	ask("https://id.example.com/a")
	if got := ask("https://ID.example.com/a")["nonce"]; got != "of-id" {
		t.Errorf("a nonce that came with an answer: %v", got)
	}
	if got := ask("https://api.example.com/a")["nonce"]; got != nil {
		t.Errorf("another origin's nonce: %v", got)
	}
	for name, bad := range map[string]string{
		"too long": strings.Repeat("n", maxNonce+1), "quoted": `a"b`, "with a space": "a b", "beyond ASCII": "ä", "empty": "",
	} {
		p.nonces = nil
		f.on("/a", withNonce(jsonAnswer(200, map[string]any{}), bad), nil)
		ask("https://id.example.com/a")
		if len(p.nonces) != 0 {
			t.Errorf("%s: kept", name)
		}
	}
}
