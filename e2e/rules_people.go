package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// People who are at Keycloak alone. Frank has a device for six digits, and is a
// shopkeeper; at the client of the levels he is an editor.
var (
	Erin  = Person{Name: "erin", Password: "erin-password", Email: "erin@example.com", Groups: []string{"group1"}}
	Frank = Person{Name: "frank", Password: "frank-password", Email: "frank@example.com", Groups: []string{"group1", "group2"}}
)

// levelsClient has levels of authentication, roles, and scopes on demand; its
// secret is ClientSecret. What it may ask for beside the usual goes to
// shopkeepers only.
const (
	levelsClient = "shop-levels"
	ordersScope  = "orders.read"
)

// KeycloakWithLevels is the shared Keycloak, with that scope.
func KeycloakWithLevels(t testing.TB) *Provider {
	t.Helper()
	p := Keycloak(t)
	admin, err := NewAdministrator(p)
	if err == nil {
		err = admin.OfferScope(levelsClient, ordersScope)
	}
	if err == nil {
		err = admin.RestrictScope(ordersScope, "shopkeeper")
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// RestrictScope leaves a scope to those who have a role of the realm; others
// silently do not get it.
func (a *Administrator) RestrictScope(name, role string) error {
	id, err := a.named("/client-scopes", name)
	if err != nil {
		return err
	}
	var known map[string]any
	if err := a.call(http.MethodGet, a.realm+"/roles/"+role, "", &known); err != nil {
		return err
	}
	return a.send(http.MethodPost, "/client-scopes/"+id+"/scope-mappings/realm", []map[string]any{known})
}

// sixDigits is what Frank's device shows (RFC 6238).
func sixDigits(now time.Time) string {
	mac := hmac.New(sha1.New, []byte("frank's key for six digits"))
	_ = binary.Write(mac, binary.BigEndian, now.Unix()/30)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}
