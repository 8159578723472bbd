package standins

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	acmeTenant  = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	otherTenant = "82229342-1101-4ab6-817b-70c0747630f3"
	entraBase   = "https://login.microsoftonline.com/"
	acmeKeys    = entraBase + acmeTenant + "/discovery/v2.0/keys"
)

func newEntraVisit(t *testing.T, edits ...func(*EntraApp, *EntraUser)) (*visitor, *Entra) {
	t.Helper()
	n, v := newNet(t)
	app := &EntraApp{
		ID: clientID, Secret: clientSecret, Tenant: acmeTenant, Redirects: []string{callback}, APIScopes: []string{"orders"}, APIVersion: 2, Groups: true,
	}
	user := &EntraUser{OID: "690222be-ff1a-4d56-abd1-7e4f7d38e474", UPN: "abe@acme.example", Password: "pw", Name: "Abe", Email: "abe@acme.example", Groups: []string{"g-1"}}
	for _, edit := range edits {
		edit(app, user)
	}
	e, err := NewEntra(n, []*EntraApp{app},
		&EntraTenant{ID: acmeTenant, Domain: "acme.example", Users: []*EntraUser{user}},
		&EntraTenant{ID: otherTenant, Domain: "other.example", Users: []*EntraUser{{OID: "o-2", UPN: "eve@other.example", Password: "pw", Name: "Eve"}}},
		&EntraTenant{ID: EntraConsumers, Domain: "live.com", Users: []*EntraUser{{OID: "o-3", UPN: "kim@outlook.com", Password: "pw", Name: "Kim"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return v, e
}

func entraSignIn(v *visitor, authority, upn, scope string, more url.Values) (*answer, url.Values) {
	v.t.Helper()
	query := url.Values{"scope": {scope}}
	for k, values := range more {
		query[k] = values
	}
	page, back := v.open(entraBase+authority+"/oauth2/v2.0/authorize", query)
	for range 2 {
		if back != nil {
			break
		}
		if strings.Contains(page.body, "passwd") {
			page, back = v.send(page, url.Values{"loginfmt": {upn}, "passwd": {"pw"}})
		} else if strings.Contains(page.body, "consent") {
			page, back = v.send(page, nil)
		}
	}
	return page, back
}

func entraTokens(v *visitor, authority, upn, scope string) object {
	v.t.Helper()
	page, back := entraSignIn(v, authority, upn, scope, nil)
	if back == nil {
		v.t.Fatalf("no code: %s", page.body)
	}
	return v.exchange(entraBase+authority+"/oauth2/v2.0/token", back.Get("code"), nil, nil).json(v.t)
}

func TestEntraSaysWhoSomebodyIs(t *testing.T) {
	v, _ := newEntraVisit(t, func(_ *EntraApp, u *EntraUser) { u.Roles = []string{"Shop.Admin"} })
	_, back := entraSignIn(v, acmeTenant, "abe@acme.example", "openid profile email offline_access User.Read", nil)
	if back.Get("iss") != "" || back.Get("session_state") == "" {
		t.Errorf("the answer is %v", back)
	}
	got := v.exchange(entraBase+acmeTenant+"/oauth2/v2.0/token", back.Get("code"), nil, nil).json(t)
	want(t, "scope", got["scope"], "openid profile email https://graph.microsoft.com/User.Read")
	claims := v.verified(got["id_token"], acmeKeys)
	wantClaims(t, claims, object{
		"iss": entraBase + acmeTenant + "/v2.0", "aud": clientID, "tid": acmeTenant, "ver": "2.0", "nonce": "n-1",
		"preferred_username": "abe@acme.example", "email_verified": nil, "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
	})
	want(t, "groups", fmt.Sprint(claims["groups"]), "[g-1]")
	want(t, "roles", fmt.Sprint(claims["roles"]), "[Shop.Admin]")
	info := v.do(http.MethodGet, "https://graph.microsoft.com/oidc/userinfo", nil, bearing(got["access_token"])).json(t)
	want(t, "userinfo's sub", info["sub"], claims["sub"])
	renewed := v.exchange(entraBase+acmeTenant+"/oauth2/v2.0/token", "", nil, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got["refresh_token"].(string)}}).json(t)
	if renewed["refresh_token"] == got["refresh_token"] || renewed["id_token"] == nil {
		t.Errorf("a renewal answers %v", renewed)
	}
}

func TestEntrasAuthorityForManyNamesATemplate(t *testing.T) {
	v, _ := newEntraVisit(t, func(a *EntraApp, _ *EntraUser) { a.Multi = true })
	for _, authority := range []string{"common", "organizations"} {
		document := v.do(http.MethodGet, entraBase+authority+"/v2.0/.well-known/openid-configuration", nil, nil).json(t)
		want(t, authority+"'s issuer", document["issuer"], entraBase+"{tenantid}/v2.0")
		keys := v.do(http.MethodGet, document["jwks_uri"].(string), nil, nil).body
		want(t, authority+"'s keys with the template", strings.Count(keys, `"issuer":"`+entraBase+`{tenantid}/v2.0"`), 1)
		want(t, authority+" has the key of personal accounts", strings.Contains(keys, entraBase+EntraConsumers), authority == "common")
	}
	claims := v.verified(entraTokens(v, "organizations", "eve@other.example", "openid")["id_token"], entraBase+"organizations/discovery/v2.0/keys")
	want(t, "iss", claims["iss"], entraBase+otherTenant+"/v2.0")
	_, fresh := newNet(t)
	fresh.net, fresh.client.Transport = v.net, v.client.Transport
	personal := fresh.verified(entraTokens(fresh, "common", "kim@outlook.com", "openid")["id_token"], entraBase+"consumers/discovery/v2.0/keys")
	want(t, "iss", personal["iss"], entraBase+EntraConsumers+"/v2.0")
}

func TestEntraKeepsTenantsApart(t *testing.T) {
	v, _ := newEntraVisit(t)
	page, back := entraSignIn(v, acmeTenant, "eve@other.example", "openid", nil)
	if back != nil || !strings.Contains(page.body, "AADSTS50020") {
		t.Errorf("somebody of another tenant: %v %s", back, page.body)
	}
	page, back = v.open(entraBase+"organizations/oauth2/v2.0/authorize", url.Values{"scope": {"openid"}})
	if back != nil || !strings.Contains(page.body, "AADSTS50194") {
		t.Errorf("an app of one tenant at the authority for many: %v %s", back, page.body)
	}
	got := v.do(http.MethodGet, entraBase+"11111111-1111-1111-1111-111111111111/v2.0/.well-known/openid-configuration", nil, nil)
	want(t, "status", got.status, http.StatusBadRequest)
}

func TestEntraPutsTooManyGroupsElsewhere(t *testing.T) {
	v, _ := newEntraVisit(t, func(_ *EntraApp, u *EntraUser) {
		u.Groups = nil
		for i := range 250 {
			u.Groups = append(u.Groups, fmt.Sprintf("g-%d", i))
		}
	})
	got := entraTokens(v, acmeTenant, "abe@acme.example", "openid User.Read GroupMember.Read.All")
	claims := v.verified(got["id_token"], acmeKeys)
	want(t, "groups", claims["groups"], nil)
	want(t, "_claim_names", fmt.Sprint(claims["_claim_names"]), "map[groups:src1]")
	ask := func(body, token string) *answer {
		req, _ := http.NewRequest(http.MethodPost, "https://graph.microsoft.com/v1.0/me/getMemberObjects", strings.NewReader(body))
		header := bearing(token)
		header.Set("Content-Type", "application/json")
		req.Header = header
		res, err := v.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text := new(strings.Builder)
		_ = res.Write(text)
		return &answer{status: res.StatusCode, body: text.String(), at: req.URL}
	}
	all := ask(`{"securityEnabledOnly":false}`, got["access_token"].(string))
	want(t, "groups in Graph's answer", strings.Count(all.body, `"g-`), 250)
	want(t, "the status without the parameter", ask(`{}`, got["access_token"].(string)).status, 400)
	want(t, "the status without a token", ask(`{"securityEnabledOnly":false}`, "x").status, 401)
	page := v.do(http.MethodGet, "https://graph.microsoft.com/v1.0/me/memberOf", nil, bearing(got["access_token"])).json(t)
	want(t, "the next page", page["@odata.nextLink"], "https://graph.microsoft.com/v1.0/me/memberOf?$skiptoken=100")
}

func TestEntraSaysWhoseAnAddressIsWhereItIsAsked(t *testing.T) {
	for _, own := range []bool{true, false} {
		v, _ := newEntraVisit(t, func(a *EntraApp, u *EntraUser) { a.EDOV, u.OwnDomain = true, own })
		want(t, "xms_edov", v.verified(entraTokens(v, acmeTenant, "abe@acme.example", "openid email")["id_token"], acmeKeys)["xms_edov"], own)
	}
	v, _ := newEntraVisit(t)
	want(t, "xms_edov", v.verified(entraTokens(v, acmeTenant, "abe@acme.example", "openid email")["id_token"], acmeKeys)["xms_edov"], nil)
}

func TestEntraIsAskedForEachScopeOnce(t *testing.T) {
	v, _ := newEntraVisit(t)
	entraTokens(v, acmeTenant, "abe@acme.example", "openid User.Read")
	if _, back := v.open(entraBase+acmeTenant+"/oauth2/v2.0/authorize", url.Values{"scope": {"openid email User.Read"}}); back.Get("code") == "" {
		t.Error("asked again about what was allowed")
	}
	page, back := v.open(entraBase+acmeTenant+"/oauth2/v2.0/authorize", url.Values{"scope": {"openid Calendars.Read"}})
	if back != nil || !strings.Contains(page.body, "Permissions requested") {
		t.Fatalf("not asked about a new scope: %v", back)
	}
	_, back = v.send(page, url.Values{"accept": {"no"}})
	want(t, "error", back.Get("error"), "access_denied")
	if !strings.HasPrefix(back.Get("error_description"), "AADSTS65004: ") {
		t.Errorf("the description is %s", back.Get("error_description"))
	}
}

func TestEntrasAccessTokensAreOfTheAPIsVersion(t *testing.T) {
	for _, test := range []struct {
		version  int
		iss, aud string
	}{
		{1, "https://sts.windows.net/" + acmeTenant + "/", "api://" + clientID},
		{2, entraBase + acmeTenant + "/v2.0", clientID},
	} {
		v, _ := newEntraVisit(t, func(a *EntraApp, _ *EntraUser) { a.APIVersion = test.version })
		got := entraTokens(v, acmeTenant, "abe@acme.example", "openid api://shop/orders")
		want(t, "scope", got["scope"], "api://shop/orders")
		claims := v.verified(got["access_token"], acmeKeys)
		want(t, "iss", claims["iss"], test.iss)
		want(t, "aud", claims["aud"], test.aud)
		want(t, "scp", claims["scp"], "orders")
		want(t, "Graph's status", v.do(http.MethodGet, "https://graph.microsoft.com/oidc/userinfo", nil, bearing(got["access_token"])).status, 401)
	}
}

func TestEntraRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		more   url.Values
		status int
		want   string
		number float64
	}{
		{"a wrong secret", url.Values{"client_secret": {"x"}}, 401, "invalid_client", 7000215},
		{"a code that is not known", url.Values{"code": {"x"}}, 400, "invalid_grant", 9002313},
		{"a verifier that does not fit", url.Values{"code_verifier": {"x"}}, 400, "invalid_grant", 501481},
		{"another redirect address", url.Values{"redirect_uri": {"x"}}, 400, "invalid_client", 500112},
		{"a refresh token that is not known", url.Values{"grant_type": {"refresh_token"}}, 400, "invalid_grant", 50173},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, _ := newEntraVisit(t)
			_, back := entraSignIn(v, acmeTenant, "abe@acme.example", "openid", nil)
			got := v.exchange(entraBase+acmeTenant+"/oauth2/v2.0/token", back.Get("code"), nil, test.more)
			want(t, "status", got.status, test.status)
			want(t, "error", got.json(t)["error"], test.want)
			want(t, "error_codes", fmt.Sprint(got.json(t)["error_codes"]), fmt.Sprint([]any{test.number}))
			if !strings.Contains(got.json(t)["error_description"].(string), "Trace ID: ") {
				t.Error("the description has no trace id")
			}
		})
	}
}

func TestEntraSignsOut(t *testing.T) {
	v, _ := newEntraVisit(t)
	entraSignIn(v, acmeTenant, "abe@acme.example", "openid", nil)
	_, back := v.follow(v.do(http.MethodGet, entraBase+acmeTenant+"/oauth2/v2.0/logout?post_logout_redirect_uri="+url.QueryEscape(callback), nil, nil))
	if back == nil {
		t.Error("the browser is not sent back")
	}
	if page, _ := v.open(entraBase+acmeTenant+"/oauth2/v2.0/authorize", url.Values{"scope": {"openid"}}); !strings.Contains(page.body, "passwd") {
		t.Error("still signed in")
	}
	page, back := v.follow(v.do(http.MethodGet, entraBase+acmeTenant+"/oauth2/v2.0/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example", nil, nil))
	if back != nil || page.status != 200 {
		t.Error("sent to an address that is not registered")
	}
}
