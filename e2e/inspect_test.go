package e2e

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/sealed"
	"github.com/postern-auth/postern/internal/session"
)

// testInspect opens what a gate gave a browser, on the way to a session and after.
func testInspect(t *testing.T, g *Gate, who Person) {
	settings, err := config.Parse(must(json.Marshal(g.Setup.Config))(t), func(name string) (string, bool) {
		value, set := g.Setup.Env[name]
		return value, set
	})
	if err != nil {
		t.Fatal(err)
	}
	key := must(base64.StdEncoding.DecodeString(g.Setup.Env["POSTERN_KEY"]))(t)
	o := sealed.Opener{Keys: []session.Key{{ID: "k1", Secret: key}}, Settings: settings, Now: time.Now()}
	only := func(kind, text string) *sealed.Finding {
		t.Helper()
		all := must(o.Open(sealed.Read(text)))(t)
		found := slices.DeleteFunc(slices.Clone(all), func(f *sealed.Finding) bool { return f.Kind != kind || !f.Good() })
		if len(found) != 1 {
			t.Fatalf("%d good ones of the kind %s among %d", len(found), kind, len(all))
		}
		return found[0]
	}
	b := NewBrowser()
	login := must(g.StartLogin(b, deepPage))(t)
	state := only("login state", "location: "+login.Started.Location().String())
	if state.Details[0].Value != g.Provider.Name {
		t.Errorf("the state tells %+v", state.Details)
	}
	only("login binding", "Cookie: "+b.cookieLine(g.URL("/oauth2/callback")))
	if err := login.AtProvider(who); err != nil {
		t.Fatal(err)
	}
	must(b.Get(login.Back.String()))(t)
	o.Now = time.Now()
	s := only("session", "Cookie: "+b.cookieLine(g.URL("/"))).Session
	if s.Provider != g.Provider.Name || s.Issuer != g.Provider.Issuer || s.ClientID != ClientID || s.Claims["user"].First() != who.Name {
		t.Errorf("the session is of %s at %s for %s: %v", s.Subject, s.Issuer, s.ClientID, s.Claims)
	}
	if s.Ends == nil || s.Ends.Sub(s.SignedIn) != settings.Session.Lifetime.Std() {
		t.Errorf("it ends at %v", s.Ends)
	}
}
