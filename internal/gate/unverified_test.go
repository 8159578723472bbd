package gate

import "testing"

// Providers at which people sign themselves up let them enter any address, and
// there are some of which an address is the user name.
func TestWhoeverEntersAnAddressIsNeitherItsUserNorToldToHaveIt(t *testing.T) {
	const ceo = "ceo@example.com"
	rules := `[{"name":"user","match":{"paths":["/user"]},"require":{"claims":{"user":["` + ceo + `"]}}},
		{"name":"claim","match":{"paths":["/claim"]},"require":{"claims":{"email":["` + ceo + `"]}}}]`
	for name, c := range map[string]struct {
		provider, user, email string
		passes                bool
	}{
		"not verified":              {`,"claims":{"user":"email"}`, "alice-id", "", false},
		"not verified but believed": {`,"claims":{"user":"email"},"insecure_unverified_email":true`, ceo, ceo, true},
	} {
		w := newWorld(t, 1, parts{rules: rules, provider: c.provider})
		k := w.workers[0]
		_, cookie := w.comeBack(k, w.get(k, "/", ""), "", map[string]any{"email": ceo, "email_verified": false})
		v := w.get(k, "/", cookie)
		told := map[string]string{}
		for _, f := range v.verdict.Forward.Set {
			told[f.Name] = f.Value
		}
		if told["x-auth-request-user"] != c.user || told["x-auth-request-email"] != c.email {
			t.Errorf("%s: the application is told %v", name, told)
		}
		for _, path := range []string{"/user", "/claim"} {
			if v := w.get(k, path, cookie); (v.verdict.Forward != nil) != c.passes {
				t.Errorf("%s: at %s: %+v", name, path, v.verdict)
			}
		}
	}
}

func TestATokenOfATenantsOwnMakingBringsNoAddress(t *testing.T) {
	const tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	for name, c := range map[string]struct {
		tenant, claims, email string
	}{
		"of one tenant":                {`"` + tenant + `"`, `{"email":"ceo@example.com"}`, "ceo@example.com"},
		"of several":                   {`"common","tenants":["` + tenant + `"]`, `{"email":"ceo@example.com"}`, ""},
		"of several, who vouch for it": {`"common","tenants":["` + tenant + `"]`, `{"email":"ceo@example.com","xms_edov":true}`, "ceo@example.com"},
		"of personal accounts":         {`"consumers"`, `{"email":"ceo@example.com"}`, ""},
	} {
		w := newWorld(t, 1, parts{provider: `},{"name":"entra","type":"entra","cluster":"entra","client_id":"shop","client_secret":{"value":"secret"},"tenant":` + c.tenant})
		claims, unverified := w.workers[0].saidIn([]byte(c.claims), "entra")
		if email := claims["email"].First(); email != c.email || unverified != (c.email == "") {
			t.Errorf("%s: %q, %v", name, email, unverified)
		}
	}
}
