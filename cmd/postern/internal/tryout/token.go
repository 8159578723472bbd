package tryout

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// bearer is a token, and how it is shown.
type bearer struct {
	token   string
	proving *signer // of the key that it is bound to (RFC 9449); nil where it is to none
}

// tryToken tries out a request that brings a token.
func (w *world) tryToken(c *Case, r *httpmsg.Request) (*Outcome, error) {
	p, b, err := w.issuerOf(c.Claims)
	if err != nil {
		return nil, err
	}
	t, err := w.issue(p, b, c.Claims)
	if err != nil {
		return nil, err
	}
	w.admit(r, b, c.Claims)
	plain := r.Header
	if err := w.show(r, c, t, ""); err != nil {
		return nil, err
	}
	if t.proving != nil && b.DPoP.Nonce { // RFC 9449, section 9
		v, err := w.handle(r)
		if err != nil {
			return nil, err
		}
		r.Header = plain
		if err := w.show(r, c, t, nonceOf(v)); err != nil {
			return nil, err
		}
	}
	return w.decide(c, r, &browser{})
}

func nonceOf(v gate.Verdict) string {
	if v.Respond == nil {
		return ""
	}
	nonce, _ := v.Respond.Header.Get("dpop-nonce")
	return nonce
}

// issuerOf is the provider that claims are of, and the settings for its tokens.
func (w *world) issuerOf(c Claims) (*provider, *config.Bearer, error) {
	for i := range w.settings.Bearer {
		b := &w.settings.Bearer[i]
		if p := w.providers[b.Provider]; c.names(p.settings) {
			return p, b, nil
		}
	}
	if len(w.settings.Bearer) == 0 { // the gate looks at no token
		p := w.providers[w.settings.Providers[0].Name]
		return p, &config.Bearer{Types: []string{"JWT"}, Algorithms: p.settings.Algorithms}, nil
	}
	return nil, nil, fmt.Errorf("the claims are of an issuer (iss) whose tokens are not accepted")
}

// issue makes a token, bound as the settings demand.
func (w *world) issue(p *provider, b *config.Bearer, c Claims) (t bearer, err error) {
	claims := c.bearer(p.settings, b, w.now())
	switch b.Bound {
	case "certificate", "always":
		claims["cnf"] = map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(w.showCertificate())}
	case "dpop":
		if t.proving, err = newSigner("ES256"); err != nil {
			return t, err
		}
		thumbprint, err := t.proving.key.Thumbprint(crypto.SHA256)
		if err != nil {
			return t, err
		}
		claims["cnf"] = map[string]string{"jkt": base64.RawURLEncoding.EncodeToString(thumbprint)}
	}
	typ := "JWT"
	if slices.Contains(b.Types, "at+jwt") {
		typ = "at+jwt"
	}
	t.token, err = p.accessToken(typ, quickest(b.Algorithms), claims)
	return t, err
}

// admit has a request come from whom its token was given to.
func (w *world) admit(r *httpmsg.Request, b *config.Bearer, c Claims) {
	if name := b.ClientIDHeader; name != "" {
		if _, given := r.Header.Get(name); !given {
			r.Header = append(r.Header, httpmsg.Field{Name: name, Value: c.client()})
		}
	}
	if b.ClientAddress {
		w.address = c.text("clientAddress")
		if w.address == "" {
			w.address = c.text("clientHost")
		}
	}
}

// show puts a token into a request, with the proof that it takes.
func (w *world) show(r *httpmsg.Request, c *Case, t bearer, nonce string) error {
	if t.proving == nil {
		r.Header = append(r.Header, httpmsg.Field{Name: "authorization", Value: "Bearer " + t.token})
		return nil
	}
	scheme := "https"
	if w.settings.InsecureHTTPCookies {
		scheme = "http"
	}
	hash := sha256.Sum256([]byte(t.token))
	claims := Claims{
		"jti": nonce + "1", "htm": r.Method, "htu": scheme + "://" + c.URL.Authority + c.URL.Path(),
		"iat": w.now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(hash[:]),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	proof, err := signWith(
		jose.SigningKey{Algorithm: jose.ES256, Key: t.proving.key.Key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"), claims)
	if err != nil {
		return err
	}
	r.Header = append(r.Header, httpmsg.Field{Name: "authorization", Value: "DPoP " + t.token}, httpmsg.Field{Name: "dpop", Value: proof})
	return nil
}
