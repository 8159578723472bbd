package page

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// asText is what a page of needs says, and asJSON the same for programs.
func asText(t *testing.T, needs ...Need) string {
	t.Helper()
	body, _ := bare(t).Denied("", DeniedPage{Missing: needs})
	return words(t, body)
}

func words(t *testing.T, body []byte) string {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data == "main" {
			return strings.Join(strings.Fields(textOf(n)), " ")
		}
	}
	return ""
}

func asJSON(t *testing.T, needs ...Need) string {
	t.Helper()
	body, _ := Problem(ProblemDetails{Status: 403, Missing: needs})
	return string(body)
}

func TestANeedIsSaidInWords(t *testing.T) {
	for name, tc := range map[string]struct {
		need Need
		want string
	}{
		"one group":                        {Need{Reason: "group_missing", Values: []string{"a"}}, "Group a"},
		"several groups, of which one":     {Need{Reason: "group_missing", Values: []string{"a", "b"}}, "Group, one of a b"},
		"a role":                           {Need{Reason: "role_missing", Values: []string{"a"}}, "Role a"},
		"several scopes, all of them":      {Need{Reason: "scope_missing", Values: []string{"a", "b"}}, "Permission (scope), all of a b"},
		"a domain":                         {Need{Reason: "email_domain_not_allowed", Values: []string{"a.example"}}, "E-mail domain a.example"},
		"a client":                         {Need{Reason: "client_not_allowed", Values: []string{"a"}}, "Application (client) a"},
		"a claim":                          {Need{Reason: "claim_missing", Claim: "c", Values: []string{"a"}}, "Claim c a"},
		"a claim with any value":           {Need{Reason: "claim_missing", Claim: "c"}, "Claim c, with any value"},
		"a claim by its beginning":         {Need{Reason: "claim_missing", Claim: "c", Prefixes: []string{"a"}}, "Claim c beginning with a"},
		"a claim by values and beginnings": {Need{Reason: "claim_missing", Claim: "c", Values: []string{"a"}, Prefixes: []string{"b"}}, "Claim c, one of a beginning with b"},
		"a level of sign-in":               {Need{Reason: "acr_insufficient", Values: []string{"gold"}}, "Level of sign-in (acr) gold"},
		"a way of signing in":              {Need{Reason: "amr_missing", Values: []string{"otp"}}, "Way of signing in (amr) otp"},
		"a provider":                       {Need{Reason: "provider_not_allowed", Values: []string{"a"}}, "Provider a"},
		"a verified address":               {Need{Reason: "email_not_verified"}, "Verified e-mail address"},
		"one minute":                       {Need{Reason: "login_too_old", MaxAge: time.Minute}, "Sign-in at most 1 minute ago"},
		"ninety seconds":                   {Need{Reason: "login_too_old", MaxAge: 90 * time.Second}, "Sign-in at most 90 seconds ago"},
		"an hour and a half":               {Need{Reason: "login_too_old", MaxAge: 90 * time.Minute}, "Sign-in at most 90 minutes ago"},
		"two days":                         {Need{Reason: "login_too_old", MaxAge: 48 * time.Hour}, "Sign-in at most 2 days ago"},
		"a time that is not told":          {Need{Reason: "login_too_old"}, "Recent sign-in"},
		"a time below none":                {Need{Reason: "login_too_old", MaxAge: -time.Hour}, "Recent sign-in"},
		"older settings":                   {Need{Reason: "claims_outdated"}, "Sign-in since the settings here changed"},
		"alternatives":                     {Need{Reason: "none_met", Any: []Need{{Reason: "group_missing", Values: []string{"a"}}, {Reason: "role_missing", Values: []string{"b"}}}}, "One of these Group a Role b"},
		"an alternative of several things": {Need{Reason: "none_met", Any: []Need{{Reason: "all_missing", All: []Need{{Reason: "group_missing", Values: []string{"a"}}, {Reason: "role_missing", Values: []string{"b"}}}}, {Reason: "role_missing", Values: []string{"c"}}}},
			"One of these All of these Group a Role b Role c"},
		"a reason that nobody knows": {Need{Reason: "odd", Values: []string{"a", "b"}}, "odd, one of a b"},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, _ := strings.Cut(asText(t, tc.need), "What is missing ")
			if got, _, _ = strings.Cut(got, " If "); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestEveryRequirementHasAWord(t *testing.T) {
	for _, r := range requirements {
		if _, ok := english.terms().of("need." + r.key); !ok {
			t.Errorf("%s: nothing to say", r.key)
		}
		if _, ok := english.find(r.key); !ok {
			t.Errorf("%s: no explanation", r.key)
		}
	}
}

func TestPersonsAndWhatExcludesAreNotTold(t *testing.T) {
	for name, n := range map[string]Need{
		"addresses":               {Reason: "email_not_allowed"},
		"what excludes":           {Reason: "excluded", Claim: marker, Any: []Need{{Reason: "group_missing", Values: []string{marker}}}},
		"a claim that is persons": {Reason: "claim_missing", Claim: "preferred_username"},
		"such a claim in a path":  {Reason: "claim_missing", Claim: "profile.email"},
	} {
		t.Run(name, func(t *testing.T) {
			n.Values, n.Prefixes = []string{marker, "a"}, []string{marker}
			for _, got := range []string{asText(t, n), asJSON(t, n), asText(t, Need{Reason: "none_met", Any: []Need{n}})} {
				if strings.Contains(got, marker) || strings.Contains(got, "one of") || strings.Contains(got, "any value") || strings.Contains(got, "more") {
					t.Errorf("got %s", got)
				}
			}
		})
	}
	if got := asText(t, Need{Reason: "claim_missing", Claim: "email_kind", Values: []string{"work"}}); !strings.Contains(got, "work") {
		t.Errorf("another claim: %s", got)
	}
}

func TestLongListsAreCutAndCounted(t *testing.T) {
	many := make([]Need, 500)
	for i := range many {
		many[i] = Need{Reason: "group_missing", Values: []string{"g" + strconv.Itoa(i)}}
	}
	deep := Need{Reason: "group_missing", Values: []string{marker}}
	for range 5 {
		deep = Need{Reason: "none_met", Any: []Need{deep}}
	}
	for name, tc := range map[string]struct {
		needs              []Need
		last, first, count string
		more               string
	}{
		"values":               {[]Need{{Reason: "group_missing", Values: numbered("g", 500)}}, "g-011", "g-012", "and 488 more", `"more":488`},
		"values and beginning": {[]Need{{Reason: "claim_missing", Values: numbered("g", 9), Prefixes: numbered("p", 9)}}, "p-002", "p-003", "and 6 more", `"more":6`},
		"needs":                {many, "g11", "g12", "and 488 more", `"missing_more":488`},
		"alternatives":         {[]Need{{Reason: "none_met", Any: many}}, "g11", "g12", "and 488 more", `"more":488`},
		"depth":                {[]Need{deep}, "One of these", marker, "and 1 more", `"more":1`},
	} {
		t.Run(name, func(t *testing.T) {
			text, problem := asText(t, tc.needs...), asJSON(t, tc.needs...)
			if !strings.Contains(text, tc.last) || strings.Contains(text, tc.first) || !strings.Contains(text, tc.count) {
				t.Errorf("got %s", text)
			}
			if strings.Contains(problem, tc.first) || !strings.Contains(problem, tc.more) {
				t.Errorf("got %s", problem)
			}
		})
	}
}

func TestNoNeedsMakeThePageLong(t *testing.T) {
	for name, s := range map[string]string{
		"what is escaped":        strings.Repeat(`"`, 1<<16),
		"nothing":                "",
		"the widest characters":  strings.Repeat("\U0001f600", 1<<14),
		"what nobody should see": strings.Repeat("\u202e", 1<<16),
		"bytes":                  strings.Repeat("\xff", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			leaf := Need{Reason: "claim_missing", Claim: s}
			for range 500 {
				leaf.Values = append(leaf.Values, s)
			}
			odd := Need{Reason: s, Values: leaf.Values}
			needs := make([]Need, 50)
			for i := range needs {
				needs[i] = Need{Reason: "none_met", Any: []Need{leaf, odd, {Reason: "none_met", Any: []Need{leaf, leaf, leaf}}}}
			}
			body, header := bare(t).Denied("", DeniedPage{Reason: s, Rule: s, RequestID: s, SignedInAs: s, Provider: s, Missing: needs, Again: "/", Switch: "/", Back: "/"})
			checkSafe(t, "denied", rendered{body, header})
			problem, _ := Problem(ProblemDetails{Status: 403, Missing: needs})
			if len(body) > 15<<10 || len(problem) > 15<<10 {
				t.Errorf("%d and %d bytes", len(body), len(problem))
			}
			if !json.Valid(problem) {
				t.Errorf("no JSON: %s", problem)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"what is short stays":                  {"admins", "admins"},
		"exactly what fits stays":              {"12345678", "12345678"},
		"what is long is cut":                  {"123456789", "12345678\u2026"},
		"characters are cut, not bytes":        {"ääääääääää", "ääääääää\u2026"},
		"four bytes each are not cut apart":    {strings.Repeat("\U0001f600", 9), strings.Repeat("\U0001f600", 8) + "\u2026"},
		"an override of the order is shown":    {"\u202enimda", "\ufffdnimda"},
		"an isolate is shown":                  {"\u2067a\u2069", "\ufffda\ufffd"},
		"a space of no width is shown":         {"ad\u200bmins", "ad\ufffdmins"},
		"a soft hyphen is shown":               {"ad\u00admins", "ad\ufffdmins"},
		"a separator of lines is shown":        {"a\u2028b", "a\ufffdb"},
		"a tag is shown":                       {"a\U000e0041", "a\ufffd"},
		"control characters are shown":         {"a\x00b\u0085c", "a\ufffdb\ufffdc"},
		"bytes that are not UTF-8 are shown":   {"a\xffb", "a\ufffdb"},
		"joiners stay, which scripts need":     {"می\u200cخواهم", "می\u200cخواهم"},
		"spaces around are nothing to look at": {"  a b  ", "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			got := plain(tc.in, 8)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if !utf8.ValidString(got) {
				t.Error("not UTF-8")
			}
		})
	}
}

func TestTheWordsFitWhatIsMissing(t *testing.T) {
	group, level := Need{Reason: "group_missing", Values: []string{"a"}}, Need{Reason: "acr_insufficient", Values: []string{"gold"}}
	for name, tc := range map[string]struct {
		page DeniedPage
		want string
	}{
		"one thing":                              {DeniedPage{Reason: "group_missing", Missing: []Need{group}}, "You may not open this page"},
		"a level that nobody asked for":          {DeniedPage{Reason: "acr_insufficient", Missing: []Need{level}}, "This page takes a stronger sign-in"},
		"a level that was asked for":             {DeniedPage{Reason: "acr_insufficient", Missing: []Need{level}, Tried: true}, "That sign-in was too weak"},
		"a level beside what no login can bring": {DeniedPage{Reason: "acr_insufficient", Missing: []Need{level, group}}, "You may not open this page"},
		"alternatives that were asked for":       {DeniedPage{Reason: "none_met", Missing: []Need{{Reason: "none_met"}}, Tried: true}, "Signing in was not enough"},
		"several that were asked for":            {DeniedPage{Reason: "acr_insufficient", Missing: []Need{level, level}, Tried: true}, "Signing in was not enough"},
		"a reason that nobody knows":             {DeniedPage{Reason: "odd"}, "You may not open this page"},
	} {
		t.Run(name, func(t *testing.T) {
			body, _ := bare(t).Denied("", tc.page)
			if got := words(t, body); !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// The first sign-in asks for all that a page takes: that it was not given need
// not have come of a second one.
func TestWhatWasInVainNeedNotHaveBeenTheSecondSignIn(t *testing.T) {
	for _, reason := range []string{"scope_missing", "acr_insufficient", "login_too_old", "none_met"} {
		body, _ := bare(t).Denied("", DeniedPage{Reason: reason, Missing: []Need{{Reason: reason}}, Tried: true})
		got := words(t, body)
		for _, second := range []string{"once more", "gain was not", "sign in again", "signed in again"} {
			if strings.Contains(got, second) {
				t.Errorf("%s: %q", reason, got)
			}
		}
		if !strings.Contains(got, "You have signed in for this page, but") {
			t.Errorf("%s: %q", reason, got)
		}
	}
}

func TestWhatIsNotKnownIsNotSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		page           DeniedPage
		says, saysNot  string
		buttons, links int
	}{
		"nobody":                             {DeniedPage{}, "signed in, but", "Signed in", 0, 0},
		"a name alone":                       {DeniedPage{SignedInAs: "alice"}, "Signed in as alice", "with", 0, 0},
		"a provider alone":                   {DeniedPage{Provider: "Company login"}, "Signed in with Company login", "Signed in as", 0, 0},
		"both":                               {DeniedPage{SignedInAs: "alice", Provider: "P"}, "Signed in as alice with P", "What is missing", 0, 0},
		"a way to be someone else":           {DeniedPage{Switch: "/s"}, "Sign in as someone else", "Go back", 1, 1},
		"a way back alone stands out":        {DeniedPage{Back: "/"}, "Go back", "someone else", 1, 1},
		"a way to try once more stands out":  {DeniedPage{Again: "/a", Switch: "/s", Tried: true}, "Try again Sign in as someone else", "Sign in again", 1, 2},
		"a way to what was not asked for":    {DeniedPage{Again: "/a", Back: "/"}, "Sign in again Go back", "Try again", 1, 2},
		"both ways, one of which stands out": {DeniedPage{Switch: "/s", Back: "/"}, "Sign in as someone else Go back", "What is missing", 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			body, _ := bare(t).Denied("", tc.page)
			if got := words(t, body); !strings.Contains(got, tc.says) || strings.Contains(got, tc.saysNot) {
				t.Errorf("got %q", got)
			}
			first, all := strings.Count(string(body), `<a class="button"`), strings.Count(string(body), "<a ")
			if first != tc.buttons || all != tc.links {
				t.Errorf("%d buttons that stand out, of %d", first, all)
			}
		})
	}
}
