package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/idp"
	"github.com/postern-auth/postern/internal/session"
)

const redirectURI = "https://app.example.com/oauth2/callback"

// real is a sign-in at the embedded provider, reached without a socket.
type real struct {
	t      *testing.T
	idp    *idp.Provider
	now    time.Time
	p      *Provider
	tokens Tokens
	id     *IDToken
}

func newReal(t *testing.T) *real {
	r := &real{t: t, now: time.Unix(1_800_000_000, 0)}
	var err error
	r.idp, err = idp.New(idp.Config{
		Issuer: issuer, Clock: func() time.Time { return r.now },
		Clients: []idp.Client{{ID: "shop", Secret: secret, RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{redirectURI}}},
		Users:   []idp.User{{PreferredUsername: "alice", Subject: "u-1", Password: "wonderland"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.p = newFake(t).provider("")
	r.p.OnFailure = func(err error) { t.Errorf("learning: %v", err) }
	r.p.Learn(r.env())
	r.signIn()
	return r
}

func (r *real) env() flow.Env {
	return flow.Direct{Clock: func() time.Time { return r.now }, Do: func(c flow.Call) (flow.Response, error) {
		req := httptest.NewRequest(c.Method, c.Scheme+"://"+c.Authority+c.Path, strings.NewReader(string(c.Body)))
		for _, f := range c.Header {
			req.Header.Add(f.Name, f.Value)
		}
		w := r.serve(req)
		answer := flow.Response{Status: w.Code, Body: w.Body.Bytes()}
		for name, values := range w.Header() {
			answer.Header = append(answer.Header, httpmsg.Field{Name: strings.ToLower(name), Value: values[0]})
		}
		return answer, nil
	}}
}

func (r *real) serve(req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.idp.ServeHTTP(w, req)
	return w
}

// signIn goes the whole way of a login.
func (r *real) signIn() {
	r.t.Helper()
	proof := session.Proof{Verifier: strings.Repeat("v", 43), Nonce: "n-1"}
	address, err := r.p.AuthorizationURL(r.env(), Request{RedirectURI: redirectURI, State: "st", Proof: proof})
	if err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequest("POST", address, strings.NewReader("username=alice&password=wonderland"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	back, err := url.Parse(r.serve(req).Header().Get("Location"))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.tokens, err = r.p.Exchange(r.env(), back.Query().Get("code"), redirectURI, proof.Verifier); err != nil {
		r.t.Fatal(err)
	}
	if r.id, err = r.p.VerifyIDToken(r.env(), r.tokens.ID, "n-1", r.tokens.Access); err != nil {
		r.t.Fatal(err)
	}
}

func TestARealProviderRenewsAndTheSecondUseOfATokenIsRefused(t *testing.T) {
	r := newReal(t)
	r.now = r.now.Add(10 * time.Minute)
	renewed, err := r.p.Refresh(r.env(), Access{Token: r.tokens.Refresh})
	if err != nil {
		t.Fatal(err)
	}
	was := Original{Issuer: r.id.Issuer, Subject: r.id.Subject, NonceHash: NonceHash("n-1"), AuthTime: r.id.AuthTime}
	id, err := r.p.VerifyRenewed(r.env(), renewed.ID, was, renewed.Access)
	if err != nil || id.SID != r.id.SID || id.AuthTime != r.now.Add(-10*time.Minute).Unix() {
		t.Fatalf("the renewed ID token: %v", err)
	}
	if _, err := r.p.Refresh(r.env(), Access{Token: r.tokens.Refresh}); Reason(err) != "provider_invalid_grant" || Temporary(err) || Unknown(err) {
		t.Errorf("the spent token: %v", err)
	}
	if _, err := r.p.Refresh(r.env(), Access{Token: renewed.Refresh}); Reason(err) != "provider_invalid_grant" {
		t.Errorf("its family lives on: %v", err)
	}
	if _, err := r.p.Confirm(r.env(), Access{Token: renewed.Access}, "u-1"); Reason(err) != "token_refused" {
		t.Errorf("its access token is confirmed: %v", err)
	}
}

func TestARealProviderConfirmsUntilTheTokenIsRevoked(t *testing.T) {
	for name, count := range map[string]string{"at userinfo": "userinfo", "by introspection": "introspection"} {
		t.Run(name, func(t *testing.T) {
			r := newReal(t)
			if count == "introspection" {
				r.p.meta.userinfo = nil
			}
			if _, err := r.p.Confirm(r.env(), Access{Token: r.tokens.Access}, "u-1"); err != nil {
				t.Errorf("before: %v", err)
			}
			if err := r.p.Revoke(r.env(), r.tokens.Refresh, "refresh_token"); err != nil {
				t.Fatal(err)
			}
			if _, err := r.p.Confirm(r.env(), Access{Token: r.tokens.Access}, "u-1"); Reason(err) != "token_refused" {
				t.Errorf("after: %v", err)
			}
			if r.idp.Count("revocation") != 1 || r.idp.Count(count) != 2 {
				t.Error("the provider was not asked")
			}
		})
	}
}

func TestARealProvidersLogoutTokenIsAcceptedAndASpoiledOneIsNot(t *testing.T) {
	r := newReal(t)
	token := func() string {
		t.Helper()
		tokens, err := r.idp.LogoutTokens("alice")
		if err != nil || len(tokens) != 1 {
			t.Fatalf("%d tokens, %v", len(tokens), err)
		}
		return tokens[0].Raw
	}
	got, err := r.p.VerifyLogoutToken(r.env(), token())
	if err != nil || got.SID != r.id.SID || got.Subject != "u-1" {
		t.Fatalf("got %v, %v", got, err)
	}
	r.idp.EditLogoutToken(func(claims map[string]any) { claims["nonce"] = "n-1" })
	if _, err := r.p.VerifyLogoutToken(r.env(), token()); Reason(err) != "nonce_present" {
		t.Errorf("got %v", err)
	}
}

func TestARealProviderTakesTheLogoutAddress(t *testing.T) {
	r := newReal(t)
	address, has, err := r.p.LogoutURL(r.env(), r.tokens.ID, redirectURI, "st")
	if err != nil || !has {
		t.Fatal(has, err)
	}
	w := r.serve(httptest.NewRequest("GET", address, nil))
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != redirectURI+"?state=st" {
		t.Errorf("got %d to %q", w.Code, got)
	}
	if _, err := r.p.Refresh(r.env(), Access{Token: r.tokens.Refresh}); Reason(err) != "provider_invalid_grant" {
		t.Errorf("the session lives on: %v", err)
	}
}
