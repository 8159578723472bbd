package config

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestPathsOfClaims(t *testing.T) {
	const modifier = `holds a modifier other than @flatten, @keys and @values; a name that begins with "@" is written "\@…"`
	const value = "holds a value of its own; only what the provider said can be looked at"
	const sized = "is not a claim or path of up to 256 bytes, without control characters"
	tests := []struct{ name, path, flaw string }{
		{"a claim", "department", ""},
		{"a path", "resource_access.shop.roles", ""},
		{"a name with dots", `https://shop\.example\.com/roles`, ""},
		{"a name with at signs and exclamation marks within", "https://shop/@me!", ""},
		{"a name that begins with an at sign", `\@id`, ""},
		{"one that needs no other sign", `@odata\.nextLink`, ""},
		{"one behind a dot", `value.#.@odata\.type`, ""},
		{"one in a query", `value.#(@odata\.type=="#microsoft.graph.group")#.displayName`, ""},
		{"a list's items", "teams.#.name", ""},
		{"a query", `teams.#(lead=="alice@example.com").name`, ""},
		{"a query with a parenthesis, an at sign and a bracket in quotes", `teams.#(name==".@dig:)[").id`, ""},
		{"a query with the operator that denies", `teams.#(!="red")#`, ""},
		{"a query within a query", `teams.#(people.#(name=="a").id>5).name`, ""},
		{"every value of an object, in one list", "resource_access.@values.#.roles|@flatten", ""},
		{"the names in an object", "resource_access|@keys", ""},
		{"nothing", "", sized},
		{"256 bytes", strings.Repeat("a", 256), ""},
		{"257 bytes", strings.Repeat("a", 257), sized},
		{"a line break", "a\nb", sized},
		{"a modifier that searches everything", "@dig:role", modifier},
		{"a modifier with arguments", `a.@flatten:{"deep":true}`, modifier},
		{"a modifier that reads text as JSON", "a|@fromstr", modifier},
		{"a modifier with an argument that ends in a backslash", `@dig:role\.x`, modifier},
		{"a modifier in a query", `a.#(@dig:b=="c")`, modifier},
		{"a modifier behind a query", `a.#(b=="c").@tostr`, modifier},
		{"a modifier behind a quote that is none", `a".@tostr`, modifier},
		{"a value", `!"admins"`, value},
		{"a value behind a claim", `groups|!"admins"`, value},
		{"a list that is put together", `[!"admins"]`, value},
		{"an object that is put together", "groups.{a,b}", value},
		{"a value in a query", `a.#(b|!"c"=="c")`, value},
		{"a query without its end", `a.#(b=="c"`, "holds a query without its end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if flaw := claimPathFlaw(tt.path); flaw != tt.flaw {
				t.Errorf("%q: found %q, wanted %q", tt.path, flaw, tt.flaw)
			}
		})
	}
}

// Whatever path is accepted finds nothing where a provider said nothing.
func FuzzClaimPathsFindOnlyWhatWasSaid(f *testing.F) {
	for _, path := range []string{`!"x"`, `a|!"x"`, `[!"x"]`, `@this|!"x"`, `a.#(b=="c").{d:!1}`, `\!"x"`, `..0|!1`, `a.#(!"x"=="x")`, `@values|!"x"`, `#(a)!1`} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if claimPathFlaw(path) != "" {
			return
		}
		for _, document := range []string{`{}`, `[]`, `{"a":{}}`, `{"a":[{}]}`, `{"a":null}`} {
			found := gjson.Get(document, path)
			if found.Type == gjson.String || found.Type == gjson.True || found.Type == gjson.False {
				t.Errorf("%q finds %s in %s", path, found.Raw, document)
			}
		}
	})
}
