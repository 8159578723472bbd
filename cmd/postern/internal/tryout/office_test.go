package tryout

import "testing"

func TestSeveralClientsOfOneIssuer(t *testing.T) {
	const settings = `,"providers":[
		{"name":"staff","issuer":"https://id.example.com","cluster":"idp","client_id":"staff"},
		{"name":"guests","issuer":"https://id.example.com","cluster":"idp","client_id":"guests","algorithms":["RS256"]}],
		"rules":[{"match":{"paths":["/staff"]},"require":{"provider":"staff"}},{"match":{"paths":["/guests"]},"require":{"provider":"guests"}}]`
	w := try(t, settings)
	for request, want := range map[string]map[string]string{
		"GET https://app.example.com/staff":  {"": Pass, "staff": Pass, "guests": "403", "https://id.example.com": Pass},
		"GET https://app.example.com/guests": {"": Pass, "staff": "403", "guests": Pass, "https://id.example.com": Pass},
	} {
		for issuer, kind := range want {
			c := asked(t, request, `{}`, false)
			if issuer != "" {
				c.Claims["iss"] = issuer
			}
			if o := outcome(t, w, c); o.Kind != kind {
				t.Errorf("%s by %q: %s (%s)", request, issuer, o.Kind, o.Reason)
			}
		}
	}
}

func TestPeopleOfManyTenants(t *testing.T) {
	const one, other = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "72f988bf-86f1-41af-91ab-2d7cd011db47"
	w := try(t, `,"providers":[{"name":"entra","type":"entra","tenant":"common","tenants":["`+one+`"],"cluster":"idp","client_id":"shop"}]`)
	for claims, kind := range map[string]string{`{}`: Pass, `{"tid":"` + one + `"}`: Pass, `{"tid":"` + other + `"}`: "403"} {
		if o := outcome(t, w, asked(t, "GET https://app.example.com/", claims, false)); o.Kind != kind {
			t.Errorf("%s: %s (%s)", claims, o.Kind, o.Reason)
		}
	}
}
