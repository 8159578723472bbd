package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

const (
	proofToken   = "token"
	proofAddress = "https://api.example.com/orders?page=2"
	proofWindow  = time.Minute
)

var proofNow = time.Unix(1_800_000_000, 0)

// proofKeys are keys of every kind, by algorithm. They are made once.
var proofKeys = sync.OnceValue(func() map[jose.SignatureAlgorithm]crypto.Signer {
	must := func(key crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return key
	}
	ec := func(curve elliptic.Curve) crypto.Signer { return must(ecdsa.GenerateKey(curve, rand.Reader)) }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	r := must(rsa.GenerateKey(rand.Reader, 2048))
	return map[jose.SignatureAlgorithm]crypto.Signer{
		jose.ES256: ec(elliptic.P256()), jose.ES384: ec(elliptic.P384()), jose.ES512: ec(elliptic.P521()),
		jose.EdDSA: must(ed, err),
		jose.RS256: r, jose.RS384: r, jose.RS512: r, jose.PS256: r, jose.PS384: r, jose.PS512: r,
	}
})

// forgery is a proof as a client or an attacker makes it.
type forgery struct {
	alg    jose.SignatureAlgorithm
	key    crypto.Signer  // which signs; the one of alg if nil
	shown  any            // what is shown as jwk; the key's own public part if nil
	header map[string]any // what else is in the header, or instead
	claims map[string]any
}

// goodClaims are those of a proof for proofToken and proofAddress.
func goodClaims() map[string]any {
	sum := sha256.Sum256([]byte(proofToken))
	return map[string]any{
		"jti": "id", "htm": "GET", "htu": "https://api.example.com/orders", "iat": proofNow.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
}

// with returns the good claims with others in their place; nil leaves one out.
func with(name string, value any) forgery {
	claims := goodClaims()
	claims[name] = value
	if value == nil {
		delete(claims, name)
	}
	return forgery{claims: claims}
}

func (f forgery) make(t testing.TB) string {
	t.Helper()
	if f.alg == "" {
		f.alg = jose.ES256
	}
	if f.key == nil {
		f.key = proofKeys()[f.alg]
	}
	if f.shown == nil {
		f.shown = jose.JSONWebKey{Key: f.key.Public()}
	}
	if f.claims == nil {
		f.claims = goodClaims()
	}
	header := map[string]any{"typ": "dpop+jwt", "alg": string(f.alg), "jwk": f.shown}
	maps.Copy(header, f.header)
	for name, value := range header {
		if value == nil {
			delete(header, name)
		}
	}
	return signRaw(t, f.alg, f.key, encodeJSON(t, header), encodeJSON(t, f.claims))
}

func encodeJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// signRaw signs a header and a payload as they are.
func signRaw(t testing.TB, alg jose.SignatureAlgorithm, key crypto.Signer, header, payload string) string {
	t.Helper()
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(string(signature(t, alg, key, input)))
}

func signature(t testing.TB, alg jose.SignatureAlgorithm, key crypto.Signer, input string) []byte {
	t.Helper()
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(alg[2:])]
	digest := []byte(input)
	if hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			t.Fatal(err)
		}
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		var opts crypto.SignerOpts = hash
		if strings.HasPrefix(string(alg), "PS") {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		return signWith(t, key, digest, opts)
	}
	return signWith(t, key, digest, crypto.Hash(0))
}

func signWith(t testing.TB, key crypto.Signer, digest []byte, opts crypto.SignerOpts) []byte {
	t.Helper()
	sig, err := key.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func readProof(raw string) (*Proof, error) {
	return ReadProof(raw, "GET", proofAddress, proofToken, proofNow, proofWindow)
}

func wantRefusal(t *testing.T, p *Proof, err error, reason string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("proof %+v, error %v; wanted %s", p, err, reason)
	}
	if p != nil || r.Code != InvalidProof || r.Reason != reason {
		t.Errorf("%s: %s; wanted %s", r.Code, r.Reason, reason)
	}
}

func TestAProofIsReadByEveryAlgorithm(t *testing.T) {
	for alg, key := range proofKeys() {
		t.Run(string(alg), func(t *testing.T) {
			claims := goodClaims()
			claims["nonce"] = "n"
			p, err := readProof(forgery{alg: alg, claims: claims}.make(t))
			if err != nil {
				t.Fatal(err)
			}
			sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			want := &Proof{JKT: b64(string(sum)), ID: "id", Issued: proofNow, Nonce: "n"}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The examples of RFC 9449: the header is that of sections 4.1 and 7.1, the
// thumbprint that of section 6.1.
const (
	exampleHeader     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	exampleToToken    = exampleHeader + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	exampleToResource = exampleHeader + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	exampleKey        = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	exampleAccess     = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func TestTheExampleForAResourceIsRead(t *testing.T) {
	now := time.Unix(1562262618, 0)
	p, err := ReadProof(exampleToResource, "GET", "https://resource.example.org/protectedresource", exampleAccess, now, proofWindow)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Proof{JKT: exampleKey, ID: "e1j3V_bKic8-LAEB", Issued: now}, p); diff != "" {
		t.Error(diff)
	}
}

func TestTheExampleForATokenRequestIsNoProofForAResource(t *testing.T) {
	now := time.Unix(1562262616, 0)
	for _, token := range []string{exampleAccess, ""} {
		p, err := ReadProof(exampleToToken, "POST", "https://server.example.com/token", token, now, proofWindow)
		wantRefusal(t, p, err, "proof_ath")
	}
	proof, key, err := parseProof(exampleToToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.Verify(key); err != nil {
		t.Errorf("its signature: %v", err)
	}
}

func TestAProofOfAnotherRequestIsRefused(t *testing.T) {
	raw := forgery{}.make(t)
	for name, c := range map[string]struct {
		method, address, token string
		now                    time.Time
		reason                 string
	}{
		"another method":           {"POST", proofAddress, proofToken, proofNow, "proof_htm"},
		"a method in another case": {"get", proofAddress, proofToken, proofNow, "proof_htm"},
		"another host":             {"GET", "https://other.example.com/orders", proofToken, proofNow, "proof_htu"},
		"another scheme":           {"GET", "http://api.example.com/orders", proofToken, proofNow, "proof_htu"},
		"another port":             {"GET", "https://api.example.com:8443/orders", proofToken, proofNow, "proof_htu"},
		"another path":             {"GET", "https://api.example.com/orders/", proofToken, proofNow, "proof_htu"},
		"a path in another case":   {"GET", "https://api.example.com/Orders", proofToken, proofNow, "proof_htu"},
		"another token":            {"GET", proofAddress, "other", proofNow, "proof_ath"},
		"no token":                 {"GET", proofAddress, "", proofNow, "proof_ath"},
		"too late":                 {"GET", proofAddress, proofToken, proofNow.Add(proofWindow + time.Second), "proof_iat"},
		"too early":                {"GET", proofAddress, proofToken, proofNow.Add(-proofWindow - time.Second), "proof_iat"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ReadProof(raw, c.method, c.address, c.token, c.now, proofWindow)
			wantRefusal(t, p, err, c.reason)
		})
	}
	for _, now := range []time.Time{proofNow.Add(proofWindow), proofNow.Add(-proofWindow)} {
		if _, err := ReadProof(raw, "GET", proofAddress, proofToken, now, proofWindow); err != nil {
			t.Errorf("at the edge of the window: %v", err)
		}
	}
}

func TestAnAddressIsComparedInItsNormalForm(t *testing.T) {
	for name, c := range map[string]struct {
		htu, address string
		same         bool
	}{
		"as it is":                      {"https://a.example/x", "https://a.example/x", true},
		"scheme and host in upper case": {"HTTPS://A.Example/x", "https://a.example/x", true},
		"the usual port":                {"https://a.example:443/x", "https://a.example/x", true},
		"the usual port of http":        {"http://a.example/x", "http://a.example:80/x", true},
		"http's port on https":          {"https://a.example:80/x", "https://a.example/x", false},
		"a query and a fragment":        {"https://a.example/x?q=1#f", "https://a.example/x?p=2", true},
		"a query without a path":        {"https://a.example?q", "https://a.example/", true},
		"no path":                       {"https://a.example", "https://a.example/", true},
		"an escape that need not be":    {"https://a.example/%78%2d", "https://a.example/x-", true},
		"an escape in lower case":       {"https://a.example/%c3%a9", "https://a.example/%C3%A9", true},
		"IPv6 spelled in another way":   {"https://[2001:DB8:0::1]/", "https://[2001:db8::1]:443/", true},
		"dot segments":                  {"https://a.example/y/../x", "https://a.example/x", false},
		"an encoded slash":              {"https://a.example/x%2fy", "https://a.example/x/y", false},
		"a user name":                   {"https://a.example@b.example/x", "https://b.example/x", false},
		"a dot at the host's end":       {"https://a.example./x", "https://a.example/x", false},
		"another kind of address":       {"ftp://a.example/x", "ftp://a.example/x", false},
		"a path alone":                  {"/x", "/x", false},
		"nothing":                       {"", "", false},
		"a backslash":                   {"https:\\\\a.example/x", "https://a.example/x", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sameAddress(c.htu, c.address); got != c.same {
				t.Errorf("the same: %t", got)
			}
			if got := sameAddress(c.address, c.htu); got != c.same {
				t.Errorf("the other way round: %t", got)
			}
		})
	}
}

func TestAForgedProofIsRefused(t *testing.T) {
	keys := proofKeys()
	own, another := keys[jose.ES256].(*ecdsa.PrivateKey), jose.JSONWebKey{Key: keys[jose.ES512].Public()}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 4096, 1), E: 65537}
	// CVE-2017-15361: modulo small primes it is a power of 65537.
	product := int64(11 * 13 * 17 * 19 * 37 * 53 * 61 * 71 * 73)
	n := new(big.Int).Mul(big.NewInt(product), big.NewInt(79*97*103*107*109*127*151*157))
	broken := &rsa.PublicKey{N: n.Lsh(n, uint(2048-n.BitLen())).Add(n, big.NewInt(65537)), E: 65537}
	shown := func(change func(map[string]any)) any {
		var members map[string]any
		if err := json.Unmarshal([]byte(encodeJSON(t, jose.JSONWebKey{Key: own.Public()})), &members); err != nil {
			t.Fatal(err)
		}
		change(members)
		return members
	}
	set := func(name string, value any) any { return shown(func(m map[string]any) { m[name] = value }) }
	const malformed = "proof_malformed_or_algorithm"
	for name, c := range map[string]struct {
		forgery
		reason string
	}{
		"no type":                     {forgery{header: map[string]any{"typ": nil}}, "proof_typ"},
		"the type of other tokens":    {forgery{header: map[string]any{"typ": "JWT"}}, "proof_typ"},
		"a type that is no string":    {forgery{header: map[string]any{"typ": 1}}, malformed},
		"alg none":                    {forgery{header: map[string]any{"alg": "none"}}, malformed},
		"a symmetric alg":             {forgery{header: map[string]any{"alg": "HS256"}}, malformed},
		"an alg of another kind":      {forgery{header: map[string]any{"alg": "RS256"}}, "proof_key"},
		"an alg of another curve":     {forgery{header: map[string]any{"alg": "ES384"}}, "proof_key"},
		"no alg":                      {forgery{header: map[string]any{"alg": nil}}, malformed},
		"a critical extension":        {forgery{header: map[string]any{"crit": []string{"exp"}, "exp": 1}}, "proof_crit"},
		"an unencoded payload":        {forgery{header: map[string]any{"crit": []string{"b64"}, "b64": false}}, "proof_crit"},
		"no key":                      {forgery{header: map[string]any{"jwk": nil}}, "proof_key"},
		"a key that is null":          {forgery{shown: json.RawMessage("null")}, "proof_key"},
		"a key that is a list":        {forgery{shown: []int{1}}, "proof_key"},
		"a key by its id alone":       {forgery{header: map[string]any{"jwk": nil, "kid": "k"}}, "proof_key"},
		"a key at an address":         {forgery{header: map[string]any{"jwk": nil, "jku": "https://evil.example/"}}, "proof_key"},
		"another key":                 {forgery{shown: another}, "proof_key"},
		"another key of that kind":    {forgery{key: mustP256(t), shown: jose.JSONWebKey{Key: own.Public()}}, "proof_signature"},
		"a private key":               {forgery{shown: jose.JSONWebKey{Key: own}}, "proof_key_private"},
		"a private RSA member":        {forgery{shown: set("p", "AQAB")}, "proof_key_private"},
		"a symmetric key":             {forgery{shown: jose.JSONWebKey{Key: []byte("secret")}}, "proof_key_private"},
		"a key for encryption":        {forgery{shown: set("use", "enc")}, "proof_key"},
		"a key of another alg":        {forgery{shown: set("alg", "ES384")}, "proof_key"},
		"a curve that is not known":   {forgery{shown: set("crv", "secp256k1")}, malformed},
		"a point off the curve":       {forgery{shown: set("x", b64(strings.Repeat("a", 32)))}, malformed},
		"a kind that is not known":    {forgery{shown: set("kty", "XX")}, malformed},
		"a short RSA key":             {forgery{alg: jose.RS256, key: weak}, "proof_key"},
		"a long RSA key":              {forgery{alg: jose.RS256, shown: jose.JSONWebKey{Key: long}}, malformed},
		"a key of a broken generator": {forgery{alg: jose.RS256, shown: jose.JSONWebKey{Key: broken}}, "proof_key"},
		"no jti":                      {with("jti", nil), "proof_jti"},
		"an empty jti":                {with("jti", ""), "proof_jti"},
		"a long jti":                  {with("jti", strings.Repeat("a", 129)), "proof_jti"},
		"a jti that is a number":      {with("jti", 1), "proof_claims_malformed"},
		"no htm":                      {with("htm", nil), "proof_htm"},
		"no htu":                      {with("htu", nil), "proof_htu"},
		"no iat":                      {with("iat", nil), "proof_iat"},
		"an iat that is a string":     {with("iat", "1800000000"), "proof_claims_malformed"},
		"an iat that is a list":       {with("iat", []int{1}), "proof_claims_malformed"},
		"an iat beyond all reckoning": {with("iat", json.RawMessage("1e300")), "proof_iat"},
		"an iat beyond all numbers":   {with("iat", json.RawMessage("1e999")), "proof_claims_malformed"},
		"an iat before all reckoning": {with("iat", json.RawMessage("-1e300")), "proof_iat"},
		"no ath":                      {with("ath", nil), "proof_ath"},
		"the token itself as ath":     {with("ath", proofToken), "proof_ath"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := readProof(c.make(t))
			wantRefusal(t, p, err, c.reason)
		})
	}
}

func mustP256(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestWhatIsNoCompactJWSIsRefused(t *testing.T) {
	good := forgery{}.make(t)
	parts := strings.Split(good, ".")
	key := proofKeys()[jose.ES256]
	jwk := encodeJSON(t, jose.JSONWebKey{Key: key.Public()})
	header, payload := `{"typ":"dpop+jwt","alg":"ES256","jwk":`+jwk+`}`, encodeJSON(t, goodClaims())
	const malformed = "proof_malformed_or_algorithm"
	for name, c := range map[string]struct{ raw, reason string }{
		"nothing":               {"", malformed},
		"two parts":             {parts[0] + "." + parts[1], malformed},
		"four parts":            {good + ".", malformed},
		"many dots":             {strings.Repeat(".", 4000), malformed},
		"no signature":          {parts[0] + "." + parts[1] + ".", malformed},
		"an altered signature":  {parts[0] + "." + parts[1] + "." + b64(strings.Repeat("a", 64)), "proof_signature"},
		"an altered payload":    {parts[0] + "." + b64(strings.Replace(payload, `"id"`, `"id2"`, 1)) + "." + parts[2], "proof_signature"},
		"another spelling":      {good[:len(good)-1] + string(good[len(good)-1]+1), malformed},
		"a line break":          {parts[0] + "." + parts[1] + "\n." + parts[2], malformed},
		"padding":               {parts[0] + "." + parts[1] + "." + parts[2] + "==", malformed},
		"JSON":                  {`{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, malformed},
		"two proofs":            {good + ", " + good, malformed},
		"a header without JSON": {b64("x") + "." + parts[1] + "." + parts[2], malformed},
		"a member twice":        {signRaw(t, jose.ES256, key, strings.Replace(header, `"typ"`, `"alg":"ES256","typ"`, 1), payload), malformed},
		"a body as it is":       {signRaw(t, jose.ES256, key, strings.Replace(header, `{`, `{"b64":false,`, 1), payload), "proof_crit"},
		"a claim twice":         {signRaw(t, jose.ES256, key, header, strings.Replace(payload, `{`, `{"jti":"other",`, 1)), "proof_claims_malformed"},
		"claims in other case":  {signRaw(t, jose.ES256, key, header, strings.Replace(payload, `"jti"`, `"JTI"`, 1)), "proof_jti"},
		"claims that are none":  {signRaw(t, jose.ES256, key, header, "[]"), "proof_claims_malformed"},
		"a header nested deep":  {signRaw(t, jose.ES256, key, strings.Replace(header, `{`, `{"x":`+brackets(8)+`,`, 1), payload), malformed},
		"claims nested deep":    {signRaw(t, jose.ES256, key, header, strings.Replace(payload, `{`, `{"x":`+brackets(32)+`,`, 1)), "proof_claims_malformed"},
		"a deep header":         {b64(`{"typ":"dpop+jwt","x":`+strings.Repeat("[", 1600)) + ".e30.e30", "proof_too_large"},
		"a long proof":          {forgery{claims: map[string]any{"jti": strings.Repeat("a", 4096)}}.make(t), "proof_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := readProof(c.raw)
			wantRefusal(t, p, err, c.reason)
		})
	}
}

func brackets(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestAProofMayNestAsDeepAsIsLookedAt(t *testing.T) {
	raw := forgery{header: map[string]any{"x": json.RawMessage(brackets(7))}, claims: with("x", json.RawMessage(brackets(31))).claims}.make(t)
	if _, err := readProof(raw); err != nil {
		t.Error(err)
	}
}

func TestAProofHasTheSaltOfItsHashsSize(t *testing.T) {
	key := proofKeys()[jose.PS256]
	input := b64(`{"typ":"dpop+jwt","alg":"PS256","jwk":`+encodeJSON(t, jose.JSONWebKey{Key: key.Public()})+`}`) + "." + b64(encodeJSON(t, goodClaims()))
	digest := sha256.Sum256([]byte(input))
	for _, salt := range []int{20, 32, 64} {
		sig := signWith(t, key, digest[:], &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256})
		p, err := readProof(input + "." + b64(string(sig)))
		if salt == 32 && err != nil {
			t.Error(err)
		}
		if salt != 32 {
			wantRefusal(t, p, err, "proof_signature")
		}
	}
}

func TestAProofMadeInAFractionOfASecondIsReadAsSuch(t *testing.T) {
	p, err := readProof(with("iat", json.RawMessage("1800000000.5")).make(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := proofNow.Add(time.Second / 2); !p.Issued.Equal(want) {
		t.Errorf("issued at %v, not %v", p.Issued, want)
	}
}

// FuzzReadProof has anything at all come as a proof: what is read is a proof of
// this request whose id and key are bounded.
func FuzzReadProof(f *testing.F) {
	for alg := range proofKeys() {
		f.Add(forgery{alg: alg}.make(f))
	}
	f.Add(exampleToResource)
	f.Add(exampleToToken)
	f.Add(b64(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}`) + ".e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := readProof(raw)
		var r *Refusal
		if err != nil && (!errors.As(err, &r) || p != nil) {
			t.Errorf("%+v, %v", p, err)
		}
		if err == nil && (p.ID == "" || len(p.ID) > maxProofID || len(p.JKT) != 43 || !within(p.Issued, proofNow, proofWindow)) {
			t.Errorf("%+v", p)
		}
	})
}

// FuzzSameAddress compares any two addresses: the result does not depend on
// their order, and a query changes nothing.
func FuzzSameAddress(f *testing.F) {
	f.Add("https://a.example/x", "HTTPS://a.example:443/%78")
	f.Add("http://[::1]:80?", "http://[0::1]")
	f.Fuzz(func(t *testing.T, a, b string) {
		same := sameAddress(a, b)
		if same != sameAddress(b, a) {
			t.Error("it depends on the order")
		}
		if same && !sameAddress(a+"?q#f", b) {
			t.Error("a query matters")
		}
		if n, ok := normalAddress(a); ok {
			if again, ok := normalAddress(n); !ok || again != n {
				t.Errorf("%q has the normal form %q, which has %q", a, n, again)
			}
		}
	})
}
