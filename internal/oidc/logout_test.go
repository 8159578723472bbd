package oidc

import (
	"net/url"
	"strings"
	"testing"
)

func TestTheLogoutAddressCarriesWhatTheProviderNeeds(t *testing.T) {
	const back = "https://app.example.com/out?a=b"
	for name, c := range map[string]struct {
		endpoint          string
		hint, back, state string
		want              url.Values
	}{
		"everything":              {"https://id.example.com/out", "x.y.z", back, "st&te", url.Values{"client_id": {"shop"}, "id_token_hint": {"x.y.z"}, "post_logout_redirect_uri": {back}, "state": {"st&te"}}},
		"no ID token":             {"https://id.example.com/out", "", back, "s", url.Values{"client_id": {"shop"}, "post_logout_redirect_uri": {back}, "state": {"s"}}},
		"nowhere to return to":    {"https://id.example.com/out", "x.y.z", "", "s", url.Values{"client_id": {"shop"}, "id_token_hint": {"x.y.z"}}},
		"nothing":                 {"https://id.example.com/out", "", "", "", url.Values{"client_id": {"shop"}}},
		"an address with a query": {"https://id.example.com/out?realm=main", "", "", "", url.Values{"client_id": {"shop"}, "realm": {"main"}}},
		"a host without cluster":  {"https://elsewhere.example.com/out", "", "", "", url.Values{"client_id": {"shop"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.withEndpoints(map[string]any{"end_session_endpoint": c.endpoint})
			address, has, err := f.learned("").LogoutURL(f.env(), c.hint, c.back, c.state)
			if err != nil || !has {
				t.Fatalf("got %v, %v", has, err)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if got := u.Query().Encode(); got != c.want.Encode() {
				t.Errorf("got  %s\nwant %s", got, c.want.Encode())
			}
			before, _, _ := strings.Cut(c.endpoint, "?")
			if !strings.HasPrefix(address, before+"?") {
				t.Errorf("it leads to %s", address)
			}
		})
	}
}

func TestAProviderThatIsNotKnownOrHasNoLogoutHasNoLogoutAddress(t *testing.T) {
	f := newFake(t)
	if _, has, err := f.provider("").LogoutURL(f.env(), "", "", ""); has || !Temporary(err) {
		t.Errorf("not known: %v, %v", has, err)
	}
	if address, has, err := f.learned("").LogoutURL(f.env(), "", "", ""); has || err != nil || address != "" {
		t.Errorf("no endpoint: %v, %v", has, err)
	}
}
