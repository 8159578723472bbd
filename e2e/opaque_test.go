package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The services' addresses, as tokens name them: those for the second are signed.
const (
	opaqueResource = "https://orders.example.com"
	signedResource = "https://orders.example.com/signed"
)

// lab is oidc-provider with services of each kind.
type lab struct {
	*Provider
	a, b Service // the one that calls, and the one that asks about its tokens
	app  *App
	tap  *Tap
}

// clientSecret is long enough to sign with (RFC 7518, section 3.2).
const clientSecret = "a-client-secret-of-more-than-32-bytes"

func newLab(t *testing.T) *lab {
	t.Helper()
	p := startServiceProvider(t,
		Claims{"client_id": "a", "client_secret": clientSecret},
		Claims{"client_id": "certified", "client_secret": clientSecret, "tls_client_certificate_bound_access_tokens": true},
		Claims{"client_id": "b", "client_secret": clientSecret, "introspection_signed_response_alg": "RS256"})
	return &lab{
		Provider: p, app: NewApp(t), tap: NewTap(t, p),
		a: Service{Provider: p, ID: "a", Secret: clientSecret}, b: Service{Provider: p, ID: "b", Secret: clientSecret},
	}
}

// startServiceProvider starts an oidc-provider with services; the test's end
// stops it.
func startServiceProvider(t *testing.T, services ...Claims) *Provider {
	t.Helper()
	p := must(startOIDCProvider("0", string(must(json.Marshal(services))(t))))(t)
	t.Cleanup(p.Close)
	return p
}

// token fetches one for a resource; with a prover it is bound to that key.
func (l *lab) token(t *testing.T, resource string, prover ...*Prover) string {
	t.Helper()
	header := http.Header{}
	for _, p := range prover {
		header.Set("DPoP", p.Proof(t, http.MethodPost, must(l.endpoint("token_endpoint"))(t), "", ""))
	}
	var tokens Tokens
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}, "scope": {"orders"}}
	if err := l.a.Ask("token_endpoint", form, header, &tokens); err != nil {
		t.Fatal(err)
	}
	if bound := len(prover) > 0; bound != (tokens.Type == "DPoP") {
		t.Fatalf("a token of type %s", tokens.Type)
	}
	return tokens.Access
}

// accepts begins to start a gate for a resource, on four workers.
func (l *lab) accepts(t *testing.T, accepted Settings) *Gate {
	t.Helper()
	return launchService(t, EnvoySetup{Workers: 4, App: l.app.Addr(), IDP: l.tap.Addr(), Config: inboundSettings(l.Provider, l.b, accepted)})
}

func TestTokensOfOIDCProvider(t *testing.T) {
	l := newLab(t)
	opaque := l.accepts(t, Settings{
		"audiences": []string{opaqueResource, signedResource}, "check": "auto", "required_claims": Settings{"scope": []string{"orders"}},
		"introspection": Settings{"cache": "2s", "negative_cache": "1s"},
	})
	strict := l.accepts(t, Settings{
		"audiences": []string{opaqueResource}, "check": "introspection",
		"introspection": Settings{"jwt": true}, "dpop": Settings{"nonce": true},
	})
	opaque.mustBeReady(t)
	strict.mustBeReady(t)
	eventuallyServed(t, opaque.URL("/"), bearer(l.token(t, signedResource)))
	eventuallyServed(t, opaque.URL("/"), bearer(l.token(t, opaqueResource)))
	eventuallyServed(t, strict.URL("/"), bearer(l.token(t, opaqueResource)))
	t.Run("1,000 requests at once with one token that nobody has seen make one introspection", func(t *testing.T) { l.oneIntrospection(t, opaque) })
	t.Run("a token that is withdrawn is refused once what was known of it is old", func(t *testing.T) { l.withdrawn(t, opaque) })
	t.Run("a token that nobody gave is asked about once, and refused", func(t *testing.T) { l.madeUp(t, opaque) })
	t.Run("a signed token is not asked about", func(t *testing.T) { l.signed(t, opaque) })
	t.Run("answers are signed", func(t *testing.T) { l.signedAnswers(t, strict) })
	t.Run("a token that is bound to a key needs its proof", func(t *testing.T) { l.bound(t, opaque) })
	t.Run("a nonce is demanded of proofs", func(t *testing.T) { l.nonces(t, strict) })
	checkLog(t, opaque)
	checkLog(t, strict)
}

// many is how many requests come at once with one token.
const many = 1000

func (l *lab) oneIntrospection(t *testing.T, g *Gate) {
	token := l.token(t, opaqueResource)
	before, met := l.tap.Count("introspection"), must(g.workerConnections())(t)
	allAnswered(t, must(NewScript().AtOnce(many, g.URL("/"), bearer(token)))(t), http.StatusOK)
	if n := len(risen(met, must(g.workerConnections())(t))); n != g.Setup.Workers {
		t.Errorf("%d workers served", n)
	}
	if n := l.tap.Count("introspection") - before; n != 1 {
		t.Errorf("%d introspections", n)
	}
}

func (l *lab) withdrawn(t *testing.T, g *Gate) {
	token := l.token(t, opaqueResource)
	checkStatus(t, g, http.StatusOK, bearer(token))
	if err := l.a.Revoke(token); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 10*time.Second, func() error {
		page, err := NewScript().Get(g.URL("/"), bearer(token))
		if err == nil && page.Status != http.StatusUnauthorized {
			err = fmt.Errorf("it still answers %d", page.Status)
		}
		return err
	})
}

func (l *lab) madeUp(t *testing.T, g *Gate) {
	before := l.tap.Count("introspection")
	allAnswered(t, must(NewScript().AtOnce(atOnce, g.URL("/"), bearer("made-up-by-somebody")))(t), http.StatusUnauthorized)
	if n := l.tap.Count("introspection") - before; n != 1 {
		t.Errorf("%d introspections", n)
	}
}

func (l *lab) signed(t *testing.T, g *Gate) {
	before := l.tap.Count("introspection")
	checkStatus(t, g, http.StatusOK, bearer(l.token(t, signedResource)))
	if n := l.tap.Count("introspection") - before; n != 0 {
		t.Errorf("%d introspections", n)
	}
}

func (l *lab) signedAnswers(t *testing.T, g *Gate) {
	checkStatus(t, g, http.StatusOK, bearer(l.token(t, opaqueResource)))
	checkStatus(t, g, http.StatusUnauthorized, bearer("made-up-by-somebody"))
	checkStatus(t, g, http.StatusUnauthorized, bearer(l.token(t, "https://stock.example.com"))) // it is made out to another
}

func (l *lab) bound(t *testing.T, g *Gate) {
	prover, thief := NewProver(t), NewProver(t)
	for _, resource := range []string{opaqueResource, signedResource} {
		token, other := l.token(t, resource, prover), l.token(t, resource, prover)
		proof := func(p *Prover, method, address string) http.Header {
			return proven(token, p.Proof(t, method, address, token, ""))
		}
		here := public(g, "/orders")
		used := proof(prover, http.MethodGet, here)
		var got []int
		for _, header := range []http.Header{
			used,
			used, // once more
			bearer(token),
			{"Authorization": {"DPoP " + token}},
			proof(thief, http.MethodGet, here),
			proof(prover, http.MethodPost, here),
			proof(prover, http.MethodGet, public(g, "/other")),
			proven(token, prover.Proof(t, http.MethodGet, here, other, "")),
			proof(prover, http.MethodGet, here),
		} {
			got = append(got, must(NewScript().Get(g.URL("/orders"), header))(t).Status)
		}
		if diff := cmp.Diff([]int{200, 401, 401, 401, 401, 401, 401, 401, 200}, got); diff != "" {
			t.Errorf("%s: %s", resource, diff)
		}
		l.proofOnce(t, g, proof(prover, http.MethodGet, here))
	}
}

// public is where callers find a path: TLS ends in front of the gate.
func public(g *Gate, path string) string { return strings.Replace(g.URL(path), "http:", "https:", 1) }

// proofOnce brings one proof to all workers at once.
func (l *lab) proofOnce(t *testing.T, g *Gate, header http.Header) {
	t.Helper()
	served := 0
	for _, page := range must(NewScript().AtOnce(64, g.URL("/orders"), header))(t) {
		if page.Status == http.StatusOK {
			served++
		}
	}
	if served != 1 {
		t.Errorf("one proof was good for %d requests", served)
	}
}

func (l *lab) nonces(t *testing.T, g *Gate) {
	prover := NewProver(t)
	token := l.token(t, opaqueResource, prover)
	page := must(NewScript().Get(g.URL("/"), proven(token, prover.Proof(t, http.MethodGet, public(g, "/"), token, ""))))(t)
	nonce, challenge := page.Header.Get("DPoP-Nonce"), page.Header.Get("WWW-Authenticate")
	if page.Status != http.StatusUnauthorized || nonce == "" || !strings.Contains(challenge, `error="use_dpop_nonce"`) {
		t.Fatalf("%d, nonce %q: %s", page.Status, nonce, challenge)
	}
	checkStatus(t, g, http.StatusOK, proven(token, prover.Proof(t, http.MethodGet, public(g, "/"), token, nonce)))
	checkStatus(t, g, http.StatusUnauthorized, proven(token, prover.Proof(t, http.MethodGet, public(g, "/"), token, "made-up")))
}

func checkStatus(t *testing.T, g *Gate, status int, header http.Header) {
	t.Helper()
	if page := must(NewScript().Get(g.URL("/"), header))(t); page.Status != status {
		t.Errorf("%d, not %d: %s %s", page.Status, status, page.Header.Get("WWW-Authenticate"), page.Body)
	}
}
