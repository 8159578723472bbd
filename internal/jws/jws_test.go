package jws

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const limit = 4 << 10

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, MinRSABits)
	if err != nil {
		panic(err)
	}
	return key
})

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func brackets(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestATokenHasOneSpellingAndBounds(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"
	for name, c := range map[string]struct {
		raw  string
		want error
	}{
		"a token":                      {token, nil},
		"one as long as is looked at":  {token + strings.Repeat("A", limit-len(token)-len(token)%4+1), nil},
		"one that is longer":           {token + strings.Repeat("A", limit), ErrTooLarge},
		"a header as long":             {strings.Repeat("A", maxHeader) + ".e30.AAAA", nil},
		"a header that is longer":      {strings.Repeat("A", maxHeader+1) + ".e30.AAAA", ErrTooLarge},
		"a header as deep":             {b64(brackets(maxHeaderNesting)) + ".e30.AAAA", nil},
		"a header that is deeper":      {b64(brackets(maxHeaderNesting+1)) + ".e30.AAAA", ErrMalformed},
		"bits that nobody reads":       {token[:len(token)-4] + "AAB", ErrMalformed},
		"padding":                      {strings.Replace(token, ".AAAA", ".AAA=", 1), ErrMalformed},
		"the other alphabet":           {strings.Replace(token, ".AAAA", ".A+/A", 1), ErrMalformed},
		"a line break":                 {strings.Replace(token, ".AAAA", ".AA\nAA", 1), ErrMalformed},
		"a carriage return at the end": {token + "\r", ErrMalformed},
		"a space before it":            {" " + token, ErrMalformed},
		"no header":                    {".e30.AAAA", ErrMalformed},
		"no payload":                   {strings.Replace(token, "e30", "", 1), ErrMalformed},
		"no signature":                 {strings.TrimSuffix(token, "AAAA"), ErrMalformed},
		"two parts":                    {strings.TrimSuffix(token, ".AAAA"), ErrMalformed},
		"four parts":                   {token + ".AAAA", ErrMalformed},
		"a dot at the end":             {token + ".", ErrMalformed},
		"dots":                         {strings.Repeat(".", limit), ErrMalformed},
		"nothing":                      {"", ErrMalformed},
		"a payload, however deep":      {strings.Replace(token, "e30", b64(brackets(500)), 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Split(c.raw, limit); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestATokenIsTakenApart(t *testing.T) {
	c, err := Split(b64(`{"alg":"RS256","kid":"k"}`)+"."+b64("payload")+".AAAA", limit)
	if err != nil || string(c.Header) != `{"alg":"RS256","kid":"k"}` || string(c.Payload) != "payload" {
		t.Fatalf("%+v, %v", c, err)
	}
	token, err := c.Parse([]jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if token.Algorithm != jose.RS256 || token.Header.KeyID != "k" || string(token.Unverified()) != "payload" {
		t.Errorf("%+v", token)
	}
}

func TestAHeaderIsOfAWantedAlgorithmAndWithoutExtensions(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"a wanted algorithm":     {`{"alg":"RS256"}`, nil},
		"another":                {`{"alg":"RS512"}`, ErrMalformed},
		"none":                   {`{"alg":"none"}`, ErrMalformed},
		"no algorithm":           {`{}`, ErrMalformed},
		"an algorithm twice":     {`{"alg":"RS256","alg":"RS256"}`, ErrMalformed},
		"what must be known":     {`{"alg":"RS256","crit":["exp"],"exp":1}`, ErrExtension},
		"a payload as it is":     {`{"alg":"RS256","crit":["b64"],"b64":false}`, ErrExtension},
		"and not marked as such": {`{"alg":"RS256","b64":false}`, ErrExtension},
		"no object":              {`["alg"]`, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			parts, err := Split(b64(c.header)+".e30.AAAA", limit)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parts.Parse([]jose.SignatureAlgorithm{jose.RS256}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// signed returns a token that testKey has signed: with salt bytes of salt, or as
// PKCS #1 v1.5 has it where that is 0.
func signed(t *testing.T, alg jose.SignatureAlgorithm, hash crypto.Hash, salt int) *Token {
	t.Helper()
	input := b64(`{"alg":"`+string(alg)+`"}`) + ".e30"
	h := hash.New()
	h.Write([]byte(input))
	var how crypto.SignerOpts = hash
	if salt > 0 {
		how = &rsa.PSSOptions{SaltLength: salt, Hash: hash}
	}
	sig, err := testKey().Sign(rand.Reader, h.Sum(nil), how)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Split(input+"."+b64(string(sig)), limit)
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.Parse([]jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestASignatureIsVerifiedByAKeyThatFitsAndWithTheSaltOfItsHashsSize(t *testing.T) {
	public := jose.JSONWebKey{Key: &testKey().PublicKey}
	named := func(alg string) jose.JSONWebKey { return jose.JSONWebKey{Key: public.Key, Algorithm: alg} }
	for name, c := range map[string]struct {
		alg  jose.SignatureAlgorithm
		hash crypto.Hash
		salt int
		key  jose.JSONWebKey
		ok   bool
	}{
		"RS256":                       {jose.RS256, crypto.SHA256, 0, public, true},
		"RS256 by its key":            {jose.RS256, crypto.SHA256, 0, named("RS256"), true},
		"RS256 by the key of another": {jose.RS256, crypto.SHA256, 0, named("PS256"), false},
		"RS256 by a secret":           {jose.RS256, crypto.SHA256, 0, jose.JSONWebKey{Key: []byte("secret")}, false},
		"RS256 with another hash":     {jose.RS256, crypto.SHA512, 0, public, false},
		"PS256":                       {jose.PS256, crypto.SHA256, 32, public, true},
		"PS384":                       {jose.PS384, crypto.SHA384, 48, public, true},
		"PS512":                       {jose.PS512, crypto.SHA512, 64, public, true},
		"PS256 with less salt":        {jose.PS256, crypto.SHA256, 20, public, false},
		"PS256 with more salt":        {jose.PS256, crypto.SHA256, 64, public, false},
		"PS512 with less salt":        {jose.PS512, crypto.SHA512, 32, public, false},
		"PS256 that is RS256":         {jose.PS256, crypto.SHA256, 0, public, false},
		"PS256 by the key of another": {jose.PS256, crypto.SHA256, 32, named("RS256"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := signed(t, c.alg, c.hash, c.salt).Verify(&c.key); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSignature) {
				t.Errorf("got %v", err)
			}
		})
	}
}
