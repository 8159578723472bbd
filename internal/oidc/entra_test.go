package oidc

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

const (
	tenantA = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	tenantB = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	entraAt = "https://login.microsoftonline.com/"
)

func v2(tenant string) string { return entraAt + tenant + "/v2.0" }
func v1(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }

// sharedKey is a key as Entra shows it, for the tenants of an issuer.
type sharedKey struct {
	key    any
	id     string
	issuer string
}

// entra is a fake Entra of a tenant, whose discovery document names an issuer.
func entra(t *testing.T, tenant, issuer, more string, keys ...sharedKey) (*fake, *Provider) {
	t.Helper()
	f := newFake(t)
	doc := f.metadata()
	doc["issuer"], doc["jwks_uri"] = issuer, entraAt+"common/discovery/v2.0/keys"
	doc["authorization_endpoint"], doc["token_endpoint"] = entraAt+tenant+"/oauth2/v2.0/authorize", entraAt+tenant+"/oauth2/v2.0/token"
	doc["userinfo_endpoint"] = "https://graph.microsoft.com/oidc/userinfo"
	delete(doc, "authorization_response_iss_parameter_supported")
	f.on("/"+tenant+"/v2.0/.well-known/openid-configuration", jsonAnswer(200, doc), nil)
	set := []any{}
	for _, k := range keys {
		member := map[string]any{}
		text, err := jose.JSONWebKey{Key: k.key, KeyID: k.id, Use: "sig"}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		gjson.ParseBytes(text).ForEach(func(name, value gjson.Result) bool { member[name.Str] = value.Str; return true })
		if k.issuer != "" {
			member["issuer"] = k.issuer
		}
		set = append(set, member)
	}
	if len(keys) == 0 {
		for _, k := range f.keys {
			set = append(set, k)
		}
	}
	f.on("/common/discovery/v2.0/keys", jsonAnswer(200, map[string]any{"keys": set}), nil)
	settings := `{"providers":[{"name":"main","type":"entra","tenant":"` + tenant + `","cluster":"idp","client_id":"shop",` +
		`"clusters":{"graph.microsoft.com":"graph"},"client_secret":{"value":"s"}` + more + `}],` +
		`"hosts":["app.example.com"],"session":{"keys":[{"id":"k","value":"` + testKey() + `"}]}}`
	c, err := config.Parse([]byte(settings), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	p := NewProvider(&c.Providers[0], rand.Reader)
	p.OnFailure = func(err error) { f.t.Logf("learning: %v", err) }
	p.Learn(f.env())
	return f, p
}

const (
	both = `,"tenants":["` + tenantA + `","` + tenantB + `"]`
	one  = `,"tenants":["` + tenantA + `"]`
	hole = entraAt + "{tenantid}/v2.0"
)

// of are claims of a tenant.
func (f *fake) of(tenant string) map[string]any {
	return with(with(f.claims(), "iss", v2(tenant)), "tid", tenant)
}

func TestEntrasDocumentNamesTheIssuerThatItMust(t *testing.T) {
	for name, c := range map[string]struct {
		tenant, issuer, more string
		known                bool
	}{
		"a tenant":                                {tenantA, v2(tenantA), "", true},
		"another than was asked":                  {tenantA, v2(tenantB), "", false},
		"a hole in place of the tenant":           {tenantA, hole, "", false},
		"a tenant by its domain":                  {"contoso.com", v2(tenantA), "", true},
		"the domain itself":                       {"contoso.com", v2("contoso.com"), "", false},
		"a tenant by its domain, with a hole":     {"contoso.com", hole, "", false},
		"a tenant by its domain, of another host": {"contoso.com", "https://login.evil.com/" + tenantA + "/v2.0", "", false},
		"many tenants":                            {"common", hole, one, true},
		"many organisations":                      {"organizations", hole, one, true},
		"many, and one is named":                  {"common", v2(tenantA), one, false},
		"personal accounts":                       {"consumers", v2(personal), "", true},
		"personal accounts, of a tenant":          {"consumers", v2(tenantA), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, p := entra(t, c.tenant, c.issuer, c.more); p.Known() != c.known {
				t.Errorf("known: %v", p.Known())
			}
		})
	}
}

func TestATokenIsOfATenantWhosePeopleMaySignIn(t *testing.T) {
	for name, c := range map[string]struct {
		tenant, document, more string
		iss, tid               any
		reason                 string
	}{
		"the tenant":                         {tenantA, v2(tenantA), "", v2(tenantA), tenantA, ""},
		"the tenant, named once":             {tenantA, v2(tenantA), "", v2(tenantA), nil, ""},
		"another one":                        {tenantA, v2(tenantA), "", v2(tenantB), tenantB, "iss_differs"},
		"two of them":                        {tenantA, v2(tenantA), "", v2(tenantA), tenantB, "iss_differs"},
		"one by its domain":                  {"contoso.com", v2(tenantA), "", v2(tenantA), tenantA, ""},
		"another than the domain's":          {"contoso.com", v2(tenantA), "", v2(tenantB), tenantB, "iss_differs"},
		"one of many":                        {"common", hole, both, v2(tenantB), tenantB, ""},
		"one that is not among many":         {"common", hole, one, v2(tenantB), tenantB, "tenant_not_allowed"},
		"one of any":                         {"organizations", hole, `,"insecure_any_tenant":true`, v2(tenantB), tenantB, ""},
		"a personal account among any":       {"common", hole, `,"insecure_any_tenant":true`, v2(personal), personal, ""},
		"one among organisations":            {"organizations", hole, `,"insecure_any_tenant":true`, v2(personal), personal, "tenant_not_allowed"},
		"one of many, named once":            {"common", hole, both, v2(tenantA), nil, "iss_differs"},
		"one of many, named as another":      {"common", hole, both, v2(tenantA), tenantB, "iss_differs"},
		"one of many, as a number":           {"common", hole, both, v2(tenantA), 5, "iss_differs"},
		"the hole itself":                    {"common", hole, both, hole, "{tenantid}", "iss_differs"},
		"the word for many":                  {"common", hole, both, v2("common"), "common", "iss_differs"},
		"one in capitals":                    {"common", hole, both, v2(strings.ToUpper(tenantA)), strings.ToUpper(tenantA), "iss_differs"},
		"one of many at another host":        {"common", hole, both, "https://login.evil.com/" + tenantA + "/v2.0", tenantA, "iss_differs"},
		"one of many with something behind":  {"common", hole, both, v2(tenantA) + "/", tenantA, "iss_differs"},
		"one of many in the first version":   {"common", hole, both, v1(tenantA), tenantA, "iss_differs"},
		"the tenant in the first version":    {tenantA, v2(tenantA), "", v1(tenantA), tenantA, "iss_differs"},
		"a personal account":                 {"consumers", v2(personal), "", v2(personal), personal, ""},
		"another than of a personal account": {"consumers", v2(personal), "", v2(tenantA), tenantA, "iss_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := entra(t, c.tenant, c.document, c.more)
			raw := f.idToken(with(with(f.claims(), "iss", c.iss), "tid", c.tid))
			id, err := p.Identify(f.env(), Tokens{ID: raw, Access: "at-1"}, "n-1")
			switch {
			case c.reason != "" && Reason(err) != c.reason, c.reason == "" && err != nil:
				t.Fatalf("got %+v, %v; want %q", id, err, c.reason)
			case c.reason == "" && id.Issuer != c.iss:
				t.Errorf("the issuer is %q", id.Issuer)
			}
		})
	}
}

func TestAnEntraIsKnownWithoutAWayToItsUserinfo(t *testing.T) {
	f, p := entra(t, tenantA, v2(tenantA), `,"userinfo":"never"`)
	if !p.HasUserinfo() {
		t.Error("there is a cluster for it")
	}
	delete(p.settings.Clusters, "graph.microsoft.com")
	f.now = f.now.Add(p.settings.MetadataRefresh.Std())
	p.Learn(f.env())
	if !p.Known() || p.HasUserinfo() {
		t.Errorf("known %v, with userinfo %v", p.Known(), p.HasUserinfo())
	}
	p.settings.Userinfo = "auto"
	fresh := NewProvider(p.settings, rand.Reader)
	fresh.Learn(f.env())
	if fresh.Known() {
		t.Error("what is to be asked cannot be, and nobody says so")
	}
}

func TestARenewedTokenIsOfTheSameTenant(t *testing.T) {
	f, p := entra(t, "common", hole, both)
	was := Original{Issuer: v2(tenantA), Subject: "u-1", NonceHash: NonceHash("n-1")}
	if _, err := p.IdentifyAgain(f.env(), Tokens{ID: f.idToken(f.of(tenantA)), Access: "at-1"}, was); err != nil {
		t.Error(err)
	}
	// A subject is somebody else's in another tenant.
	if _, err := p.IdentifyAgain(f.env(), Tokens{ID: f.idToken(f.of(tenantB)), Access: "at-1"}, was); Reason(err) != "iss_differs" {
		t.Errorf("got %v", err)
	}
}

func TestAKeyOfOneTenantSignsForNoOther(t *testing.T) {
	k := testKeys()
	for name, c := range map[string]struct {
		keys   []sharedKey
		key    any
		tenant string
		reason string
	}{
		"a key for all":                   {[]sharedKey{{&k.rsa.PublicKey, "r1", hole}}, k.rsa, tenantB, ""},
		"a key that does not say":         {[]sharedKey{{&k.rsa.PublicKey, "r1", ""}}, k.rsa, tenantA, ""},
		"a key of the tenant":             {[]sharedKey{{&k.rsa.PublicKey, "r1", v2(tenantA)}}, k.rsa, tenantA, ""},
		"a key of the tenant for v1":      {[]sharedKey{{&k.rsa.PublicKey, "r1", v1("{tenantid}")}}, k.rsa, tenantA, ""},
		"a key of another tenant":         {[]sharedKey{{&k.rsa.PublicKey, "r1", v2(tenantB)}}, k.rsa, tenantA, "key_unknown"},
		"a key of another host":           {[]sharedKey{{&k.rsa.PublicKey, "r1", "https://login.evil.com/{tenantid}/v2.0"}}, k.rsa, tenantA, "key_unknown"},
		"one name, two keys":              {[]sharedKey{{&k.other.PublicKey, "r1", v2(tenantB)}, {&k.rsa.PublicKey, "r1", v2(tenantA)}}, k.rsa, tenantA, ""},
		"one name, and the other's key":   {[]sharedKey{{&k.other.PublicKey, "r1", v2(tenantB)}, {&k.rsa.PublicKey, "r1", v2(tenantA)}}, k.rsa, tenantB, "signature"},
		"one name, two keys for the same": {[]sharedKey{{&k.other.PublicKey, "r1", hole}, {&k.rsa.PublicKey, "r1", v2(tenantA)}}, k.rsa, tenantA, "key_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := entra(t, "common", hole, both, c.keys...)
			_, err := p.Identify(f.env(), Tokens{ID: sign(t, jose.RS256, c.key, "r1", nil, f.of(c.tenant)), Access: "at-1"}, "n-1")
			if c.reason != "" && Reason(err) != c.reason || c.reason == "" && err != nil {
				t.Errorf("got %v, want %q", err, c.reason)
			}
		})
	}
}

func TestAKeyThatChangesHandsIsNotTheSame(t *testing.T) {
	for tenant, other := range map[string]string{tenantA: tenantB, tenantB: tenantA} {
		f, p := entra(t, "common", hole, both, sharedKey{&testKeys().rsa.PublicKey, "r1", v2(tenant)})
		raw := sign(t, jose.RS256, testKeys().rsa, "r1", nil, accessClaimsOf(f, tenant))
		token, err := p.VerifyAccessToken(f.env(), raw, accessWanted())
		if err != nil || !p.StillGood(token) {
			t.Fatalf("%v, %v", token, err)
		}
		for holder, good := range map[string]bool{other: false, "{tenantid}": true} {
			again, _ := entra(t, "common", hole, both, sharedKey{&testKeys().rsa.PublicKey, "r1", v2(holder)})
			f.answers["/common/discovery/v2.0/keys"] = again.answers["/common/discovery/v2.0/keys"]
			f.now = f.now.Add(p.settings.KeysRefresh.Std())
			p.Learn(f.env())
			if p.StillGood(token) != good {
				t.Errorf("a key of %s vouches for a token of %s: %v", holder, tenant, !good)
			}
		}
	}
}

func accessWanted() *config.Bearer {
	return &config.Bearer{Audiences: []string{"api"}, Types: []string{"JWT"}, Algorithms: []string{"RS256"}, MaxLifetime: config.Duration(1e14)}
}

func accessClaimsOf(f *fake, tenant string) map[string]any {
	return map[string]any{
		"iss": v2(tenant), "tid": tenant, "aud": "api", "sub": "u-1", "scp": "orders", "ver": "2.0",
		"iat": f.now.Unix(), "exp": f.now.Add(3600e9).Unix(),
	}
}

func TestAccessTokensAreOfEitherVersion(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]any
		reason string
	}{
		"the second":                     {nil, ""},
		"the first":                      {map[string]any{"iss": v1(tenantA), "ver": "1.0"}, ""},
		"the first, that says otherwise": {map[string]any{"iss": v1(tenantA)}, "iss_differs"},
		"the first, that does not say":   {map[string]any{"iss": v1(tenantA), "ver": nil}, "iss_differs"},
		"the first, of another tenant":   {map[string]any{"iss": v1(tenantB), "ver": "1.0", "tid": tenantB}, "tenant_not_allowed"},
		"the first, named as another":    {map[string]any{"iss": v1(tenantA), "ver": "1.0", "tid": tenantB}, "iss_differs"},
		"the second, of another tenant":  {map[string]any{"iss": v2(tenantB), "tid": tenantB}, "tenant_not_allowed"},
		"the first, of another cloud":    {map[string]any{"iss": "https://sts.chinacloudapi.cn/" + tenantA + "/", "ver": "1.0"}, "iss_differs"},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := entra(t, "organizations", hole, one)
			claims := accessClaimsOf(f, tenantA)
			for name, value := range c.change {
				claims = with(claims, name, value)
			}
			token, err := p.VerifyAccessToken(f.env(), sign(t, jose.RS256, testKeys().rsa, "r1", nil, claims), accessWanted())
			switch {
			case c.reason != "" && Reason(err) != c.reason, c.reason == "" && err != nil:
				t.Fatalf("got %v, want %q", err, c.reason)
			case c.reason == "" && token.Issuer != claims["iss"]:
				t.Errorf("the issuer is %q", token.Issuer)
			case c.reason == "" && !p.Speaks(token.Issuer):
				t.Error("it is not known whose token it is")
			}
		})
	}
}

func TestWhoseTokensAProviderSpeaksFor(t *testing.T) {
	for name, c := range map[string]struct {
		tenant, document, more string
		issuer                 string
		want                   bool
	}{
		"its own":                             {tenantA, v2(tenantA), "", v2(tenantA), true},
		"its own of the first version":        {tenantA, v2(tenantA), "", v1(tenantA), true},
		"another tenant's":                    {tenantA, v2(tenantA), "", v2(tenantB), false},
		"nobody's":                            {tenantA, v2(tenantA), "", "", false},
		"one of many":                         {"common", hole, both, v2(tenantB), true},
		"one that is not among many":          {"common", hole, one, v2(tenantB), false},
		"the word for many":                   {"common", hole, both, v2("common"), false},
		"a domain's tenant":                   {"contoso.com", v2(tenantA), "", v2(tenantA), true},
		"another than the domain's":           {"contoso.com", v2(tenantA), "", v2(tenantB), false},
		"any, as long as it is not known":     {"contoso.com", hole, "", v2(tenantB), true},
		"not just any, even then":             {"contoso.com", hole, "", "https://evil.com/" + tenantB + "/v2.0", false},
		"a personal account among businesses": {"organizations", hole, `,"insecure_any_tenant":true`, v2(personal), false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, p := entra(t, c.tenant, c.document, c.more); p.Speaks(c.issuer) != c.want {
				t.Errorf("got %v", !c.want)
			}
		})
	}
	if p := newFake(t).provider(""); !p.Speaks(issuer) || p.Speaks(issuer+"/") || p.Speaks("") {
		t.Error("any other provider speaks for its own issuer")
	}
}

func TestGroupsThatWereLeftOutAreFetched(t *testing.T) {
	const path = "/v1.0/me/getMemberObjects"
	names := map[string]any{"groups": "src1"}
	sources := map[string]any{"src1": map[string]any{"endpoint": "https://graph.windows.net/" + tenantA + "/users/u/getMemberObjects"}}
	always := func(string) bool { return true }
	for name, c := range map[string]struct {
		claims    map[string]any
		wants     func(string) bool
		answer    flow.Response
		err       error
		groups    string // JSON, "" where there are none
		asked     bool
		reason    string
		temporary bool
	}{
		"more than a token holds":       {map[string]any{"_claim_names": names, "_claim_sources": sources}, always, rawAnswer(200, "application/json", `{"value":["g1","g2"]}`), nil, `["g1","g2"]`, true, "", false},
		"as the first version says it":  {map[string]any{"hasgroups": true}, always, rawAnswer(200, "application/json", `{"value":[]}`), nil, `[]`, true, "", false},
		"that nobody wants":             {map[string]any{"_claim_names": names}, func(c string) bool { return c != "groups" }, rawAnswer(500, "", ""), nil, "", false, "", false},
		"of something else":             {map[string]any{"_claim_names": map[string]any{"roles": "src1"}}, always, rawAnswer(500, "", ""), nil, "", false, "", false},
		"none were left out":            {map[string]any{"groups": []string{"g0"}}, always, rawAnswer(500, "", ""), nil, `["g0"]`, false, "", false},
		"while Graph is down":           {map[string]any{"_claim_names": names}, always, rawAnswer(503, "application/json", "{}"), nil, "", true, "groups_not_resolved", true},
		"with a token for something":    {map[string]any{"_claim_names": names}, always, rawAnswer(401, "application/json", "{}"), nil, "", true, "groups_not_resolved", false},
		"without a list in the answer":  {map[string]any{"_claim_names": names}, always, rawAnswer(200, "application/json", `{"value":"g1"}`), nil, "", true, "groups_not_resolved", false},
		"with other things in the list": {map[string]any{"_claim_names": names}, always, rawAnswer(200, "application/json", `{"value":["g1",{"id":"g2"}]}`), nil, "", true, "groups_not_resolved", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := entra(t, tenantA, v2(tenantA), "")
			claims := f.of(tenantA)
			for name, value := range c.claims {
				claims[name] = value
			}
			id, err := p.Identify(f.env(), Tokens{ID: f.idToken(claims), Access: "at-1"}, "n-1")
			if err != nil {
				t.Fatal(err)
			}
			f.on(path, c.answer, c.err)
			err = p.Complete(f.env(), id, Access{Token: "at-1"}, c.wants)
			if c.reason != "" && (Reason(err) != c.reason || Temporary(err) != c.temporary) || c.reason == "" && err != nil {
				t.Fatalf("got %v", err)
			}
			if got := gjson.GetBytes(id.Claims, "groups").Raw; got != c.groups {
				t.Errorf("groups %s, want %s", got, c.groups)
			}
			if asked := f.calls[path] > 0; asked != c.asked {
				t.Errorf("asked: %v", asked)
			}
			if c.asked && (f.last.Authority != "graph.microsoft.com" || f.last.Cluster != "graph" || f.last.Method != "POST" || string(f.last.Body) != `{"securityEnabledOnly":false}`) {
				t.Errorf("the call: %s %s %s %s", f.last.Cluster, f.last.Method, f.last.Authority, f.last.Body)
			}
			if got := gjson.GetBytes(id.Claims, "sub").Str; got != "u-1" {
				t.Errorf("the subject is %q", got)
			}
		})
	}
}

func TestAnAddressFromAnotherTenantIsNotAVerifiedOne(t *testing.T) {
	nothing := func(string) bool { return false }
	for name, c := range map[string]struct {
		tenant, document, more string
		of                     string
		edov                   any
		want                   string // JSON of email_verified
	}{
		"of one tenant":                 {tenantA, v2(tenantA), "", tenantA, nil, ""},
		"of many":                       {"common", hole, both, tenantA, nil, "false"},
		"of many, who say that it is":   {"common", hole, both, tenantA, true, ""},
		"of many, in another spelling":  {"common", hole, both, tenantA, "1", ""},
		"of many, who say that it isnt": {"common", hole, both, tenantA, false, "false"},
		"of a personal account":         {"consumers", v2(personal), "", personal, nil, "false"},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := entra(t, c.tenant, c.document, c.more)
			id, err := p.Identify(f.env(), Tokens{ID: f.idToken(with(f.of(c.of), "xms_edov", c.edov)), Access: "at-1"}, "n-1")
			if err == nil {
				err = p.Complete(f.env(), id, Access{Token: "at-1"}, nothing)
			}
			if got := gjson.GetBytes(id.Claims, "email_verified").Raw; err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestMicrosoftsCloudsHaveAddressesOfTheirOwn(t *testing.T) {
	for host, want := range map[string]cloud{
		"login.microsoftonline.com":        {"https://graph.microsoft.com", "https://sts.windows.net/"},
		"login.microsoftonline.us":         {"https://graph.microsoft.us", "https://sts.windows.net/"},
		"login.partner.microsoftonline.cn": {"https://microsoftgraph.chinacloudapi.cn", "https://sts.chinacloudapi.cn/"},
	} {
		p := &Provider{host: host}
		if diff := cmp.Diff(want, p.cloud(), cmp.AllowUnexported(cloud{})); diff != "" {
			t.Errorf("%s:\n%s", host, diff)
		}
	}
}
