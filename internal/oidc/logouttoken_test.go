package oidc

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
)

// logoutTokenClaims are those of a good logout token.
func (f *fake) logoutTokenClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "sub": "u-1", "aud": "shop", "sid": "s-1", "jti": "j-1",
		"iat": f.now.Unix(), "exp": f.now.Add(2 * time.Minute).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
}

func (f *fake) logoutToken(claims map[string]any) string {
	return sign(f.t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "logout+jwt"}, claims)
}

func TestAGoodLogoutTokenIsAccepted(t *testing.T) {
	f := newFake(t)
	good := f.logoutTokenClaims()
	typed := func(typ string) string {
		return sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": typ}, good)
	}
	whole := LogoutToken{Issuer: issuer, SID: "s-1", Subject: "u-1", ID: "j-1", Issued: time.Unix(f.now.Unix(), 0)}
	changed := func(change func(*LogoutToken)) LogoutToken { l := whole; change(&l); return l }
	for name, c := range map[string]struct {
		token string
		want  LogoutToken
	}{
		"with every claim":               {f.logoutToken(good), whole},
		"of the type JWT":                {typed("JWT"), whole},
		"of a type in capitals":          {typed("LOGOUT+JWT"), whole},
		"without a type":                 {sign(t, jose.RS256, testKeys().rsa, "r1", nil, good), whole},
		"signed by ES256":                {sign(t, jose.ES256, testKeys().ec, "e1", nil, good), whole},
		"of a session and nobody":        {f.logoutToken(with(good, "sub", nil)), changed(func(l *LogoutToken) { l.Subject = "" })},
		"of a person and no session":     {f.logoutToken(with(good, "sid", nil)), changed(func(l *LogoutToken) { l.SID = "" })},
		"for us among others":            {f.logoutToken(with(good, "aud", []string{"other", "shop"})), whole},
		"with an event that says more":   {f.logoutToken(with(good, "events", map[string]any{logoutEvent: map[string]any{"a": 1}, "x": 1})), whole},
		"five minutes old":               {f.logoutToken(with(good, "iat", f.now.Add(-5*time.Minute).Unix())), changed(func(l *LogoutToken) { l.Issued = l.Issued.Add(-5 * time.Minute) })},
		"expired within the leeway":      {f.logoutToken(with(good, "exp", f.now.Add(-59*time.Second).Unix())), whole},
		"that is to last for ever":       {f.logoutToken(with(good, "exp", 1e300)), whole},
		"with a name as long as allowed": {f.logoutToken(with(good, "jti", strings.Repeat("j", 255))), changed(func(l *LogoutToken) { l.ID = strings.Repeat("j", 255) })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.learned("").VerifyLogoutToken(f.env(), c.token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestALogoutTokenWithOneThingWrongIsRefused(t *testing.T) {
	f := newFake(t)
	good := f.logoutTokenClaims()
	long := strings.Repeat("a", 256)
	for name, c := range map[string]struct {
		claims map[string]any
		reason string
	}{
		"issuer of somebody else":        {with(good, "iss", "https://evil.example.com"), "iss_differs"},
		"issuer missing":                 {with(good, "iss", nil), "iss_differs"},
		"audience of somebody else":      {with(good, "aud", "other"), "aud_differs"},
		"audience of others":             {with(good, "aud", []string{"other", "shop2"}), "aud_differs"},
		"audience missing":               {with(good, "aud", nil), "aud_differs"},
		"audience empty":                 {with(good, "aud", []string{}), "aud_differs"},
		"audience in a list of a list":   {with(good, "aud", [][]string{{"shop"}}), "claims_malformed"},
		"time of issue missing":          {with(good, "iat", nil), "iat_missing"},
		"issued in the future":           {with(good, "iat", f.now.Add(2*time.Minute).Unix()), "iat_in_future"},
		"issued too long ago":            {with(good, "iat", f.now.Add(-6*time.Minute).Unix()), "iat_too_old"},
		"expiry missing":                 {with(good, "exp", nil), "exp_missing"},
		"expired":                        {with(good, "exp", f.now.Add(-time.Minute).Unix()), "expired"},
		"expiry a string":                {with(good, "exp", "1900000000"), "claims_malformed"},
		"not valid yet":                  {with(good, "nbf", f.now.Add(2*time.Minute).Unix()), "not_valid_yet"},
		"id missing":                     {with(good, "jti", nil), "jti_malformed"},
		"id empty":                       {with(good, "jti", ""), "jti_malformed"},
		"id too long":                    {with(good, "jti", long), "jti_malformed"},
		"id a number":                    {with(good, "jti", 7), "claims_malformed"},
		"events missing":                 {with(good, "events", nil), "event_missing"},
		"events of another kind":         {with(good, "events", map[string]any{"http://example.com/event": map[string]any{}}), "event_missing"},
		"events a list":                  {with(good, "events", []string{logoutEvent}), "event_missing"},
		"events a string":                {with(good, "events", logoutEvent), "event_missing"},
		"the event's value a string":     {with(good, "events", map[string]any{logoutEvent: "{}"}), "event_missing"},
		"the event's value a list":       {with(good, "events", map[string]any{logoutEvent: []any{}}), "event_missing"},
		"the event's value null":         {with(good, "events", map[string]any{logoutEvent: json.RawMessage("null")}), "event_missing"},
		"a nonce":                        {with(good, "nonce", "n-1"), "nonce_present"},
		"an empty nonce":                 {with(good, "nonce", ""), "nonce_present"},
		"a nonce of null":                {with(good, "nonce", json.RawMessage("null")), "nonce_present"},
		"neither session nor person":     {with(with(good, "sub", nil), "sid", nil), "sid_and_sub_missing"},
		"both empty":                     {with(with(good, "sub", ""), "sid", ""), "sid_and_sub_missing"},
		"a session's id that is long":    {with(good, "sid", long), "sid_or_sub_malformed"},
		"a person's that is long":        {with(good, "sub", long), "sid_or_sub_malformed"},
		"a session's id in a list":       {with(good, "sid", []string{"s-1"}), "claims_malformed"},
		"the claims of an ID token":      {f.claims(), "event_missing"},
		"an ID token with event":         {with(f.claims(), "events", good["events"]), "nonce_present"},
		"events nested without end":      {with(good, "events", json.RawMessage(nested(1500))), "event_missing"},
		"more claims than are looked at": {with(good, "x", strings.Repeat("a", MaxLogoutToken)), "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.learned("").VerifyLogoutToken(f.env(), f.logoutToken(c.claims))
			if Reason(err) != c.reason || got != nil {
				t.Errorf("got %v, want %s", err, c.reason)
			}
		})
	}
}

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
}

func TestALogoutTokenThatTheProviderDidNotSignIsRefused(t *testing.T) {
	f := newFake(t)
	k, claims := testKeys(), f.logoutTokenClaims()
	good := f.logoutToken(claims)
	parts := strings.Split(good, ".")
	head := func(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }
	typed := map[jose.HeaderKey]any{"typ": "logout+jwt"}
	pub, err := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})
	changed, err := json.Marshal(with(claims, "sid", "s-2"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ token, reason string }{
		"alg none":                             {head(`{"alg":"none","typ":"logout+jwt"}`) + "." + parts[1] + ".", "malformed_or_algorithm"},
		"no alg":                               {head(`{"kid":"r1"}`) + "." + parts[1] + "." + parts[2], "malformed_or_algorithm"},
		"HS256 with the public key":            {sign(t, jose.HS256, block, "r1", typed, claims), "malformed_or_algorithm"},
		"HS256 with the client secret":         {sign(t, jose.HS256, []byte(secret+secret), "", typed, claims), "malformed_or_algorithm"},
		"an algorithm not allowed":             {sign(t, jose.RS512, k.rsa, "r1", typed, claims), "malformed_or_algorithm"},
		"another issuer's key":                 {sign(t, jose.RS256, k.other, "r1", typed, claims), "signature"},
		"another issuer's key, without a name": {sign(t, jose.RS256, k.other, "", typed, claims), "signature"},
		"a key that it brings itself": {sign(t, jose.RS256, k.other, "r1", map[jose.HeaderKey]any{
			"jwk": jose.JSONWebKey{Key: &k.other.PublicKey, KeyID: "r1"}}, claims), "signature"},
		"a key that is not known": {sign(t, jose.RS256, k.rsa, "r9", typed, claims), "key_unknown"},
		"a key of another kind":   {sign(t, jose.ES256, k.ec, "r1", typed, claims), "key_unknown"},
		"an ID token's key and an access token's type": {sign(t, jose.RS256, k.rsa, "r1",
			map[jose.HeaderKey]any{"typ": "at+jwt"}, claims), "typ_differs"},
		"a type that is no string": {head(`{"alg":"RS256","kid":"r1","typ":7}`) + "." + parts[1] + "." + parts[2], "typ_differs"},
		"an unknown critical extension": {sign(t, jose.RS256, k.rsa, "r1",
			map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}, claims), "extension_unknown"},
		"changed claims":          {parts[0] + "." + base64.RawURLEncoding.EncodeToString(changed) + "." + parts[2], "signature"},
		"the signature missing":   {parts[0] + "." + parts[1] + ".", "malformed_or_algorithm"},
		"two parts":               {parts[0] + "." + parts[1], "malformed_or_algorithm"},
		"many dots":               {strings.Repeat(".", 10_000), "malformed_or_algorithm"},
		"JSON serialisation":      {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, "malformed_or_algorithm"},
		"nothing":                 {"", "malformed_or_algorithm"},
		"a header nested deep":    {head(`{"alg":"RS256","kid":`+nested(2000)+`}`) + "." + parts[1] + "." + parts[2], "too_large"},
		"a header of one bracket": {head(strings.Repeat("[", 3000)) + "." + parts[1] + "." + parts[2], "too_large"},
		"more than is looked at":  {strings.Repeat("a", MaxLogoutToken+1), "too_large"},
		"claims that are no JSON": {parts[0] + "." + head("hello") + "." + parts[2], "claims_malformed"},
		"a claim given twice":     {parts[0] + "." + head(`{"iss":"`+issuer+`","iss":"`+issuer+`"}`) + "." + parts[2], "claims_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := f.learned("").VerifyLogoutToken(f.env(), c.token)
			if Reason(err) != c.reason || got != nil {
				t.Errorf("got %v, want %s", err, c.reason)
			}
			if strings.Contains(err.Error(), "s-1") || strings.Contains(err.Error(), "u-1") {
				t.Errorf("%q repeats what it was about", err)
			}
		})
	}
}

func TestATokenThatWouldNotBeAcceptedMakesNobodyFetchKeys(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	before := f.calls["/keys"]
	token := sign(t, jose.RS256, testKeys().rsa, "r9", nil, with(f.logoutTokenClaims(), "aud", "other"))
	if _, err := p.VerifyLogoutToken(f.env(), token); Reason(err) != "aud_differs" || f.calls["/keys"] != before {
		t.Errorf("got %v, %d fetches", err, f.calls["/keys"]-before)
	}
}

func TestTokensOfKeysThatAreNotKnownWaitInABoundedNumber(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	token := sign(t, jose.RS256, testKeys().rsa, "r9", nil, f.logoutTokenClaims())
	calls := uint32(0)
	s := flow.NewScheduler(func(flow.Call) (uint32, error) { calls++; return calls, nil }, func() time.Time { return f.now })
	results := make([]error, maxStrangers+1)
	for i := range results {
		s.Go(func(env flow.Env) { _, results[i] = p.VerifyLogoutToken(env, token) })
	}
	if Reason(results[maxStrangers]) != "too_many_waiting" || !Temporary(results[maxStrangers]) || p.Parked() != maxStrangers {
		t.Errorf("one too many: %v, %d wait", results[maxStrangers], p.Parked())
	}
	s.Deliver(1, jsonAnswer(200, jose.JSONWebKeySet{Keys: f.keys}), nil)
	if calls != 1 || p.Parked() != 0 || Reason(results[0]) != "key_unknown" {
		t.Errorf("%d calls, %d wait, %v", calls, p.Parked(), results[0])
	}
}

func TestALogoutTokenIsNoIDTokenAndTheReverse(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	logout := sign(t, jose.RS256, testKeys().rsa, "r1", map[jose.HeaderKey]any{"typ": "JWT"}, f.logoutTokenClaims())
	if _, err := p.VerifyIDToken(f.env(), logout, "n-1", "at-1"); Reason(err) != "is_logout_token" {
		t.Errorf("at a login: %v", err)
	}
	if _, err := p.VerifyRenewed(f.env(), logout, Original{Issuer: issuer, Subject: "u-1"}, "at-1"); Reason(err) != "is_logout_token" {
		t.Errorf("at a renewal: %v", err)
	}
	if _, err := p.VerifyLogoutToken(f.env(), f.idToken(f.claims())); Reason(err) != "event_missing" {
		t.Errorf("at a logout: %v", err)
	}
}

func TestALogoutTokenWaitsForTheProviderToBeKnown(t *testing.T) {
	f := newFake(t)
	if _, err := f.provider("").VerifyLogoutToken(f.env(), f.logoutToken(f.logoutTokenClaims())); !Temporary(err) {
		t.Errorf("got %v", err)
	}
}

// Anybody can post a token, and a stack that overflows ends the VM with all
// its streams.
func TestClaimsNestedWithoutEndTakeNoStack(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	defer debug.SetMaxStack(debug.SetMaxStack(128 << 10))
	for _, bomb := range []string{strings.Repeat("[", 5500) + strings.Repeat("]", 5500), nested(1800)} {
		for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "sid", "events", "nonce", "x"} {
			claims := `{"iss":"` + issuer + `","aud":"shop","` + name + `":` + bomb + `}`
			if name == "iss" || name == "aud" {
				claims = `{"` + name + `":` + bomb + `}`
			}
			token := part(`{"alg":"RS256","kid":"r1"}`) + "." + part(claims) + ".AAAA"
			if _, err := p.VerifyLogoutToken(f.env(), token); Reason(err) != "claims_malformed" && Reason(err) != "event_missing" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
