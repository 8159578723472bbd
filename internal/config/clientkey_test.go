package config

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// seed makes a key whose bytes are easily found in whatever was printed.
var seed = []byte(strings.Repeat("\xa7", ed25519.SeedSize))

// keys are one of each kind.
var keys = sync.OnceValue(func() (k struct {
	rsa, small, large *rsa.PrivateKey
	ec, p384          *ecdsa.PrivateKey
	ed                ed25519.PrivateKey
}) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.small, k.large = mersenne(521, 607), mersenne(2203, 2281)
	k.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	k.ed = ed25519.NewKeyFromSeed(seed)
	return k
})

// mersenne is an RSA key of the two primes 2^p-1 and 2^q-1, which nobody has to
// look for.
func mersenne(p, q uint) *rsa.PrivateKey {
	one := big.NewInt(1)
	prime := func(n uint) *big.Int { return new(big.Int).Sub(new(big.Int).Lsh(one, n), one) }
	phi := new(big.Int).Mul(new(big.Int).Sub(prime(p), one), new(big.Int).Sub(prime(q), one))
	k := &rsa.PrivateKey{Primes: []*big.Int{prime(p), prime(q)}}
	k.N, k.E = new(big.Int).Mul(prime(p), prime(q)), 65537
	k.D = new(big.Int).ModInverse(big.NewInt(65537), phi)
	k.Precompute()
	return k
}

func block(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func pkcs8(key any) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return block("PRIVATE KEY", der)
}

func sec1(key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return block("EC PRIVATE KEY", der)
}

func public(key crypto.Signer) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return block("PUBLIC KEY", der)
}

// jwk is a key as a JSON Web Key with more members, or others in their place.
func jwk(key any, more map[string]any) string {
	text, err := jose.JSONWebKey{Key: key}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	for name, value := range more {
		members[name] = value
	}
	return asJSON(members)
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// keyed is the minimal settings with a client key, and with more.
func keyed(t *testing.T, key, more string) string {
	return provider(t, `"client_key": {"value": `+asJSON(key)+`}`+more)
}

func TestClientKeysThatAreAccepted(t *testing.T) {
	k := keys()
	tests := []struct {
		name, text, more string
		key              crypto.Signer
		algorithm, id    string
	}{
		{"RSA in PKCS #8", pkcs8(k.rsa), ``, k.rsa, "RS256", ""},
		{"RSA in PKCS #1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa)), ``, k.rsa, "RS256", ""},
		{"RSA with the other algorithm and a name", pkcs8(k.rsa), `, "client_key_algorithm": "PS256", "client_key_id": "k1"`, k.rsa, "PS256", "k1"},
		{"P-256 in PKCS #8", pkcs8(k.ec), ``, k.ec, "ES256", ""},
		{"P-256 in SEC 1", sec1(k.ec), ``, k.ec, "ES256", ""},
		{"P-256 with its parameters in front", block("EC PARAMETERS", []byte("\x06\x08*\x86H\xce=\x03\x01\x07")) + sec1(k.ec), ``, k.ec, "ES256", ""},
		{"Ed25519 in PKCS #8", pkcs8(k.ed), ``, k.ed, "EdDSA", ""},
		{"words before the key, and lines that end as on Windows", "localKeyID: 01\r\n" + strings.ReplaceAll(pkcs8(k.ed), "\n", "\r\n"), ``, k.ed, "EdDSA", ""},
		{"RSA as a JSON Web Key", jwk(k.rsa, nil), ``, k.rsa, "RS256", ""},
		{"a JSON Web Key says which algorithm and name", jwk(k.rsa, map[string]any{"alg": "PS256", "kid": "2026-11", "use": "sig"}), ``, k.rsa, "PS256", "2026-11"},
		{"a name that differs from the JSON Web Key's", jwk(k.ec, map[string]any{"kid": "a"}), `, "client_key_id": "b"`, k.ec, "ES256", "b"},
		{"Ed25519 as a JSON Web Key, with blanks around", "\n " + jwk(k.ed, nil) + " \n", ``, k.ed, "EdDSA", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustParse(t, keyed(t, tt.text, tt.more)).Providers[0]
			if got, ok := p.ClientKey.Signer().(interface{ Equal(crypto.PrivateKey) bool }); !ok || !got.Equal(tt.key) {
				t.Error("it is not the key that was given")
			}
			if p.ClientAuth != "private_key_jwt" || p.ClientKeyAlgorithm != tt.algorithm || p.ClientKeyID != tt.id {
				t.Errorf("%s by %s, key id %q", p.ClientAuth, p.ClientKeyAlgorithm, p.ClientKeyID)
			}
		})
	}
}

func TestAClientKeyIsReadFromTheEnvironment(t *testing.T) {
	settings := provider(t, `"client_key": {"env": "SHOP_CLIENT_KEY"}`)
	c, err := Parse([]byte(settings), func(name string) (string, bool) {
		if name == "SHOP_CLIENT_KEY" {
			return pkcs8(keys().rsa), true
		}
		return environment(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Providers[0].ClientKey.Signer().(*rsa.PrivateKey); !ok || !got.Equal(keys().rsa) {
		t.Error("it is not the key of the variable")
	}
	refused(t, settings, `providers[0].client_key.env: the variable SHOP_CLIENT_KEY is not set in the VM's environment (vm_config.environment_variables)`)
}

func TestClientKeysThatAreRefused(t *testing.T) {
	k := keys()
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := strings.Replace(block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa)), "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1)
	const (
		malformed    = "is a JSON Web Key that is malformed or of a kind that is not known"
		malformedPEM = "holds a private key that is malformed or of a kind that is not known"
		neither      = `is neither a key in PEM, which begins with "-----BEGIN PRIVATE KEY-----" and has several lines, nor a JSON Web Key`
		one          = "must hold exactly one key, and no certificates beside it"
		passphrase   = `is encrypted, and there is nobody to ask for the passphrase: write it with "openssl pkey -in key.pem -out plain.pem"`
		size         = "is an RSA key of a size that is not from 2048 to 4096 bits"
	)
	tests := []struct{ name, text, want string }{
		{"a password", "hunter2", neither},
		{"a PEM whose armour was left out", strings.Join(strings.Split(pkcs8(k.rsa), "\n")[1:5], "\n"), neither},
		{"a text without end", strings.Repeat("x", maxClientKey+1), "is longer than 16384 bytes"},
		{"a PEM on one line", strings.ReplaceAll(pkcs8(k.rsa), "\n", ""), "holds PEM that is broken or cut short"},
		{"a PEM cut short", pkcs8(k.rsa)[:600], "holds PEM that is broken or cut short"},
		{"a whole key and one cut short", pkcs8(k.ec) + pkcs8(k.rsa)[:600], "holds PEM that is broken or cut short"},
		{"two keys", pkcs8(k.rsa) + pkcs8(k.ec), one},
		{"a key and its certificate", pkcs8(k.ec) + block("CERTIFICATE", []byte("x")), one},
		{"parameters alone", block("EC PARAMETERS", []byte("x")), one},
		{"a public key", public(k.rsa), "is not a private key"},
		{"a certificate", block("CERTIFICATE", []byte("x")), "is not a private key"},
		{"a key of OpenSSH's", block("OPENSSH PRIVATE KEY", []byte("x")), "is not a private key"},
		{"an encrypted key in PKCS #8", block("ENCRYPTED PRIVATE KEY", []byte("x")), passphrase},
		{"an encrypted key in PKCS #1", encrypted, passphrase},
		{"a label that promises something else", block("RSA PRIVATE KEY", []byte("hunter2")), malformedPEM},
		{"a key for agreements", pkcs8(agreement), "is not an RSA, P-256 or Ed25519 key"},
		{"RSA that is too small", pkcs8(k.small), size},
		{"RSA that is too large", pkcs8(k.large), size},
		{"another curve in PEM", pkcs8(k.p384), "is on another curve than P-256"},
		{"another curve as a JSON Web Key", jwk(k.p384, nil), "is on another curve than P-256"},
		{"a public JSON Web Key", jwk(k.rsa.Public(), nil), "is a public key; the private one is needed"},
		{"a shared secret as a JSON Web Key", jwk([]byte("hunter2hunter2hunter2hunter2hunter2"), nil), "is not an RSA, P-256 or Ed25519 key"},
		{"a set of keys", `{"keys": [` + jwk(k.ec, nil) + `]}`, "is a set of keys; give one of them"},
		{"a JSON Web Key cut short", jwk(k.ec, nil)[:40], "is not a JSON Web Key: it is not JSON, or nested too deep"},
		{"a JSON Web Key that is nested without end", `{"kty":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "is not a JSON Web Key: it is not JSON, or nested too deep"},
		{"a JSON Web Key of a kind that there is not", jwk(k.ec, map[string]any{"kty": "hunter2"}), malformed},
		{"an RSA key without its primes", jwk(k.rsa, map[string]any{"p": nil, "q": nil}), malformed},
		{"an RSA key with another's exponent", jwk(k.rsa, map[string]any{"d": "AQAB"}), malformed},
		{"an Ed25519 key with another's public half", jwk(k.ed, map[string]any{"x": strings.Repeat("A", 43)}), malformed},
		{"a P-256 key with another's public half", jwk(k.ec, map[string]any{"d": strings.Repeat("A", 42) + "E"}), "holds a private key and a public one that do not belong together"},
		{"a P-256 key of zero", jwk(k.ec, map[string]any{"d": strings.Repeat("A", 43)}), "is not a valid key"},
		{"a key for encryption", jwk(k.rsa, map[string]any{"use": "enc"}), `has a "use" other than "sig"`},
		{"an algorithm of another kind of key", jwk(k.ec, map[string]any{"alg": "RS256"}), `has an "alg" other than ES256`},
		{"an algorithm that is not offered", jwk(k.rsa, map[string]any{"alg": "RS512"}), `has an "alg" other than RS256, PS256`},
		{"a name with a line break", jwk(k.ec, map[string]any{"kid": "a\nb"}), `has a "kid" that is not up to 256 printable ASCII characters`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings := keyed(t, tt.text, ``)
			refused(t, settings, "providers[0].client_key.value: "+tt.want)
			_, err := Parse([]byte(settings), environment)
			repeatsNothing(t, tt.text, err.Error())
		})
	}
}

// repeatsNothing checks that a message has nothing of a key's text.
func repeatsNothing(t *testing.T, text, message string) {
	t.Helper()
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune("\n\",:{}[]- ", c) }) {
		if len(word) > 12 && strings.Contains(message, word) || word == "hunter2" && strings.Contains(message, word) {
			t.Errorf("%q repeats %q", message, word)
		}
	}
}

func TestWhatIsSaidAboutAClientKeyMustFitIt(t *testing.T) {
	rsaKey, ecKey := pkcs8(keys().rsa), pkcs8(keys().ec)
	long := strings.Repeat("x", 257)
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"an algorithm of another kind of key", keyed(t, ecKey, `, "client_key_algorithm": "PS256"`), []string{
			`providers[0].client_key_algorithm: "PS256" is not what the key is for: ES256`}},
		{"an algorithm with a shared secret", keyed(t, rsaKey, `, "client_key_algorithm": "HS256"`), []string{
			`providers[0].client_key_algorithm: "HS256" is not what the key is for: RS256, PS256`}},
		{"another algorithm than the JSON Web Key's", keyed(t, jwk(keys().rsa, map[string]any{"alg": "PS256"}), `, "client_key_algorithm": "RS256"`), []string{
			`providers[0].client_key_algorithm: "RS256" is not what the key is for: PS256`}},
		{"a name that is too long", keyed(t, rsaKey, `, "client_key_id": "`+long+`"`), []string{
			`providers[0].client_key_id: ` + quote(long) + ` is not up to 256 printable ASCII characters`}},
		{"a name and an algorithm without a key", provider(t, `"client_key_id": "a", "client_key_algorithm": "RS256"`), []string{
			`providers[0].client_key_id: has no meaning without client_key`,
			`providers[0].client_key_algorithm: has no meaning without client_key`}},
		{"a key for a client that is said to have none", keyed(t, rsaKey, `, "client_auth": "none"`), []string{
			`providers[0].client_auth: "none" goes without a client_key; leave one of the two out`}},
		{"no key for a client that needs one", provider(t, `"client_auth": "private_key_jwt", "client_secret": {"env": "SHOP_CLIENT_SECRET"}`), []string{
			`providers[0].client_auth: "private_key_jwt" needs client_key`}},
		{"no secret for a client that needs one", keyed(t, rsaKey, `, "client_auth": "client_secret_jwt"`), []string{
			`providers[0].client_auth: "client_secret_jwt" needs client_secret`}},
		{"a secret that can be tried out", provider(t, `"client_auth": "client_secret_jwt", "client_secret": {"value": "`+strings.Repeat("x", 31)+`"}`), []string{
			`providers[0].client_auth: "client_secret_jwt" needs a client_secret of at least 32 bytes`}},
		{"an audience that is an address", provider(t, `"client_assertion_audience": "https://id.example.com"`), []string{
			`providers[0].client_assertion_audience: "https://id.example.com" is not one of issuer, endpoint`}},
		{"a key without its object", provider(t, `"client_key": "hunter2"`), []string{
			`providers[0].client_key: must be {"env": "NAME"} or {"value": "…"}`}},
		{"a broken key is the one problem", provider(t, `"client_key": {"value": "hunter2"}, "client_key_id": "a", "client_auth": "private_key_jwt"`), []string{
			`providers[0].client_key.value: is neither a key in PEM, which begins with "-----BEGIN PRIVATE KEY-----" and has several lines, nor a JSON Web Key`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestWhichClientAuthenticationIsTheDefault(t *testing.T) {
	const secret = `"client_secret": {"env": "SHOP_CLIENT_SECRET"}`
	for name, tt := range map[string]struct{ settings, want string }{
		"neither":                  {minimal, "none"},
		"a secret":                 {provider(t, secret), "client_secret_basic"},
		"a key":                    {keyed(t, pkcs8(keys().ed), ``), "private_key_jwt"},
		"both, and a key is safer": {keyed(t, pkcs8(keys().ed), `, `+secret), "private_key_jwt"},
		"both, and it is said":     {keyed(t, pkcs8(keys().ed), `, "client_auth": "client_secret_post", `+secret), "client_secret_post"},
		"a long secret, and it is said": {provider(t, `"client_auth": "client_secret_jwt", "client_secret": {"value": "`+strings.Repeat("x", 32)+`"}`),
			"client_secret_jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, tt.settings).Providers[0].ClientAuth; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestNoWayOfPrintingAClientKeyDisclosesIt(t *testing.T) {
	c := mustParse(t, keyed(t, pkcs8(keys().ed), ``))
	key := c.Providers[0].ClientKey
	type holder struct {
		key  ClientKey
		keys []ClientKey
	}
	for _, v := range []any{key, &key, c, c.Providers, holder{key, []ClientKey{key}}, &holder{key, nil}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, form := range []string{"167 167", "a7a7", "A7A7", "a7 a7", `\xa7\xa7`, "0xa7, 0xa7", "\xa7\xa7"} {
				if strings.Contains(text, form) {
					t.Errorf("%s of a %T discloses it: %s", verb, v, text)
				}
			}
		}
	}
	if text := asJSON(key); text != `"redacted"` {
		t.Errorf("as JSON: %s", text)
	}
}

func TestClientKeysAreEqualWhereTheirKeysAndNamesAre(t *testing.T) {
	of := func(text string) ClientKey { return mustParse(t, keyed(t, text, ``)).Providers[0].ClientKey }
	ec, ed := of(pkcs8(keys().ec)), of(pkcs8(keys().ed))
	named := of(jwk(keys().ec, map[string]any{"kid": "a"}))
	if !ec.Equal(of(sec1(keys().ec))) || ec.Equal(ed) || ec.Equal(named) || ec.Equal(ClientKey{}) || !(ClientKey{}).Equal(ClientKey{}) {
		t.Error("two keys are equal that are not, or the other way round")
	}
}

func FuzzClientKey(f *testing.F) {
	k := keys()
	for _, text := range []string{
		"", "{}", `{"kty":"OKP","crv":"Ed25519"}`, `{"keys":[]}`, "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		pkcs8(k.ed), pkcs8(k.ec), sec1(k.ec), pkcs8(k.small), public(k.ec), jwk(k.ed, nil), jwk(k.ec, nil), jwk(k.small, nil),
		pkcs8(k.ed) + pkcs8(k.ed), block("EC PARAMETERS", nil) + sec1(k.ec),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, flaw := parseClientKey(text)
		if key.IsSet() != (flaw == "") {
			t.Fatalf("a key: %v, a flaw: %q", key.IsSet(), flaw)
		}
		if !key.IsSet() {
			return
		}
		if len(key.algorithms()) == 0 || key.ID() != "" && !only(key.ID(), 256, printable) {
			t.Error("accepted without what was to be checked")
		}
		if _, err := key.Signer().Sign(rand.Reader, make([]byte, 32), options(key.Signer())); err != nil {
			t.Errorf("it does not sign: %v", err)
		}
	})
}

func options(key crypto.Signer) crypto.SignerOpts {
	if _, ok := key.(ed25519.PrivateKey); ok {
		return crypto.Hash(0)
	}
	return crypto.SHA256
}
