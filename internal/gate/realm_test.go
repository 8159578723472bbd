package gate

import "testing"

func TestASessionEndsWithTheSettingsThatLetItsPersonIn(t *testing.T) {
	google := func(domains string) *world {
		return newWorld(t, 1, parts{provider: `,"type":"google"` + domains})
	}
	const one, both, another = `,"hosted_domains":["example.com"]`, `,"hosted_domains":["Example.com","example.org"]`, `,"hosted_domains":["example.org"]`
	session := func(w *world, claims map[string]any) string {
		_, cookie := w.comeBack(w.workers[0], w.get(w.workers[0], "/", "").want("login"), "", claims)
		return cookie
	}
	for name, c := range map[string]struct {
		before, after string
		claims        map[string]any
		want          string
	}{
		"as they were":                 {one, one, map[string]any{"hd": "example.com"}, "forwarded alice"},
		"wider":                        {one, both, map[string]any{"hd": "example.com"}, "forwarded alice"},
		"no longer said":               {one, "", map[string]any{"hd": "example.com"}, "forwarded alice"},
		"narrower, and it is in there": {both, one, map[string]any{"hd": "EXAMPLE.com"}, "forwarded alice"},
		"narrower, and it is not":      {both, another, map[string]any{"hd": "example.com"}, "login"},
		"said for the first time":      {"", one, nil, "login"},
		"said and it was in there":     {"", one, map[string]any{"hd": "example.com"}, "forwarded alice"},
		"not a domain":                 {"", one, map[string]any{"hd": []string{"example.com"}}, "login"},
	} {
		t.Run(name, func(t *testing.T) {
			claims := map[string]any{"email": "alice"}
			for name, value := range c.claims {
				claims[name] = value
			}
			cookie := session(google(c.before), claims)
			w := google(c.after)
			w.get(w.workers[0], "/", cookie).want(c.want)
		})
	}
}

func TestASessionOfATenantByAnotherNameIsForeignBeforeTheProviderIsKnown(t *testing.T) {
	const id = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	w := newWorld(t, 1, parts{provider: `},{"name":"entra","type":"entra","tenant":"new.example","cluster":"entra","client_id":"shop","client_secret":{"value":"secret"}`})
	for realm, want := range map[string]bool{"new.example": true, "old.example": false, "": false} {
		s := w.alice()
		s.Provider, s.Issuer, s.Realm = "entra", "https://login.microsoftonline.com/"+id+"/v2.0", realm
		if got := w.workers[0].partyOf(s) != nil; got != want {
			t.Errorf("of %q: %v", realm, got)
		}
	}
}
