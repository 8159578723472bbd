package oidc

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestARefreshSendsTheTokenAndNoScope(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.on("/token", jsonAnswer(200, tokenAnswer()), nil)
	got, err := p.Refresh(f.env(), Access{Token: "rt-0"})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, Tokens{Access: "at-1", ID: "x.y.z", Refresh: "rt-1", Lifetime: 5 * time.Minute}) {
		t.Error("the tokens are not those of the answer")
	}
	v := form(t, f.last)
	if len(v) != 2 || v.Get("grant_type") != "refresh_token" || v.Get("refresh_token") != "rt-0" {
		t.Errorf("form %v", v)
	}
	if auth, _ := f.last.Header.Get("authorization"); !strings.HasPrefix(auth, "Basic ") {
		t.Error("the client does not prove itself")
	}
}

func TestARefreshMayBringNoIDTokenAndNoNewRefreshToken(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.on("/token", jsonAnswer(200, with(with(tokenAnswer(), "id_token", nil), "refresh_token", nil)), nil)
	got, err := p.Refresh(f.env(), Access{Token: "rt-0"})
	if err != nil || got.Access != "at-1" || got.ID != "" || got.Refresh != "" {
		t.Errorf("got %v", err)
	}
}

func TestARefreshWaitsForTheProviderToBeKnown(t *testing.T) {
	f := newFake(t)
	_, err := f.provider("").Refresh(f.env(), Access{Token: "rt-0"})
	if Reason(err) != "not_known_yet" || !Temporary(err) || Unknown(err) || f.calls["/token"] != 0 {
		t.Errorf("got %v after %d calls", err, f.calls["/token"])
	}
}

func TestARefreshWithoutATokenIsNotAsked(t *testing.T) {
	f := newFake(t)
	_, err := f.learned("").Refresh(f.env(), Access{Token: ""})
	if Reason(err) != "no_refresh_token" || Temporary(err) || f.calls["/token"] != 0 {
		t.Errorf("got %v after %d calls", err, f.calls["/token"])
	}
}

// envoySays is how Envoy words a connection that failed.
func envoySays(reason string) flow.Response {
	return rawAnswer(503, "text/plain", "upstream connect error or disconnect/reset before headers. "+reason)
}

func TestAFailedRefreshTellsWhatBecameOfTheToken(t *testing.T) {
	const refused, unused, unknown = "refused", "not used up", "unknown"
	saying := func(status int, code string) flow.Response {
		return jsonAnswer(status, map[string]any{"error": code, "error_description": "words"})
	}
	for name, c := range map[string]struct {
		answer flow.Response
		err    error
		reason string
		kind   string
	}{
		"refused as used before":              {saying(400, "invalid_grant"), nil, "provider_invalid_grant", refused},
		"refused for the client's secret":     {saying(401, "invalid_client"), nil, "provider_invalid_client", refused},
		"refused by status 200":               {saying(200, "invalid_grant"), nil, "provider_invalid_grant", refused},
		"refused in words of its own":         {saying(400, "<script>"), nil, "provider_error", refused},
		"the provider is overloaded":          {saying(400, "temporarily_unavailable"), nil, "provider_temporarily_unavailable", unused},
		"the provider failed":                 {saying(400, "server_error"), nil, "provider_server_error", unused},
		"status 429":                          {rawAnswer(429, "text/html", "<h1>"), nil, "status_429", unused},
		"status 500":                          {rawAnswer(500, "text/html", "<h1>"), nil, "status_500", unused},
		"status 503 of the provider":          {rawAnswer(503, "text/html", "<h1>"), nil, "status_503", unused},
		"status 404 of a gateway":             {rawAnswer(404, "text/html", "<h1>"), nil, "status_404", unused},
		"status 403 of a gateway":             {rawAnswer(403, "text/html", "<h1>"), nil, "status_403", unused},
		"a redirect":                          {rawAnswer(302, "text/html", ""), nil, "status_302", unused},
		"a page of status 400":                {rawAnswer(400, "text/html", "<h1>"), nil, "answer_not_json", unused},
		"the call was not taken":              {flow.Response{}, flow.ErrNotSent, "no_answer", unused},
		"no endpoint":                         {rawAnswer(503, "text/plain", "no healthy upstream"), nil, "status_503", unused},
		"no connection":                       {envoySays("reset reason: connection failure"), nil, "status_503", unused},
		"no connection at the other end":      {envoySays("reset reason: remote connection failure"), nil, "status_503", unused},
		"no connection at this end":           {envoySays("reset reason: local connection failure"), nil, "status_503", unused},
		"no connection, in many words":        {envoySays("reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"), nil, "status_503", unused},
		"no connection in time":               {envoySays("reset reason: connection timeout"), nil, "status_503", unused},
		"too many connections":                {envoySays("reset reason: overflow"), nil, "status_503", unused},
		"a connection that broke":             {envoySays("reset reason: connection termination"), nil, "status_503", unknown},
		"a connection reset by the other end": {envoySays("reset reason: remote reset"), nil, "status_503", unknown},
		"a reason that nobody knows":          {envoySays("reset reason: connection failure of another kind"), nil, "status_503", unknown},
		"a gateway's retries":                 {envoySays("retried and the latest reset reason: connection failure"), nil, "status_503", unknown},
		"a time-out":                          {rawAnswer(504, "text/plain", "upstream request timeout"), nil, "status_504", unknown},
		"status 502 of a gateway":             {rawAnswer(502, "text/html", "<h1>"), nil, "status_502", unknown},
		"status 520 of a gateway":             {rawAnswer(520, "text/html", "<h1>"), nil, "status_520", unknown},
		"an answer that never came":           {flow.Response{}, flow.ErrUnavailable, "no_answer", unknown},
		"an answer that is too large":         {flow.Response{}, flow.ErrTooLarge, "answer_too_large", unknown},
		"10 MB":                               {rawAnswer(200, "application/json", strings.Repeat("x", 10<<20)), nil, "answer_too_large", unknown},
		"a page of status 200":                {rawAnswer(200, "text/html", "<h1>"), nil, "answer_not_json", unknown},
		"JSON cut short":                      {rawAnswer(200, "application/json", `{"access_token":"a`), nil, "answer_malformed", unknown},
		"tokens without an access token":      {jsonAnswer(200, with(tokenAnswer(), "access_token", nil)), nil, "no_access_token", unknown},
		"tokens of another type":              {jsonAnswer(200, with(tokenAnswer(), "token_type", "DPoP")), nil, "token_type_not_bearer", unknown},
		"a line break in a token":             {jsonAnswer(200, with(tokenAnswer(), "refresh_token", "a\r\nx: y")), nil, "token_malformed", unknown},
		"a negative lifetime":                 {jsonAnswer(200, with(tokenAnswer(), "expires_in", -1)), nil, "expires_in_malformed", unknown},
		"an encoding that was not asked for":  {encoded(jsonAnswer(200, tokenAnswer())), nil, "answer_encoded", unknown},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p := f.learned("")
			f.on("/token", c.answer, c.err)
			_, err := p.Refresh(f.env(), Access{Token: "rt-secret"})
			kind := refused
			if Temporary(err) {
				kind = unused
			}
			if Unknown(err) {
				kind += "|" + unknown
			}
			if kind = strings.TrimPrefix(kind, unused+"|"); Reason(err) != c.reason || kind != c.kind {
				t.Errorf("got %v, %s; want %s, %s", err, kind, c.reason, c.kind)
			}
			if strings.Contains(err.Error(), "rt-secret") || strings.Contains(err.Error(), "words") {
				t.Errorf("%q repeats what it was about", err)
			}
		})
	}
}

func encoded(r flow.Response) flow.Response {
	r.Header = append(r.Header, httpmsg.Field{Name: "content-encoding", Value: "gzip"})
	return r
}

func TestACanceledRefreshMayHaveBeenCarriedOut(t *testing.T) {
	f := newFake(t)
	p := f.learned("")
	f.on("/token", flow.Response{}, flow.ErrCanceled)
	_, err := p.Refresh(f.env(), Access{Token: "rt-0"})
	if !errors.Is(err, flow.ErrCanceled) || !Unknown(err) {
		t.Errorf("got %v, unknown %v", err, Unknown(err))
	}
}

func TestACallThatWasNotSentGotNoAnswerEither(t *testing.T) {
	if !errors.Is(flow.ErrNotSent, flow.ErrUnavailable) || errors.Is(flow.ErrUnavailable, flow.ErrNotSent) {
		t.Error("one is not a case of the other")
	}
}

func TestARenewedIDTokenOfTheSameSignInIsAccepted(t *testing.T) {
	f := newFake(t)
	told := with(f.claims(), "auth_time", 1_799_999_000)
	was := Original{Issuer: issuer, Subject: "u-1", NonceHash: NonceHash("n-1"), AuthTime: 1_799_999_000}
	for name, c := range map[string]struct {
		claims map[string]any
		was    Original
	}{
		"with the nonce and the time":    {told, was},
		"without the nonce":              {with(told, "nonce", nil), was},
		"without the time":               {with(told, "auth_time", nil), was},
		"with a fraction in the time":    {with(told, "auth_time", 1_799_999_000.5), was},
		"with a time, where none was":    {told, Original{Issuer: issuer, Subject: "u-1", NonceHash: NonceHash("n-1")}},
		"without a nonce, and none was":  {with(told, "nonce", nil), Original{Issuer: issuer, Subject: "u-1"}},
		"with events of somebody else's": {with(told, "events", "any"), was},
		"with another session's id":      {with(told, "sid", "s-2"), was},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := f.learned("").VerifyRenewed(f.env(), f.idToken(c.claims), c.was, "at-1")
			if err != nil {
				t.Fatal(err)
			}
			want := int64(1_799_999_000)
			if c.claims["auth_time"] == nil {
				want = 0
			}
			if id.Subject != "u-1" || id.AuthTime != want {
				t.Errorf("got %q, %d", id.Subject, id.AuthTime)
			}
		})
	}
}

func TestARenewedIDTokenOfAnotherSignInIsRefused(t *testing.T) {
	f := newFake(t)
	told := with(f.claims(), "auth_time", 1_799_999_000)
	was := Original{Issuer: issuer, Subject: "u-1", NonceHash: NonceHash("n-1"), AuthTime: 1_799_999_000}
	logout := map[string]any{logoutEvent: map[string]any{}}
	for name, c := range map[string]struct {
		claims map[string]any
		was    Original
		access string
		reason string
	}{
		"of another person":             {with(told, "sub", "u-2"), was, "at-1", "sub_differs"},
		"of nobody":                     {with(told, "sub", nil), was, "at-1", "sub_malformed"},
		"with another nonce":            {with(told, "nonce", "n-2"), was, "at-1", "nonce_differs"},
		"with a nonce, where none was":  {told, Original{Issuer: issuer, Subject: "u-1", AuthTime: was.AuthTime}, "at-1", "nonce_differs"},
		"of an earlier sign-in":         {with(told, "auth_time", 1_799_998_999), was, "at-1", "auth_time_differs"},
		"of a later sign-in":            {with(told, "auth_time", 1_799_999_001), was, "at-1", "auth_time_differs"},
		"with a time that is no number": {with(told, "auth_time", "yesterday"), was, "at-1", "claims_malformed"},
		"of another issuer":             {with(told, "iss", "https://evil.example.com"), was, "at-1", "iss_differs"},
		"for somebody else":             {with(told, "aud", "other"), was, "at-1", "aud_differs"},
		"expired":                       {with(told, "exp", f.now.Add(-time.Hour).Unix()), was, "at-1", "expired"},
		"with another access token":     {told, was, "at-2", "at_hash_differs"},
		"that is a logout token":        {with(with(told, "nonce", nil), "events", logout), was, "at-1", "is_logout_token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.learned("").VerifyRenewed(f.env(), f.idToken(c.claims), c.was, c.access)
			if Reason(err) != c.reason {
				t.Errorf("got %v, want %s", err, c.reason)
			}
		})
	}
}

func TestTheHashOfANonceIsShortAndItsOwn(t *testing.T) {
	if a, b := NonceHash("a"), NonceHash("b"); a == b || len(a) != 16 || a != NonceHash("a") {
		t.Error(fmt.Sprint(a, " and ", b))
	}
}
