package standins

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	clientID     = "shop"
	clientSecret = "shop-secret"
	callback     = "https://shop.example.com/oauth2/callback"
	verifier     = "a-code-verifier-that-has-as-many-letters-as-it-takes"
)

// visitor is a browser and a client in one.
type visitor struct {
	t      testing.TB
	client *http.Client
	net    *Internet
}

func newNet(t testing.TB) (*Internet, *visitor) {
	t.Helper()
	n, err := NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	jar, _ := cookiejar.New(nil) // fails for no options at all
	nowhere := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("not on this net") }
	return n, &visitor{t: t, net: n, client: &http.Client{
		Jar: jar, Transport: n.Transport(nowhere),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type answer struct {
	status int
	header http.Header
	body   string
	at     *url.URL
}

func (a *answer) json(t testing.TB) object {
	t.Helper()
	members := object{}
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%d %s: %v: %.200s", a.status, a.at, err, a.body)
	}
	return members
}

func (v *visitor) do(method, address string, form url.Values, header http.Header) *answer {
	v.t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "postern")
	for k, values := range header {
		req.Header[k] = values
	}
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: string(body), at: req.URL}
}

// follow goes where redirects lead, and stops before the client's own address.
func (v *visitor) follow(a *answer) (*answer, url.Values) {
	v.t.Helper()
	for a.header.Get("Location") != "" {
		to, err := a.at.Parse(a.header.Get("Location"))
		if err != nil {
			v.t.Fatal(err)
		}
		if strings.HasPrefix(to.String(), "https://shop.example.com/") {
			return a, to.Query()
		}
		a = v.do(http.MethodGet, to.String(), nil, nil)
	}
	return a, nil
}

// open asks for authorisation.
func (v *visitor) open(endpoint string, more url.Values) (*answer, url.Values) {
	v.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {clientID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"xyz"}, "nonce": {"n-1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for k, values := range more {
		query[k] = values
	}
	return v.follow(v.do(http.MethodGet, endpoint+"?"+query.Encode(), nil, nil))
}

// send fills in the form of a page.
func (v *visitor) send(page *answer, fields url.Values) (*answer, url.Values) {
	v.t.Helper()
	_, rest, found := strings.Cut(page.body, `action="`)
	action, _, _ := strings.Cut(rest, `"`)
	if !found {
		v.t.Fatalf("%d %s has no form: %.300s", page.status, page.at, page.body)
	}
	to, err := page.at.Parse(strings.ReplaceAll(action, "&amp;", "&"))
	if err != nil {
		v.t.Fatal(err)
	}
	form := url.Values{}
	for _, input := range strings.Split(page.body, `<input type="hidden" name="`)[1:] {
		name, rest, _ := strings.Cut(input, `" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		form.Set(name, strings.ReplaceAll(value, "&amp;", "&"))
	}
	for k, values := range fields {
		form[k] = values
	}
	return v.follow(v.do(http.MethodPost, to.String(), form, nil))
}

func (v *visitor) exchange(endpoint, code string, header http.Header, more url.Values) *answer {
	v.t.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
		"client_id": {clientID}, "client_secret": {clientSecret},
	}
	for k, values := range more {
		form[k] = values
	}
	return v.do(http.MethodPost, endpoint, form, header)
}

func bearing(token any) http.Header {
	text, _ := token.(string)
	return http.Header{"Authorization": {"Bearer " + text}}
}

// verified reads a token's claims by the keys of an address.
func (v *visitor) verified(token any, keys string) object {
	v.t.Helper()
	text, _ := token.(string)
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		v.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(v.do(http.MethodGet, keys, nil, nil).body), &set); err != nil {
		v.t.Fatal(err)
	}
	found := set.Key(parsed.Headers[0].KeyID)
	if len(found) != 1 {
		v.t.Fatalf("%s has %d keys of the name %s", keys, len(found), parsed.Headers[0].KeyID)
	}
	claims := object{}
	if err := parsed.Claims(found[0].Key, &claims); err != nil {
		v.t.Fatal(err)
	}
	return claims
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func wantClaims(t testing.TB, claims, values object) {
	t.Helper()
	for name, value := range values {
		want(t, name, claims[name], value)
	}
}
