package e2e

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// These are of the providers alone, without Postern.

func TestKeycloakGivesServicesTheirTokens(t *testing.T) {
	p := Keycloak(t)
	admin := must(NewAdministrator(p))(t)
	a, b := KeycloakService(p, "app-a"), KeycloakService(p, "app-b")
	if err := admin.OfferScope("app-a", "orders"); err != nil {
		t.Fatal(err)
	}
	t.Run("made out to B, with A's name and address", func(t *testing.T) {
		claims := must(readClaims(must(a.Token())(t)))(t)
		if claims["azp"] != "app-a" || claims["client_id"] != "app-a" || claims["clientAddress"] != "127.0.0.1" {
			t.Errorf("claims: %v", claims)
		}
		if !hasAudience(claims, "app-b") || strings.Contains(claims["scope"].(string), "orders") {
			t.Errorf("claims: %v", claims)
		}
	})
	t.Run("with a scope that was asked for", func(t *testing.T) {
		claims := must(readClaims(must(a.Token(url.Values{"scope": {"orders"}}))(t)))(t)
		if !slices.Contains(strings.Fields(claims["scope"].(string)), "orders") {
			t.Errorf("scope: %v", claims["scope"])
		}
	})
	t.Run("by an exchange for a person's", func(t *testing.T) {
		persons := must(KeycloakService(p, "front").PersonsToken(Alice))(t)
		exchanged := must(a.grant("urn:ietf:params:oauth:grant-type:token-exchange", url.Values{
			"subject_token": {persons}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {"app-b"},
		}))(t)
		claims := must(readClaims(exchanged))(t)
		if !hasAudience(claims, "app-b") || claims["azp"] != "app-a" || claims["preferred_username"] != Alice.Name {
			t.Errorf("claims: %v", claims)
		}
	})
	t.Run("and says when one is withdrawn", func(t *testing.T) {
		token := must(a.Token())(t)
		claims := must(b.Introspect(token))(t)
		if claims["active"] != true || claims["client_id"] != "app-a" {
			t.Errorf("claims: %v", claims)
		}
		if _, told := claims["clientAddress"]; told {
			t.Error("Keycloak tells the address at introspection too: client_address can be used with it")
		}
		if err := a.Revoke(token); err != nil {
			t.Fatal(err)
		}
		if claims := must(b.Introspect(token))(t); claims["active"] != false {
			t.Errorf("claims: %v", claims)
		}
	})
	t.Run("signed with a new key, and then with the old one again", func(t *testing.T) {
		before := keyID(t, must(a.Token())(t))
		if err := admin.AddKey("newer"); err != nil {
			t.Fatal(err)
		}
		during := keyID(t, must(a.Token())(t))
		if err := admin.RemoveKey("newer"); err != nil {
			t.Fatal(err)
		}
		if after := keyID(t, must(a.Token())(t)); during == before || after != before {
			t.Errorf("signed with %s, %s and %s", before, during, after)
		}
	})
}

func hasAudience(claims Claims, name string) bool {
	if claims["aud"] == name {
		return true
	}
	all, _ := claims["aud"].([]any)
	return slices.Contains(all, any(name))
}

func keyID(t testing.TB, token string) string {
	t.Helper()
	header, err := readHeader(token)
	if err != nil {
		t.Fatal(err)
	}
	return header["kid"].(string)
}
