package standins

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	googleAuth  = "https://accounts.google.com/o/oauth2/v2/auth"
	googleToken = "https://oauth2.googleapis.com/token"
)

func newGoogleVisit(t *testing.T) (*visitor, *Google) {
	t.Helper()
	n, v := newNet(t)
	g, err := NewGoogle(n, []*GoogleClient{{ID: clientID, Secret: clientSecret, Redirects: []string{callback}}},
		&GoogleUser{Sub: "110169484474386276334", Email: "jane@example.com", Password: "pw", Given: "Jane", Family: "Doe", Domain: "example.com"},
		&GoogleUser{Sub: "1", Email: "eve@gmail.com", Password: "pw", Given: "Eve", Family: "Doe"},
	)
	if err != nil {
		t.Fatal(err)
	}
	return v, g
}

// signIn goes through all of Google's pages.
func googleSignIn(v *visitor, email string, more url.Values) url.Values {
	v.t.Helper()
	query := url.Values{"scope": {"openid email profile"}}
	for k, values := range more {
		query[k] = values
	}
	page, back := v.open(googleAuth, query)
	for range 2 {
		if back != nil {
			break
		}
		if strings.Contains(page.body, "Passwd") {
			page, back = v.send(page, url.Values{"identifier": {email}, "Passwd": {"pw"}})
		} else {
			page, back = v.send(page, nil)
		}
	}
	return back
}

func TestGoogleSaysWhoSomebodyIs(t *testing.T) {
	v, _ := newGoogleVisit(t)
	back := googleSignIn(v, "jane@example.com", nil)
	want(t, "iss", back.Get("iss"), "https://accounts.google.com")
	want(t, "hd", back.Get("hd"), "example.com")
	got := v.exchange(googleToken, back.Get("code"), nil, nil).json(t)
	want(t, "scope", got["scope"], "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile")
	want(t, "refresh_token", got["refresh_token"], nil)
	claims := v.verified(got["id_token"], "https://www.googleapis.com/oauth2/v3/certs")
	wantClaims(t, claims, object{
		"iss": "https://accounts.google.com", "aud": clientID, "azp": clientID, "sub": "110169484474386276334", "hd": "example.com",
		"email": "jane@example.com", "email_verified": true, "nonce": "n-1", "at_hash": halfHash(got["access_token"].(string)),
		"sid": nil, "preferred_username": nil,
	})
	info := v.do(http.MethodGet, "https://openidconnect.googleapis.com/v1/userinfo", nil, bearing(got["access_token"])).json(t)
	want(t, "userinfo's sub", info["sub"], claims["sub"])
}

func TestGoogleGivesARefreshTokenForConsentAlone(t *testing.T) {
	v, g := newGoogleVisit(t)
	offline := url.Values{"access_type": {"offline"}}
	refresh := func(more url.Values) any {
		return v.exchange(googleToken, googleSignIn(v, "jane@example.com", more).Get("code"), nil, nil).json(t)["refresh_token"]
	}
	if refresh(offline) == nil {
		t.Error("none the first time")
	}
	want(t, "the second time's refresh token", refresh(offline), nil)
	offline.Set("prompt", "consent")
	token := refresh(offline)
	if token == nil {
		t.Fatal("none with consent anew")
	}
	renewal := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
	got := v.exchange(googleToken, "", nil, renewal).json(t)
	want(t, "a renewal's refresh token", got["refresh_token"], nil)
	claims := v.verified(got["id_token"], "https://www.googleapis.com/oauth2/v3/certs")
	want(t, "a renewal's nonce", claims["nonce"], nil)
	g.Withdraw("jane@example.com")
	refused := v.exchange(googleToken, "", nil, renewal)
	want(t, "status", refused.status, http.StatusBadRequest)
	want(t, "error", refused.json(t)["error"], "invalid_grant")
	want(t, "userinfo's status", v.do(http.MethodGet, "https://openidconnect.googleapis.com/v1/userinfo", nil, bearing(got["access_token"])).status, 401)
}

func TestGooglesHostedDomainIsAHint(t *testing.T) {
	v, _ := newGoogleVisit(t)
	for _, hd := range []string{"example.com", "*"} {
		if back := googleSignIn(v, "eve@gmail.com", url.Values{"hd": {hd}}); back != nil {
			t.Errorf("hd=%s offers an account of nobody's domain", hd)
		}
	}
	back := googleSignIn(v, "eve@gmail.com", nil)
	claims := v.verified(v.exchange(googleToken, back.Get("code"), nil, nil).json(t)["id_token"], "https://www.googleapis.com/oauth2/v3/certs")
	want(t, "hd", claims["hd"], nil)
}

func TestGoogleRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		more   url.Values
		status int
		want   string
	}{
		{"a wrong secret", url.Values{"client_secret": {"other"}}, 401, "invalid_client"},
		{"a code that is not known", url.Values{"code": {"other"}}, 400, "invalid_grant"},
		{"a verifier that does not fit", url.Values{"code_verifier": {"other"}}, 400, "invalid_grant"},
		{"another redirect address", url.Values{"redirect_uri": {"https://shop.example.com/x"}}, 400, "redirect_uri_mismatch"},
		{"a refresh token that is not known", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 400, "invalid_grant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, _ := newGoogleVisit(t)
			back := googleSignIn(v, "jane@example.com", nil)
			got := v.exchange(googleToken, back.Get("code"), nil, test.more)
			want(t, "status", got.status, test.status)
			want(t, "error", got.json(t)["error"], test.want)
		})
	}
	t.Run("a redirect address that is not registered, on a page", func(t *testing.T) {
		v, _ := newGoogleVisit(t)
		page, back := v.open(googleAuth, url.Values{"scope": {"openid"}, "redirect_uri": {"https://shop.example.com/x"}})
		if back != nil || page.status != 400 || !strings.Contains(page.body, "redirect_uri_mismatch") {
			t.Errorf("%d %v %s", page.status, back, page.body)
		}
	})
}
