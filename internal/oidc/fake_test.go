package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

const (
	issuer = "https://id.example.com/realms/main"
	secret = "s3cr3t/with:signs"
)

var testKeys = sync.OnceValue(func() (k struct {
	rsa, other *rsa.PrivateKey
	ec         *ecdsa.PrivateKey
}) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.other, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return k
})

// fake is a provider whose answers a test can replace.
type fake struct {
	t       *testing.T
	now     time.Time
	answers map[string]func(flow.Call) (flow.Response, error)
	calls   map[string]int
	last    flow.Call
	keys    []jose.JSONWebKey
	secret  string // of the client
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, now: time.Unix(1_800_000_000, 0), calls: map[string]int{}, secret: secret}
	f.keys = []jose.JSONWebKey{
		{Key: &testKeys().rsa.PublicKey, KeyID: "r1", Use: "sig", Algorithm: "RS256"},
		{Key: &testKeys().ec.PublicKey, KeyID: "e1", Use: "sig"},
	}
	f.answers = map[string]func(flow.Call) (flow.Response, error){
		"/realms/main/.well-known/openid-configuration": func(flow.Call) (flow.Response, error) {
			return jsonAnswer(200, f.metadata()), nil
		},
		"/keys": func(flow.Call) (flow.Response, error) {
			return jsonAnswer(200, jose.JSONWebKeySet{Keys: f.keys}), nil
		},
	}
	return f
}

func (f *fake) metadata() map[string]any {
	return map[string]any{
		"issuer":                 issuer,
		"authorization_endpoint": "https://id.example.com/auth",
		"token_endpoint":         "https://id.example.com/token",
		"userinfo_endpoint":      "https://id.example.com/userinfo",
		"jwks_uri":               "https://id.example.com/keys",
		"authorization_response_iss_parameter_supported": true,
	}
}

func (f *fake) env() flow.Env {
	return flow.Direct{Clock: func() time.Time { return f.now }, Do: func(c flow.Call) (flow.Response, error) {
		f.last = c
		path, _, _ := strings.Cut(c.Path, "?")
		f.calls[path]++
		answer, ok := f.answers[path]
		if !ok {
			return flow.Response{Status: 404}, nil
		}
		return answer(c)
	}}
}

// on replaces the answer at a path.
func (f *fake) on(path string, r flow.Response, err error) {
	f.answers[path] = func(flow.Call) (flow.Response, error) { return r, err }
}

func jsonAnswer(status int, v any) flow.Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return rawAnswer(status, "application/json", string(body))
}

func rawAnswer(status int, contentType, body string) flow.Response {
	return flow.Response{
		Status: status, Body: []byte(body),
		Header: httpmsg.Fields{{Name: "content-type", Value: contentType}},
	}
}

// provider returns one with the given extra settings, not yet learned.
func (f *fake) provider(extra string) *Provider {
	f.t.Helper()
	settings := `{"providers":[{"name":"main","issuer":"` + issuer + `","cluster":"idp","client_id":"shop",` +
		`"client_secret":{"value":"` + f.secret + `"}` + extra + `}],` +
		`"hosts":["app.example.com"],"session":{"keys":[{"id":"k","value":"` + testKey() + `"}]}}`
	c, err := config.Parse([]byte(settings), func(string) (string, bool) { return "", false })
	if err != nil {
		f.t.Fatal(err)
	}
	return NewProvider(&c.Providers[0], rand.Reader)
}

func testKey() string {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i * 7)
	}
	return base64.StdEncoding.EncodeToString(key)
}

// learned returns a provider that has learned metadata and keys.
func (f *fake) learned(extra string) *Provider {
	f.t.Helper()
	p := f.provider(extra)
	p.OnFailure = func(err error) { f.t.Helper(); f.t.Errorf("learning: %v", err) }
	p.Learn(f.env())
	if !p.Known() {
		f.t.Fatal("the provider is not known")
	}
	return p
}

// claims are those of a good ID token.
func (f *fake) claims() map[string]any {
	return map[string]any{
		"iss": issuer, "sub": "u-1", "aud": "shop", "nonce": "n-1",
		"iat": f.now.Unix(), "exp": f.now.Add(time.Minute).Unix(),
		"at_hash": leftHash(jose.RS256, "at-1"), "sid": "s-1",
	}
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, header map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	opts := &jose.SignerOptions{ExtraHeaders: header}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, opts)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func (f *fake) idToken(claims map[string]any) string {
	return sign(f.t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "JWT"}, claims)
}

// with is a copy of claims with one changed; nil takes it out.
func with(claims map[string]any, name string, value any) map[string]any {
	changed := map[string]any{}
	for k, v := range claims {
		changed[k] = v
	}
	if value == nil {
		delete(changed, name)
	} else {
		changed[name] = value
	}
	return changed
}

func form(t *testing.T, c flow.Call) url.Values {
	t.Helper()
	values, err := url.ParseQuery(string(c.Body))
	if err != nil {
		t.Fatal(err)
	}
	return values
}
