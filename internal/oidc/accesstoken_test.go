package oidc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/jws"
)

// wants returns settings for tokens made out to shop-api, with more.
func (f *fake) wants(extra string) *config.Bearer {
	f.t.Helper()
	settings := `{"providers":[{"name":"main","issuer":"` + issuer + `","cluster":"idp","client_id":"shop",` +
		`"client_secret":{"value":"` + secret + `"}}],"hosts":["app.example.com"],` +
		`"session":{"keys":[{"id":"k","value":"` + testKey() + `"}]},` +
		`"bearer":[{"provider":"main"` + extra + `}]}`
	c, err := config.Parse([]byte(settings), func(string) (string, bool) { return "", false })
	if err != nil {
		f.t.Fatal(err)
	}
	return &c.Bearer[0]
}

const forAPI = `,"audiences":["shop-api","shop-admin"]`

// accessClaims are those of a good access token.
func (f *fake) accessClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "sub": "service-a", "aud": "shop-api", "azp": "app-a", "scope": "orders stock",
		"iat": f.now.Unix(), "exp": f.now.Add(5 * time.Minute).Unix(),
	}
}

var atJWT = map[jose.HeaderKey]any{"typ": "at+jwt"}

func (f *fake) accessToken(claims any) string {
	return sign(f.t, jose.RS256, testKeys().rsa, "r1", atJWT, claims)
}

// unsigned is a token of any header and any payload.
func unsigned(header, payload string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(header)) + "." + part([]byte(payload)) + ".AAAA"
}

func TestAGoodAccessTokenIsAccepted(t *testing.T) {
	f := newFake(t)
	good := f.accessClaims()
	whole := AccessToken{
		Issuer: issuer, Subject: "service-a", ClientID: "app-a", Scopes: []string{"orders", "stock"},
		Expires: time.Unix(f.now.Unix()+300, 0),
	}
	changed := func(change func(*AccessToken)) AccessToken { a := whole; change(&a); return a }
	jwt := func(claims any) string {
		return sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "JWT"}, claims)
	}
	thumbprint := strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		token string
		want  AccessToken
	}{
		"of the type at+jwt":                   {f.accessToken(good), whole},
		"of the type application/at+jwt":       {sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "application/at+jwt"}, good), whole},
		"of a type in capitals":                {sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "AT+JWT"}, good), whole},
		"of the type JWT":                      {jwt(good), whole},
		"without a type":                       {sign(t, jose.RS256, testKeys().rsa, "r1", nil, good), whole},
		"signed by ES256":                      {sign(t, jose.ES256, testKeys().ec, "e1", atJWT, good), whole},
		"that names no key":                    {sign(t, jose.ES256, testKeys().ec, "", atJWT, good), whole},
		"for us among others":                  {f.accessToken(with(good, "aud", []string{"account", "shop-admin"})), whole},
		"with times that have fractions":       {f.accessToken(with(good, "exp", float64(f.now.Unix())+300.75)), whole},
		"without iat":                          {f.accessToken(with(good, "iat", nil)), whole},
		"expired within the leeway":            {f.accessToken(with(good, "exp", f.now.Unix()-59)), changed(func(a *AccessToken) { a.Expires = time.Unix(f.now.Unix()-59, 0) })},
		"good for as long as may be":           {f.accessToken(with(good, "exp", f.now.Add(720*time.Hour).Unix())), changed(func(a *AccessToken) { a.Expires = time.Unix(f.now.Add(720*time.Hour).Unix(), 0) })},
		"of a service account without sub":     {f.accessToken(with(good, "sub", nil)), changed(func(a *AccessToken) { a.Subject = "" })},
		"of a person, without a client":        {f.accessToken(with(good, "azp", nil)), changed(func(a *AccessToken) { a.ClientID = "" })},
		"of Keycloak, that names it twice":     {jwt(with(with(good, "client_id", "app-a"), "typ", "Bearer")), whole},
		"of Okta, with cid and scp":            {jwt(with(with(with(with(good, "azp", nil), "cid", "app-a"), "scope", nil), "scp", []string{"orders", "stock"})), whole},
		"of Entra, with appid and scp":         {jwt(with(with(with(with(good, "azp", nil), "appid", "app-a"), "scope", nil), "scp", "orders stock")), whole},
		"of a provider with a list of scopes":  {jwt(with(good, "scope", []string{"orders", "stock"})), whole},
		"of Cognito, that says what it is for": {jwt(with(good, "token_use", "access")), whole},
		"with a nonce and scopes":              {jwt(with(good, "nonce", "n")), whole},
		"with a nonce and at+jwt":              {f.accessToken(with(with(good, "nonce", "n"), "scope", nil)), changed(func(a *AccessToken) { a.Scopes = nil })},
		"bound to a DPoP key":                  {f.accessToken(with(good, "cnf", map[string]any{"jkt": thumbprint})), changed(func(a *AccessToken) { a.JKT = thumbprint })},
		"bound to a certificate":               {f.accessToken(with(good, "cnf", map[string]any{"x5t#S256": thumbprint})), changed(func(a *AccessToken) { a.X5T = thumbprint })},
		"bound to both": {f.accessToken(with(good, "cnf", map[string]any{"x5t#S256": thumbprint, "jkt": thumbprint})),
			changed(func(a *AccessToken) { a.X5T, a.JKT = thumbprint, thumbprint })},
		"that names other keys which are not looked at": {sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{
			"typ": "at+jwt", "jku": "https://evil.example.com/keys", "x5u": "https://evil.example.com/chain"}, good), whole},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.learned("").VerifyAccessToken(f.env(), c.token, f.wants(forAPI))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *got, cmpopts.IgnoreUnexported(AccessToken{}), cmpopts.IgnoreFields(AccessToken{}, "Claims")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid(got.Claims) || !strings.Contains(string(got.Claims), issuer) {
				t.Errorf("claims: %s", got.Claims)
			}
			if s := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(s, "shop-api") || strings.Contains(s, "service-a") {
				t.Errorf("prints as %s", s)
			}
		})
	}
}

// attack is a token with one thing wrong.
type attack struct{ token, reason string }

func (f *fake) headerAttacks() map[string]attack {
	t, k, good := f.t, testKeys(), f.accessClaims()
	header := func(name jose.HeaderKey, value any) string {
		return sign(t, jose.RS256, k.rsa, "r1", map[jose.HeaderKey]any{"typ": "at+jwt", name: value}, good)
	}
	parts := strings.Split(f.accessToken(good), ".")
	public, err := json.Marshal(jose.JSONWebKey{Key: &k.other.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	byStranger := func(kid string, header map[jose.HeaderKey]any) string {
		return sign(t, jose.RS256, k.other, kid, header, good)
	}
	claims, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]attack{
		"without a signature":                       {parts[0] + "." + parts[1] + ".", "malformed_or_algorithm"},
		"alg none":                                  {unsigned(`{"alg":"none"}`, string(claims)), "malformed_or_algorithm"},
		"alg None, in another case":                 {unsigned(`{"alg":"None"}`, string(claims)), "malformed_or_algorithm"},
		"alg rs256, in another case":                {unsigned(`{"alg":"rs256","kid":"r1"}`, string(claims)), "malformed_or_algorithm"},
		"alg missing":                               {unsigned(`{"kid":"r1"}`, string(claims)), "malformed_or_algorithm"},
		"alg not a string":                          {unsigned(`{"alg":["RS256"]}`, string(claims)), "malformed_or_algorithm"},
		"Alg, in another case":                      {unsigned(`{"Alg":"RS256"}`, string(claims)), "malformed_or_algorithm"},
		"HS256 with the public key for a secret":    {sign(t, jose.HS256, k.rsa.PublicKey.N.Bytes(), "r1", nil, good), "malformed_or_algorithm"},
		"an algorithm that is not allowed":          {sign(t, jose.PS256, k.rsa, "r1", nil, good), "malformed_or_algorithm"},
		"the algorithm of another kind of key":      {sign(t, jose.ES256, k.ec, "r1", nil, good), "key_unknown"},
		"an extension marked critical":              {header("crit", []string{"exp"}), "extension_unknown"},
		"an unencoded payload":                      {header("b64", true), "extension_unknown"},
		"no key id, of two keys that fit neither":   {byStranger("", nil), "signature"},
		"an unknown key id":                         {byStranger("r9", nil), "key_unknown"},
		"a known key id, by a stranger's key":       {byStranger("r1", nil), "signature"},
		"a key id that is a path":                   {byStranger("../../../../dev/null", nil), "key_unknown"},
		"a key id that is an address":               {byStranger("https://evil.example.com/keys#r1", nil), "key_unknown"},
		"a key id of ten kilobytes":                 {byStranger(strings.Repeat("k", 10<<10), nil), "too_large"},
		"a key id that is no string":                {unsigned(`{"alg":"RS256","kid":1}`, string(claims)), "malformed_or_algorithm"},
		"jku to a stranger's keys":                  {byStranger("r1", map[jose.HeaderKey]any{"jku": "https://evil.example.com/keys"}), "signature"},
		"x5u to a stranger's chain":                 {byStranger("r1", map[jose.HeaderKey]any{"x5u": "https://evil.example.com/chain"}), "signature"},
		"x5c that is none":                          {byStranger("r1", map[jose.HeaderKey]any{"x5c": []string{"AAAA"}}), "malformed_or_algorithm"},
		"an embedded jwk":                           {byStranger("r1", map[jose.HeaderKey]any{"jwk": json.RawMessage(public)}), "signature"},
		"an embedded jwk and no key id":             {byStranger("", map[jose.HeaderKey]any{"jwk": json.RawMessage(public)}), "signature"},
		"the type of a logout token":                {header("typ", "logout+jwt"), "typ_differs"},
		"the type of an answer":                     {header("typ", "token-introspection+jwt"), "typ_differs"},
		"the type of a DPoP proof":                  {header("typ", "dpop+jwt"), "typ_differs"},
		"a type that is no string":                  {header("typ", 1), "typ_differs"},
		"a header member twice":                     {unsigned(`{"alg":"RS256","alg":"RS256"}`, string(claims)), "malformed_or_algorithm"},
		"a header nested deep":                      {unsigned(`{"alg":"RS256","x":`+brackets(400)+`}`, string(claims)), "malformed_or_algorithm"},
		"a header of a hundred thousand brackets":   {unsigned(strings.Repeat("[", 100_000), string(claims)), "too_large"},
		"a payload of a hundred thousand brackets":  {unsigned(`{"alg":"RS256"}`, strings.Repeat("[", 100_000)), "too_large"},
		"a payload of eleven thousand brackets":     {unsigned(`{"alg":"RS256"}`, strings.Repeat("[", 11_000)), "nested_too_deep"},
		"a payload nested deep in what is not read": {f.accessToken(with(good, "x", json.RawMessage(brackets(33)))), "nested_too_deep"},
		"seventeen kilobytes":                       {f.accessToken(with(good, "x", strings.Repeat("x", 17<<10))), "too_large"},
		"nothing but dots":                          {strings.Repeat(".", 15_000), "malformed_or_algorithm"},
		"a header and then dots":                    {parts[0] + strings.Repeat(".", 12_000), "malformed_or_algorithm"},
		"one part too many":                         {strings.Join(parts, ".") + ".AAAA", "malformed_or_algorithm"},
		"one dot too many":                          {strings.Join(parts, ".") + ".", "malformed_or_algorithm"},
		"two parts":                                 {parts[0] + "." + parts[1], "malformed_or_algorithm"},
		"nothing":                                   {"", "malformed_or_algorithm"},
		"a line break within":                       {parts[0] + ".\n" + parts[1] + "." + parts[2], "malformed_or_algorithm"},
		"padding":                                   {parts[0] + "." + parts[1] + "." + parts[2] + "==", "malformed_or_algorithm"},
		"another alphabet":                          {parts[0] + "." + parts[1] + ".++//", "malformed_or_algorithm"},
		"another spelling of the same signature":    {respelled(strings.Join(parts, ".")), "malformed_or_algorithm"},
		"the JSON form":                             {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "malformed_or_algorithm"},
		"a payload that is no JSON":                 {unsigned(`{"alg":"RS256"}`, "hello"), "claims_malformed"},
		"a payload that is a list":                  {unsigned(`{"alg":"RS256"}`, "[]"), "claims_malformed"},
		"changed claims":                            {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "service-a", "service-b", 1))) + "." + parts[2], "signature"},
	}
}

// respelled changes bits of the last character that stand for nothing.
func respelled(token string) string {
	return token[:len(token)-1] + string(rune(token[len(token)-1]+1))
}

func brackets(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

func (f *fake) claimAttacks() map[string]attack {
	good := f.accessClaims()
	change := func(name string, value any) string { return f.accessToken(with(good, name, value)) }
	raw := func(name, value string) string { return f.accessToken(with(good, name, json.RawMessage(value))) }
	asJWT := func(name string, value any) string {
		return sign(f.t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "JWT"}, with(with(good, "scope", nil), name, value))
	}
	twice := strings.TrimSuffix(string(mustJSON(good)), "}")
	long := strings.Repeat("a", 256)
	return map[string]attack{
		"an unknown issuer":                      {change("iss", "https://evil.example.com"), "iss_differs"},
		"no issuer":                              {change("iss", nil), "iss_differs"},
		"the issuer with a slash":                {change("iss", issuer+"/"), "iss_differs"},
		"the issuer in capitals":                 {change("iss", strings.ToUpper(issuer)), "iss_differs"},
		"a list of issuers":                      {change("iss", []string{issuer}), "claims_malformed"},
		"an audience of somebody else":           {change("aud", "account"), "aud_differs"},
		"audiences of others":                    {change("aud", []string{"account", "shop-api2"}), "aud_differs"},
		"an audience that has ours":              {change("aud", "shop-api shop-admin"), "aud_differs"},
		"an empty list of audiences":             {change("aud", []string{}), "aud_missing"},
		"an audience that is an object":          {raw("aud", `{"shop-api":true}`), "claims_malformed"},
		"an audience that is a number":           {change("aud", 1), "claims_malformed"},
		"an audience that is true":               {change("aud", true), "claims_malformed"},
		"an audience that is null":               {raw("aud", "null"), "aud_missing"},
		"an audience within a list":              {raw("aud", `[["shop-api"]]`), "claims_malformed"},
		"no audience":                            {change("aud", nil), "aud_missing"},
		"no exp":                                 {change("exp", nil), "exp_missing"},
		"an exp that is null":                    {raw("exp", "null"), "exp_missing"},
		"an exp that is a string":                {change("exp", fmt.Sprint(f.now.Unix()+60)), "claims_malformed"},
		"an exp that is a date":                  {change("exp", "2099-01-01T00:00:00Z"), "claims_malformed"},
		"an exp of the past":                     {change("exp", f.now.Unix()-60), "expired"},
		"an exp of 0":                            {change("exp", 0), "expired"},
		"a negative exp":                         {change("exp", -1), "expired"},
		"a huge negative exp":                    {raw("exp", "-1e308"), "expired"},
		"an exp too far away":                    {change("exp", f.now.Add(720*time.Hour+61*time.Second).Unix()), "exp_too_far"},
		"an exp of 1e18":                         {raw("exp", "1e18"), "exp_too_far"},
		"an exp of 2^63":                         {raw("exp", "9223372036854775808"), "exp_too_far"},
		"an exp of 1e308":                        {raw("exp", "1e308"), "exp_too_far"},
		"an exp beyond all numbers":              {raw("exp", "1e400"), "claims_malformed"},
		"an iat of the future":                   {change("iat", f.now.Unix()+61), "iat_in_future"},
		"an iat of 1e308":                        {raw("iat", "1e308"), "iat_in_future"},
		"an iat that is a string":                {change("iat", fmt.Sprint(f.now.Unix())), "claims_malformed"},
		"an nbf of the future":                   {change("nbf", f.now.Unix()+61), "not_valid_yet"},
		"an nbf that is a list":                  {change("nbf", []int{1}), "claims_malformed"},
		"neither sub nor client":                 {f.accessToken(with(with(good, "sub", nil), "azp", nil)), "sub_missing"},
		"a sub that is a number":                 {change("sub", 1), "claims_malformed"},
		"a sub too long":                         {change("sub", long), "sub_malformed"},
		"a client too long":                      {change("azp", long), "sub_malformed"},
		"two clients":                            {change("client_id", "app-b"), "client_differs"},
		"two clients, older Keycloak":            {change("clientId", "app-b"), "client_differs"},
		"two clients, Okta":                      {change("cid", "app-b"), "client_differs"},
		"a client that is a list":                {change("client_id", []string{"app-a"}), "claims_malformed"},
		"scopes that are an object":              {raw("scope", `{"orders":true}`), "claims_malformed"},
		"a claim twice":                          {f.accessToken(json.RawMessage(twice + `,"sub":"service-b"}`)), "claims_malformed"},
		"a claim that nobody reads, twice":       {f.accessToken(json.RawMessage(twice + `,"x":1,"x":2}`)), "claims_malformed"},
		"a confirmation that is not known":       {raw("cnf", `{"kid":"k"}`), "confirmation_unknown"},
		"one known and one unknown confirmation": {raw("cnf", `{"jkt":"`+strings.Repeat("A", 43)+`","kid":"k"}`), "confirmation_unknown"},
		"an embedded key for a confirmation":     {raw("cnf", `{"jwk":{"kty":"EC"}}`), "confirmation_unknown"},
		"a confirmation that is a string":        {raw("cnf", `"jkt"`), "confirmation_malformed"},
		"a confirmation that is null":            {raw("cnf", `null`), "confirmation_malformed"},
		"a confirmation by nothing":              {raw("cnf", `{}`), "confirmation_malformed"},
		"a confirmation twice":                   {raw("cnf", `{"jkt":"`+strings.Repeat("A", 43)+`","jkt":"`+strings.Repeat("A", 43)+`"}`), "confirmation_malformed"},
		"a thumbprint that is short":             {raw("cnf", `{"jkt":"AAAA"}`), "confirmation_malformed"},
		"a thumbprint that is empty":             {raw("cnf", `{"jkt":""}`), "confirmation_malformed"},
		"a thumbprint that is a number":          {raw("cnf", `{"x5t#S256":1}`), "confirmation_malformed"},

		"a logout token":                            {change("events", map[string]any{logoutEvent: map[string]any{}}), "is_logout_token"},
		"an ID token of Keycloak":                   {asJWT("typ", "ID"), "not_an_access_token"},
		"a refresh token of Keycloak":               {asJWT("typ", "Refresh"), "not_an_access_token"},
		"an offline token of Keycloak":              {asJWT("typ", "Offline"), "not_an_access_token"},
		"a token with a kind that is no string":     {asJWT("typ", 1), "not_an_access_token"},
		"an ID token of Cognito":                    {asJWT("token_use", "id"), "not_an_access_token"},
		"a refresh token, typed as an access token": {change("typ", "Refresh"), "not_an_access_token"},
		"an ID token by at_hash":                    {asJWT("at_hash", "x"), "is_id_token"},
		"an ID token by c_hash":                     {asJWT("c_hash", "x"), "is_id_token"},
		"an ID token by s_hash":                     {asJWT("s_hash", "x"), "is_id_token"},
		"an ID token by its nonce":                  {asJWT("nonce", "n-1"), "is_id_token"},
		"an ID token as it came at a login":         {f.idToken(with(f.claims(), "aud", "shop-api")), "is_id_token"},
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestAnAccessTokenWithOneThingWrongIsRefused(t *testing.T) {
	f := newFake(t)
	f.keys = append(f.keys[:2:2], jose.JSONWebKey{Key: &testKeys().ec.PublicKey, KeyID: "e2", Algorithm: "ES512"})
	rows := 0
	for group, attacks := range map[string]map[string]attack{"header": f.headerAttacks(), "claims": f.claimAttacks()} {
		for name, c := range attacks {
			rows++
			t.Run(group+"/"+name, func(t *testing.T) {
				got, err := f.learned("").VerifyAccessToken(f.env(), c.token, f.wants(forAPI))
				if err == nil || Reason(err) != c.reason || got != nil {
					t.Fatalf("got %v, want %s", err, c.reason)
				}
				if Temporary(err) {
					t.Errorf("%v is said to pass", err)
				}
				for _, told := range []string{"service-a", "shop-api", "evil", "r9"} {
					if strings.Contains(err.Error(), told) {
						t.Errorf("%q repeats what the token says", err)
					}
				}
			})
		}
	}
	if rows < 100 {
		t.Errorf("%d attacks", rows)
	}
}

func TestATypeThatIsNotAmongThoseWantedIsRefused(t *testing.T) {
	f := newFake(t)
	strict, own := f.wants(forAPI+`,"types":["at+jwt"]`), f.wants(forAPI+`,"types":["application/vnd.shop+jwt"]`)
	good := f.accessClaims()
	typed := func(typ string) string {
		return sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": typ}, good)
	}
	none := sign(t, jose.RS256, testKeys().rsa, "r1", nil, good)
	for name, c := range map[string]struct {
		token  string
		want   *config.Bearer
		reason string
	}{
		"at+jwt where it is demanded":      {typed("at+jwt"), strict, ""},
		"JWT where at+jwt is demanded":     {typed("JWT"), strict, "typ_differs"},
		"none where at+jwt is demanded":    {none, strict, "typ_differs"},
		"empty where at+jwt is demanded":   {typed(""), strict, "typ_differs"},
		"a type of their own":              {typed("vnd.shop+jwt"), own, ""},
		"a type of their own, spelled out": {typed("application/vnd.shop+jwt"), own, ""},
		"at+jwt where another is demanded": {typed("at+jwt"), own, "typ_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.learned("").VerifyAccessToken(f.env(), c.token, c.want)
			if (err == nil) != (c.reason == "") || err != nil && Reason(err) != c.reason {
				t.Errorf("got %v, want %q", err, c.reason)
			}
		})
	}
}

func TestWhatTheSettingsRequireMustBeInTheToken(t *testing.T) {
	f := newFake(t)
	claims := with(with(with(f.accessClaims(), "realm_access", map[string]any{"roles": []string{"service", "reader"}}), "tenant", "t-1"), "level", 3)
	claims = with(with(with(claims, "empty", ""), "none", []string{}), "scp", []string{"x"})
	for name, c := range map[string]struct {
		required string
		ok       bool
	}{
		"a role among several":        {`{"realm_access.roles":["admin","service"]}`, true},
		"a role that is not there":    {`{"realm_access.roles":["admin"]}`, false},
		"half of a role":              {`{"realm_access.roles":["serv"]}`, false},
		"a value":                     {`{"tenant":["t-1"]}`, true},
		"a number":                    {`{"level":["3"]}`, true},
		"another value":               {`{"tenant":["t-2"]}`, false},
		"any value":                   {`{"tenant":[]}`, true},
		"any of a list":               {`{"realm_access.roles":[]}`, true},
		"any, of what is missing":     {`{"missing":[]}`, false},
		"any, of what is empty":       {`{"empty":[]}`, false},
		"any, of an empty list":       {`{"none":[]}`, false},
		"a value of what is missing":  {`{"missing":["x"]}`, false},
		"two, both there":             {`{"tenant":["t-1"],"level":["3"]}`, true},
		"two, one of them not there":  {`{"tenant":["t-1"],"level":["4"]}`, false},
		"an object where a value is":  {`{"realm_access":["service"]}`, false},
		"the name of a path's middle": {`{"realm_access":[]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.learned("").VerifyAccessToken(f.env(), f.accessToken(claims), f.wants(forAPI+`,"required_claims":`+c.required))
			if (err == nil) != c.ok || err != nil && Reason(err) != "claim_differs" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnyAudienceIsAcceptedWhereTheSettingsSaySo(t *testing.T) {
	f := newFake(t)
	for _, aud := range []any{nil, "account", []string{}} {
		if _, err := f.learned("").VerifyAccessToken(f.env(), f.accessToken(with(f.accessClaims(), "aud", aud)), f.wants(`,"insecure_any_audience":true`)); err != nil {
			t.Errorf("%v: %v", aud, err)
		}
	}
}

func TestATokenOfAnotherProviderIsNotVerifiedByOurKeys(t *testing.T) {
	f := newFake(t)
	other := newFake(t)
	other.keys = []jose.JSONWebKey{{Key: &testKeys().other.PublicKey, KeyID: "r1"}}
	token := sign(t, jose.RS256, testKeys().other, "r1", atJWT, f.accessClaims())
	if _, err := other.learned("").VerifyAccessToken(other.env(), token, f.wants(forAPI)); err != nil {
		t.Fatalf("its own provider: %v", err)
	}
	if _, err := f.learned("").VerifyAccessToken(f.env(), token, f.wants(forAPI)); Reason(err) != "signature" {
		t.Errorf("got %v", err)
	}
}

func TestATokenThatWouldNotBeAcceptedCostsNoKeysAndNoWait(t *testing.T) {
	f := newFake(t)
	p, unknown := f.learned(""), f.provider("")
	before := f.calls["/keys"]
	for name, c := range f.claimAttacks() {
		token := sign(t, jose.RS256, testKeys().rsa, "r9", nil, f.accessClaims())
		parts, whole := strings.Split(token, "."), strings.Split(c.token, ".")
		token = parts[0] + "." + whole[1] + "." + whole[2]
		if _, err := p.VerifyAccessToken(f.env(), token, f.wants(forAPI)); err == nil || f.calls["/keys"] != before {
			t.Errorf("%s: %v, %d fetches", name, err, f.calls["/keys"]-before)
		}
		if _, err := unknown.VerifyAccessToken(f.env(), c.token, f.wants(forAPI)); err == nil || Temporary(err) {
			t.Errorf("%s, and the provider is not known: %v", name, err)
		}
	}
}

func TestTheIssuerIsReadOfWhatIsAToken(t *testing.T) {
	f := newFake(t)
	for name, c := range map[string]struct {
		raw, issuer string
		ok          bool
	}{
		"a token":                       {f.accessToken(f.accessClaims()), issuer, true},
		"a token of another issuer":     {f.accessToken(with(f.accessClaims(), "iss", "https://other.example.com")), "https://other.example.com", true},
		"a token without an issuer":     {f.accessToken(with(f.accessClaims(), "iss", nil)), "", true},
		"an issuer that is a number":    {f.accessToken(with(f.accessClaims(), "iss", 1)), "", true},
		"an issuer twice":               {unsigned(`{"alg":"RS256"}`, `{"iss":"a","iss":"b"}`), "", true},
		"an issuer in capitals":         {unsigned(`{"alg":"RS256"}`, `{"ISS":"a"}`), "", true},
		"claims that are no JSON":       {unsigned(`{"alg":"RS256"}`, `hello`), "", true},
		"claims nested deep":            {unsigned(`{"alg":"RS256"}`, `{"iss":"a","x":`+brackets(40)+`}`), "", true},
		"an opaque token":               {"2YotnFZFEjr1zCsicMWpAA", "", false},
		"an opaque token with two dots": {"at.2YotnFZF.Ejr1zCsicMWp", "", false},
		"a header that is no object":    {unsigned(`["alg"]`, `{"iss":"a"}`), "", false},
		"a header without alg":          {unsigned(`{"kid":"r1"}`, `{"iss":"a"}`), "", false},
		"a header with alg twice":       {unsigned(`{"alg":"RS256","alg":"ES256"}`, `{"iss":"a"}`), "", false},
		"a header nested deep":          {unsigned(`{"alg":"RS256","x":`+brackets(400)+`}`, `{"iss":"a"}`), "", false},
		"a header too long":             {unsigned(`{"alg":"RS256","x":"`+strings.Repeat("x", 2000)+`"}`, `{"iss":"a"}`), "", false},
		"no signature":                  {strings.TrimSuffix(unsigned(`{"alg":"none"}`, `{"iss":"a"}`), "AAAA"), "", false},
		"an encrypted token":            {unsigned(`{"alg":"dir","enc":"A256GCM"}`, `x`) + ".AAAA.AAAA", "", false},
		"a token that is too long":      {unsigned(`{"alg":"RS256"}`, `{"iss":"a","x":"`+strings.Repeat("x", 16<<10)+`"}`), "", false},
		"dots":                          {strings.Repeat(".", 10_000), "", false},
		"nothing":                       {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := IssuerOf(c.raw); got != c.issuer || ok != c.ok {
				t.Errorf("got %q, %t", got, ok)
			}
		})
	}
}

// A stack that overflows ends the VM with all its streams.
func TestAccessTokensNestedWithoutEndTakeNoStack(t *testing.T) {
	f := newFake(t)
	p, want := f.learned(""), f.wants(forAPI)
	defer debug.SetMaxStack(debug.SetMaxStack(128 << 10))
	for _, bomb := range []string{strings.Repeat("[", 5500) + strings.Repeat("]", 5500), strings.Repeat(`{"a":`, 1800), brackets(jws.MaxNesting - 1)} {
		for _, name := range []string{"iss", "sub", "aud", "exp", "cnf", "scope", "events", "typ", "x"} {
			token := unsigned(`{"alg":"RS256","kid":"r1"}`, `{"`+name+`":`+bomb+`}`)
			if _, err := p.VerifyAccessToken(f.env(), token, want); Reason(err) != "nested_too_deep" && Reason(err) != "claims_malformed" && Reason(err) != "iss_differs" {
				t.Errorf("%s: %v", name, err)
			}
			IssuerOf(token)
			if _, err := p.ReadIntrospection([]byte(`{"active":true,"`+name+`":`+bomb+`}`), want, f.now); err == nil {
				t.Errorf("%s was accepted", name)
			}
		}
	}
}
