package e2e

import (
	"net"
	"net/http/httptest"
	"testing"

	"github.com/postern-auth/postern/internal/idp"
)

// Embedded is the provider of internal/idp, within the test's own process.
type Embedded struct {
	*Provider
	IDP *idp.Provider
}

// loopbackClient is at 127.0.0.1, with any port: the provider is at localhost,
// since ports do not part cookies.
const loopbackClient = "127.0.0.1"

// NewEmbedded starts a provider; the test's end stops it. Its client may be
// anywhere at 127.0.0.1, and at the further origins given.
func NewEmbedded(t testing.TB, origins ...string) *Embedded {
	t.Helper()
	return newEmbedded(t, shopClient(origins...))
}

// shopClient is the one that people sign in to.
func shopClient(origins ...string) idp.Client {
	client := idp.Client{
		ID: ClientID, Secret: ClientSecret, AnyLoopbackPort: true, ClaimsInIDToken: true,
		RedirectURIs: []string{"http://" + loopbackClient + "/oauth2/callback"},
	}
	for _, origin := range origins {
		client.RedirectURIs = append(client.RedirectURIs, origin+"/oauth2/callback")
		client.PostLogoutRedirectURIs = append(client.PostLogoutRedirectURIs, origin+"/oauth2/signed_out")
	}
	return client
}

func newEmbedded(t testing.TB, clients ...idp.Client) *Embedded {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e := &Embedded{Provider: &Provider{
		Name: "idp", Issuer: "http://localhost:" + port, scopes: []string{"openid", "profile", "email", "groups"},
		userField: "username", passwordField: "password",
	}}
	if e.IDP, err = idp.New(idp.Config{
		Issuer: e.Issuer, Clients: clients, Users: []idp.User{embeddedUser(Alice), embeddedUser(Bob)},
	}); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = e.IDP
	server.Start()
	t.Cleanup(server.Close)
	return e
}

func embeddedUser(who Person) idp.User {
	return idp.User{PreferredUsername: who.Name, Password: who.Password, Email: who.Email, Groups: who.Groups}
}
