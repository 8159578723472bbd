package oidc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/config"
)

// FuzzPlainIdentity reads any userinfo answer; another decoder says whom it is of.
func FuzzPlainIdentity(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"id":"u-1"}}`, `{"data":{"id":9007199254740993},"sub":"admin"}`, `{"data":{"id":1e3}}`, `{"data":{"id":"a"},"data":{"id":"b"}}`,
		`{"data":{"id":"\ud800"}}`, `{"data":{"id":"a\u0000"}} x`, `{"data":[{"id":"a"}]}`, `{"data":{"id":-0}}`,
	} {
		f.Add(seed)
	}
	world := newFake(&testing.T{})
	p := world.provider(plainSettings)
	f.Fuzz(func(t *testing.T, body string) {
		world.on("/v2/me", rawAnswer(200, "application/json", body), nil)
		id, err := p.Identify(world.env(), Tokens{Access: "at-1"}, "")
		if err != nil {
			if Reason(err) == "internal" {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		var doc, data map[string]json.RawMessage // whose names are told apart by case, unlike a struct's
		var subject any
		d := json.NewDecoder(strings.NewReader(body))
		if d.Decode(&doc) != nil || json.Unmarshal(doc["data"], &data) != nil {
			t.Fatal("what is no answer was accepted")
		}
		d = json.NewDecoder(bytes.NewReader(data["id"]))
		d.UseNumber()
		if err := d.Decode(&subject); err != nil {
			t.Fatal(err)
		}
		var claims struct{ Sub string }
		if err := json.Unmarshal(id.Claims, &claims); err != nil || id.Subject == "" || len(id.Subject) > 255 ||
			fmt.Sprint(subject) != id.Subject || claims.Sub != id.Subject {
			t.Errorf("%q of %q, whose claims say %q: %v", id.Subject, subject, claims.Sub, err)
		}
	})
}

// FuzzGitHubGroups reads any lists: what comes of them are names, each with one
// meaning.
func FuzzGitHubGroups(f *testing.F) {
	f.Add(`[{"login":"Octo-Org"}]`, `[{"slug":"core","organization":{"login":"Octo-Org"}}]`)
	f.Add(`[{"login":"a/b"}]`, `[{"slug":"c,d","organization":{"login":"e"}}]`)
	f.Add(`{}`, `[1,null,{"slug":{},"organization":[]}]`)
	world := newFake(&testing.T{})
	world.api("/user", `{"id":1,"login":"a"}`)
	world.api("/user/emails", `[]`)
	p := gitHub(world, withOrgs)
	f.Fuzz(func(t *testing.T, orgs, teams string) {
		world.api("/user/orgs", orgs)
		world.api("/user/teams", teams)
		id, err := p.Identify(world.env(), Tokens{Access: "at-1"}, "")
		if err != nil {
			return
		}
		var claims struct {
			Sub    string
			Groups []string
		}
		if err := json.Unmarshal(id.Claims, &claims); err != nil || claims.Sub != "1" || claims.Groups == nil {
			t.Fatalf("%s: %v", id.Claims, err)
		}
		for _, g := range claims.Groups {
			org, team, isTeam := strings.Cut(g, "/")
			if org == "" || isTeam && (team == "" || strings.Contains(team, "/")) || g != strings.ToLower(g) || strings.ContainsAny(g, ", \n") {
				t.Errorf("the group %q", g)
			}
		}
	})
}

// FuzzEntraIssuer takes any issuer and tenant: only the tenants that may sign in
// do, and each under its own issuer.
func FuzzEntraIssuer(f *testing.F) {
	f.Add(v2(tenantA), tenantA)
	f.Add(v2(tenantB), tenantB)
	f.Add(v1(tenantA), tenantA)
	f.Add(hole, "{tenantid}")
	f.Add(v2("common"), "common")
	c := &config.Provider{Type: "entra", Issuer: v2("common"), Tenant: "common", Tenants: []string{tenantA}}
	p := &Provider{settings: c, host: "login.microsoftonline.com"}
	f.Fuzz(func(t *testing.T, issuer, tid string) {
		claims, err := json.Marshal(map[string]string{"tid": tid, "ver": "1.0"})
		if err != nil {
			t.Fatal(err)
		}
		if p.checkIssuer("", issuer, claims) == nil && (issuer != v2(tenantA) || tid != tenantA) {
			t.Errorf("%q with %q was accepted", issuer, tid)
		}
		if p.checkAccessIssuer("", issuer, claims) == nil && (issuer != v2(tenantA) && issuer != v1(tenantA) || tid != tenantA) {
			t.Errorf("%q with %q was accepted for an access token", issuer, tid)
		}
	})
}
