package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// within returns requirements in so many others.
func within(depth int, requirements string) string {
	return strings.Repeat(`{"all": [`, depth) + requirements + strings.Repeat(`]}`, depth)
}

func TestRequirementsThatAreRefused(t *testing.T) {
	require := func(s string) string { return rule(t, `"require": `+s) }
	const nothing = `needs at least one requirement, such as {"groups": ["admins"]}`
	const empty = `is empty; leave the key out or put something in`
	const email = ` is not an address: something, one "@" and something, without spaces`
	const roles = `needs to know where provider "a" has roles: add it to providers[0].claims, such as {"roles": "realm_access.roles"}`
	tests := []struct {
		name, settings string
		want           []string
	}{
		{"none", require(`{}`), []string{`rules[0].require: ` + nothing}},
		{"a list", require(`[{"groups": ["a"]}]`), []string{`rules[0].require: must be an object, not a list`}},
		{"a key that there is not", require(`{"group": ["admins"]}`), []string{
			`rules[0].require.group: unknown key; did you mean "groups"?`}},
		{"none within others", require(`{"all": [{"groups": ["a"]}, {}], "any": [{}], "not": {}}`), []string{
			`rules[0].require.all[1]: ` + nothing,
			`rules[0].require.any[0]: ` + nothing,
			`rules[0].require.not: ` + nothing}},
		{"empty lists", require(`{"groups": [], "scopes": [], "emails": [], "email_domains": [], "client_ids": [], "claims": {}, "all": [], "any": [], "acr": [], "amr": []}`), []string{
			`rules[0].require.groups: ` + empty,
			`rules[0].require.emails: ` + empty,
			`rules[0].require.email_domains: ` + empty,
			`rules[0].require.client_ids: ` + empty,
			`rules[0].require.scopes: ` + empty,
			`rules[0].require.acr: ` + empty,
			`rules[0].require.amr: ` + empty,
			`rules[0].require.claims: ` + empty,
			`rules[0].require.all: ` + empty,
			`rules[0].require.any: ` + empty}},
		{"something twice in each list", require(`{"groups": ["a", "a"], "scopes": ["a", "a"], "emails": ["a@b", "a@b"], "email_domains": ["a.b", "A.b"], "client_ids": ["a", "a"], "claims": {"c": ["a", "a"]}, "acr": ["a", "a"], "amr": ["a", "a"]}`), []string{
			`rules[0].require.claims.c[1]: "a" is given twice`,
			`rules[0].require.groups[1]: "a" is given twice`,
			`rules[0].require.emails[1]: "a@b" is given twice`,
			`rules[0].require.email_domains[1]: "a.b" is given twice`,
			`rules[0].require.client_ids[1]: "a" is given twice`,
			`rules[0].require.scopes[1]: "a" is given twice`,
			`rules[0].require.acr[1]: "a" is given twice`,
			`rules[0].require.amr[1]: "a" is given twice`}},
		{"a list without end", require(`{"groups": ` + many(257, "g%d") + `, "claims": {"c": ` + many(257, "c%d") + `}}`), []string{
			`rules[0].require.claims.c: holds 257 entries; at most 256`,
			`rules[0].require.groups: holds 257 entries; at most 256`}},
		{"empty strings", require(`{"groups": [""], "client_ids": [""], "amr": [""], "provider": ""}`), []string{
			`rules[0].require.groups[0]: is empty; give a value or leave the key out`,
			`rules[0].require.client_ids[0]: is empty; give a value or leave the key out`,
			`rules[0].require.amr[0]: is empty; give a value or leave the key out`,
			`rules[0].require.provider: is empty; give a value or leave the key out`}},
		{"addresses that are none", require(`{"emails": ["alice", "@example.com", "alice@", "a@b@example.com", "alice @example.com"]}`), []string{
			`rules[0].require.emails[0]: "alice"` + email,
			`rules[0].require.emails[1]: "@example.com"` + email,
			`rules[0].require.emails[2]: "alice@"` + email,
			`rules[0].require.emails[3]: "a@b@example.com"` + email,
			`rules[0].require.emails[4]: "alice @example.com"` + email}},
		{"domains that are none", require(`{"email_domains": ["*", ".example.com", "@example.com", "a.*.example.com", "192.0.2.1", "example.com:25", "кафе.example", "*."]}`), []string{
			`rules[0].require.email_domains[0]: "*" would be every domain there is; leave the key out, or name a domain, such as "*.example.com"`,
			`rules[0].require.email_domains[1]: ".example.com" begins with a dot; "*.example.com" is every domain below example.com`,
			`rules[0].require.email_domains[2]: "@example.com" is more than a domain; whole addresses belong under emails`,
			`rules[0].require.email_domains[3]: "a.*.example.com" has a "*" elsewhere than in front, as in "*.example.com"`,
			`rules[0].require.email_domains[4]: "192.0.2.1" is an address of a machine, not a domain`,
			`rules[0].require.email_domains[5]: "example.com:25" has a colon too many; an IPv6 address is written in brackets`,
			`rules[0].require.email_domains[6]: "кафе.example" is not in ASCII; write international names in their "xn--" form`,
			`rules[0].require.email_domains[7]: "*." is not a host, such as "app.example.com" or "127.0.0.1"`}},
		{"scopes that are none", require(`{"scopes": ["orders read", "a\"b"]}`), []string{
			`rules[0].require.scopes[0]: "orders read" is not a scope`,
			`rules[0].require.scopes[1]: "a\"b" is not a scope`}},
		{"scopes that make an address too long, wherever they are", require(`{"scopes": ["` + strings.Repeat("a", 200) + `"], "any": [{"scopes": ["` + strings.Repeat("b", 200) + `"]}, {"scopes": ["` + strings.Repeat("c", 111) + `"]}]}`), []string{
			`rules[0].require: names scopes of 513 bytes together; at most 512, for they travel in the address of a login`}},
		{"scopes and levels that make an address too long together", require(`{"scopes": ["` + strings.Repeat("a", 200) + `", "` + strings.Repeat("b", 200) + `"], "acr": ["` + strings.Repeat("c", 112) + `"]}`), []string{
			`rules[0]: names scopes, values of acr and questions of 513 bytes together; at most 512, for they travel in the address of a login`}},
		{"levels that cannot be asked for", require(`{"acr": ["two factors", "grün", "` + strings.Repeat("a", 257) + `"]}`), []string{
			`rules[0].require.acr[0]: "two factors" is not up to 256 visible ASCII characters`,
			`rules[0].require.acr[1]: "grün" is not up to 256 visible ASCII characters`,
			`rules[0].require.acr[2]: "` + strings.Repeat("a", 80) + `"… is not up to 256 visible ASCII characters`,
			`rules[0].require: names values of acr of 275 bytes together; at most 256, for they travel in the address of a login`}},
		{"more levels than anybody has", require(`{"acr": ` + many(5, "a%d") + `, "any": [{"acr": ` + many(4, "b%d") + `}]}`), []string{
			`rules[0].require: names 9 values of acr; at most 8`}},
		{"ages of nothing and of more than a session", require(`{"any": [{"max_age": "0s"}, {"max_age": "999ms"}, {"max_age": "9601h"}, {"max_age": 600, "groups": []}, {"groups": ["a"], "max_age": "0s"}]}`), []string{
			`rules[0].require.any[0].max_age: 0s is less than 1s`,
			`rules[0].require.any[1].max_age: 999ms is less than 1s`,
			`rules[0].require.any[2].max_age: 9601h is more than 9600h`,
			`rules[0].require.any[3].max_age: must be a duration in quotes, such as "90s", "15m" or "168h", not a number`,
			`rules[0].require.any[4].max_age: 0s is less than 1s`,
			`rules[0].require.any[3].groups: ` + empty}},
		{"a provider that there is not", require(`{"provider": "b"}`), []string{
			`rules[0].require.provider: "b" is not the name of a provider: a`}},
		{"claims that are held against nothing, or in a form that there is not", require(`{"claims": {"a": {}, "b": {"values": []}, "c": {"prefixes": []}, "d": {"prefixes": [""]}, "e": "x", "f": {"suffixes": ["x"]}}}`), []string{
			`rules[0].require.claims.a: needs values or prefixes`,
			`rules[0].require.claims.b.values: ` + empty,
			`rules[0].require.claims.c.prefixes: ` + empty,
			`rules[0].require.claims.d.prefixes[0]: is empty; give a value or leave the key out`,
			`rules[0].require.claims.e: must be a list, not a string`,
			`rules[0].require.claims.f.suffixes: unknown key; known here: values, prefixes`}},
		{"claims that lead elsewhere than to what the provider said", require(`{"claims": {"": [], "!1": ["1"], "@dig:role": ["a"]}}`), []string{
			`rules[0].require.claims[""]: "" is not a claim or path of up to 256 bytes, without control characters`,
			`rules[0].require.claims["!1"]: "!1" holds a value of its own; only what the provider said can be looked at`,
			`rules[0].require.claims["@dig:role"]: "@dig:role" holds a modifier other than @flatten, @keys and @values; a name that begins with "@" is written "\@…"`}},
		{"roles that nobody said where to find", require(`{"any": [{"groups": ["a"]}, {"not": {"roles": ["editor"]}}]}`), []string{
			`rules[0].require.any[1].not.roles: ` + roles}},
		{"roles of services that nobody said where to find", with(t, `"client_id": "c"}`, `"client_id": "c", "type": "keycloak"}, {"name": "b", "issuer": "https://b.example.com", "cluster": "b"}`,
			`"hosts":`, `"bearer": [{"provider": "b", "audiences": ["x"]}], "rules": [{"match": {"paths": ["/a"]}, "require": {"roles": ["editor"]}}], "hosts":`), []string{
			`rules[0].require.roles: needs to know where provider "b" has roles: add it to providers[1].claims, such as {"roles": "realm_access.roles"}`}},
		{"nine levels", require(within(8, `{"groups": ["a"]}`)), []string{
			`rules[0].require` + strings.Repeat(".all[0]", 8) + `: is nested more than 8 deep`}},
		{"an empty list of roles", strings.Replace(require(`{"roles": []}`), `"client_id"`, `"type": "keycloak", "client_id"`, 1), []string{
			`rules[0].require.roles: ` + empty}},
		{"alternatives without end", require(`{"any": [` + strings.Repeat(`{"groups": ["a"]},`, 256) + `{"groups": ["a"]}]}`), []string{
			`rules[0].require.any: holds 257 entries; at most 256`,
			`rules[0].require: holds 258 requirements; at most 256`}},
		{"257 requirements", require(`{"any": [` + strings.Repeat(`{"groups": ["a"]},`, 255) + `{"claims": {"a": []}}]}`), []string{
			`rules[0].require: holds 257 requirements; at most 256`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.settings, tt.want...) })
	}
}

func TestRequirementsThatAreAccepted(t *testing.T) {
	require := func(s string) string { return rule(t, `"require": `+s) }
	tests := []struct {
		name, settings string
		got            func(*Require) any
		want           any
	}{
		{"eight levels", require(within(7, `{"groups": ["a"]}`)),
			func(q *Require) any { return len(q.All) }, 1},
		{"256 requirements", require(`{"any": [` + strings.Repeat(`{"groups": ["a"]},`, 254) + `{"claims": {"a": []}}]}`),
			func(q *Require) any { return len(q.Any) }, 255},
		{"scopes of 256 bytes, and levels of 256", require(`{"scopes": ["` + strings.Repeat("a", 127) + `", "` + strings.Repeat("b", 128) + `"], "acr": ["` + strings.Repeat("c", 256) + `"]}`),
			func(q *Require) any { return len(q.Scopes) }, 2},
		{"the longest age", require(`{"max_age": "9600h"}`),
			func(q *Require) any { return q.MaxAge.String() }, "9600h"},
		{"domains in lower case", require(`{"email_domains": ["Example.COM", "*.Example.com"]}`),
			func(q *Require) any { return q.EmailDomains }, []string{"example.com", "*.example.com"}},
		{"claims with values, with any, with beginnings, and with both", require(`{"claims": {"a": ["x", "y"], "b": [], "c.d": {"prefixes": ["47"]}, "e": {"values": ["1"], "prefixes": ["2"]}}}`),
			func(q *Require) any { return q.Claims }, map[string]ClaimTest{"a": {Values: []string{"x", "y"}}, "b": {Values: []string{}},
				"c.d": {Prefixes: []string{"47"}}, "e": {Values: []string{"1"}, Prefixes: []string{"2"}}}},
		{"roles of a provider that is a Keycloak", strings.Replace(require(`{"roles": ["editor"]}`), `"client_id"`, `"type": "keycloak", "client_id"`, 1),
			func(q *Require) any { return q.Roles }, []string{"editor"}},
		{"roles of a provider whose people and tokens do not come here", strings.Replace(require(`{"roles": ["editor"]}`), `"client_id": "c"}`,
			`"client_id": "c", "claims": {"roles": "roles"}}, {"name": "b", "issuer": "https://b.example.com", "cluster": "b"}`, 1),
			func(q *Require) any { return q.Roles }, []string{"editor"}},
		{"that which must not be", require(`{"not": {"any": [{"acr": ["bronze"]}, {"provider": "a"}]}}`),
			func(q *Require) any { return q.Not.Any[1].Provider }, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got(mustParse(t, tt.settings).Rules[0].Require)); diff != "" {
				t.Errorf("(-wanted +found):\n%s", diff)
			}
		})
	}
}

func TestWhereAKeycloakHasRoles(t *testing.T) {
	const more = `"name": "b", "issuer": "https://b.example.com", "cluster": "b", "type": "keycloak"`
	tests := []struct {
		name, provider     string
		roles, clientRoles string
	}{
		{"the realm's, and those of the client", more + `, "client_id": "shop"`, "realm_access.roles", "resource_access.shop.roles"},
		{"those of a client whose name has dots", more + `, "client_id": "shop.example"`, "realm_access.roles", `resource_access.shop\.example.roles`},
		{"the realm's alone without a client", more, "realm_access.roles", ""},
		{"as the settings say", more + `, "client_id": "shop", "claims": {"roles": "r", "client_roles": "c"}`, "r", "c"},
		{"nowhere in another provider", strings.Replace(more, "keycloak", "oidc", 1) + `, "client_id": "shop"`, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims := mustParse(t, with(t, `"client_id": "c"}`, `"client_id": "c"}, {`+tt.provider+`}`)).Providers[1].Claims
			if claims["roles"] != tt.roles || claims["client_roles"] != tt.clientRoles {
				t.Errorf("%v", claims)
			}
			if claims["email"] != "email" {
				t.Error("the other defaults are gone")
			}
		})
	}
}
