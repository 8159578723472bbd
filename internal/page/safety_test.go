package page

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// marker is what every hostile string holds, so that the test can see where
// it went.
const marker = "pwned"

var hostile = map[string]string{
	"an element":                      `<img src=x onerror=pwned()>`,
	"a script":                        `</title></style></script><script>pwned()</script>`,
	"the end of a double quote":       `" onmouseover="pwned()" x="`,
	"the end of a single quote":       `' onmouseover='pwned()' x='`,
	"a backtick":                      "` onmouseover=`pwned()",
	"a comment":                       `--><!-- pwned -->`,
	"a template slot":                 `{style}{content}{name}pwned`,
	"an entity":                       `&lt;pwned&#62;&quot;`,
	"a script URL":                    `javascript:pwned()`,
	"a script URL with a tab":         "java\tscript:pwned()",
	"a script URL in capitals":        `JAVASCRIPT:pwned()`,
	"a document in a URL":             `data:text/html,<script>pwned()</script>`,
	"a vector image in a URL":         `data:image/svg+xml,<svg onload="pwned()">`,
	"another host":                    `//pwned.example/`,
	"another host behind a backslash": `/\pwned.example/`,
	"bytes that are not UTF-8":        "\xff\xfe<pwned\xc0",
	"control characters":              "\x00\x1b\x7f\u0085<pwned",
	"a line break":                    "\r\npwned: x\r\n\r\n<script>",
	"UTF-7":                           `+ADw-script+AD4-pwned()+ADw-/script+AD4-`,
	"an https URL with a quote":       `https://a.example/"onclick="pwned()`,
}

func TestHostileTextStaysText(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			o := Options{Title: s, Logo: s, Text: s}
			pages, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			for page, got := range map[string]rendered{
				"sign-in": render(pages.SignIn(s, SignInPage{Destination: s, SignedInAs: s, SignOut: s, Stay: s, Choices: []Choice{{Name: s, URL: s, Kind: s, Logo: s, Color: s}, {Name: s, URL: "/" + s, Last: true}},
					Email: &EmailForm{Action: s, Return: s, Value: s, Unknown: true}})),
				"sign-out":   render(pages.SignOut("", SignOutPage{Action: s, Cancel: s})),
				"signed-out": render(pages.SignedOut("", SignedOutPage{SignIn: s, SignOut: s, StillSignedIn: true})),
				"onward":     render(pages.Onward("", OnwardPage{URL: s})),
				"denied": render(pages.Denied("", DeniedPage{Reason: s, Rule: s, RequestID: s, SignedInAs: s, Provider: s, Again: s, Switch: s, Back: s, Missing: []Need{
					{Reason: s, Claim: s, Values: []string{s}, Prefixes: []string{s}},
					{Reason: "claim_missing", Claim: s, Values: []string{s, s}, Prefixes: []string{s}},
					{Reason: "none_met", Any: []Need{{Reason: "group_missing", Values: []string{s}}}},
				}})),
				"error": render(pages.Error("", ErrorPage{Status: 400, Reason: s, Cause: s, RequestID: s, Retry: s, Other: s, Figures: []Figure{{s, s}}})),
			} {
				checkSafe(t, page, got)
			}
		})
	}
}

// elements and the attributes that each may have. Whatever else turns up in a
// page got in through a slot.
var allowed = map[string]string{
	"html": "lang dir", "head": "", "meta": "charset name content", "title": "", "link": "rel href", "style": "",
	"body": "", "main": "", "header": "", "h1": "", "h2": "id", "b": "", "small": "", "p": "class id dir", "ul": "class role aria-labelledby", "li": "class", "a": "class href", "span": "", "bdi": "",
	"form": "class method action", "button": "class type", "img": "class src alt", "dl": "", "div": "class", "dt": "", "dd": "",
	"label": "for", "input": "id name type value maxlength autocomplete autocapitalize spellcheck required autofocus aria-invalid aria-describedby",
	"svg": "class viewBox width height aria-hidden", "path": "d fill fill-rule stroke stroke-width stroke-linecap stroke-linejoin", "circle": "cx cy r class fill stroke stroke-width", "g": "fill stroke stroke-width stroke-linecap stroke-linejoin",
}

func checkSafe(t *testing.T, page string, got rendered) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("%s: a comment: %q", page, n.Data)
		case html.ElementNode:
			checkElement(t, page, n)
		}
	}
	if strings.Count(string(got.body), "<style>") != 1 {
		t.Errorf("%s: a slot was filled twice", page)
	}
	for _, f := range got.header {
		if strings.ContainsAny(f.Value, "\r\n\x00") {
			t.Errorf("%s: field %s breaks: %q", page, f.Name, f.Value)
		}
	}
}

// checkTemplate looks for elements and attributes that got in through a slot,
// where the classes are the values themselves.
func checkTemplate(t *testing.T, page string, got rendered) {
	t.Helper()
	body := regexp.MustCompile(`class=("[^"]*pwned[^"]*"|'[^']*pwned[^']*')`).ReplaceAll(got.body, []byte(`class="x"`))
	body = regexp.MustCompile(`<main class=("[^"]*")`).ReplaceAll(body, []byte(`<main`))
	checkSafe(t, page, rendered{body, got.header})
}

func checkElement(t *testing.T, page string, n *html.Node) {
	t.Helper()
	attributes, known := allowed[n.Data]
	if !known {
		t.Errorf("%s: element %s", page, n.Data)
	}
	for _, a := range n.Attr {
		if !strings.Contains(" "+attributes+" ", " "+a.Key+" ") {
			t.Errorf("%s: attribute %s of %s", page, a.Key, n.Data)
		}
		switch a.Key {
		case "href", "action":
			if n.Data != "link" && !regexp.MustCompile(`^(/([^/\\]|$)|https?://)`).MatchString(a.Val) {
				t.Errorf("%s: %s leads to %q", page, n.Data, a.Val)
			}
		case "src":
			if !regexp.MustCompile(`^(https://|data:image/)`).MatchString(a.Val) {
				t.Errorf("%s: an image from %q", page, a.Val)
			}
		case "class", "name", "type", "method", "id", "role", "aria-labelledby":
			if strings.Contains(a.Val, marker) {
				t.Errorf("%s: %s of %s is %q", page, a.Key, n.Data, a.Val)
			}
		}
	}
}

func TestPagesAreSoundDocuments(t *testing.T) {
	for name, got := range every(t) {
		t.Run(name, func(t *testing.T) {
			checkSafe(t, name, got)
			if len(got.body) > 15<<10 {
				t.Errorf("%d bytes", len(got.body))
			}
			doc, err := html.Parse(bytes.NewReader(got.body))
			if err != nil {
				t.Fatal(err)
			}
			count := map[string]int{}
			for n := range doc.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				count[n.Data]++
				switch n.Data {
				case "title", "h1", "a", "button":
					if strings.TrimSpace(textOf(n)) == "" {
						t.Errorf("an empty %s", n.Data)
					}
				}
			}
			if count["h1"] != 1 || count["title"] != 1 || count["main"] != 1 {
				t.Errorf("headings %d, titles %d, mains %d", count["h1"], count["title"], count["main"])
			}
		})
	}
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func TestThePolicyAdmitsTheStyleAndNothingElse(t *testing.T) {
	for name, got := range every(t) {
		checkPolicy(t, name, got)
	}
}

func checkPolicy(t *testing.T, name string, got rendered) {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	for n := range doc.Descendants() {
		if n.Data == "style" && n.Type == html.ElementNode {
			hashes = append(hashes, hashOf(textOf(n)))
		}
	}
	want := "default-src 'none'; style-src " + strings.Join(hashes, " ") +
		"; img-src https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if policy, _ := got.header.Only("content-security-policy"); policy != want {
		t.Errorf("%s: policy %q, want %q", name, policy, want)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	pages := every(t)
	pages["problem"] = render(Problem(ProblemDetails{Status: 400}))
	for name, got := range pages {
		want := map[string]string{
			"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
			"content-type": "text/html; charset=utf-8", "x-frame-options": "DENY",
		}
		if name == "problem" {
			want["content-type"] = "application/problem+json"
			delete(want, "x-frame-options")
		}
		for field, value := range want {
			if v, ok := got.header.Only(field); !ok || v != value {
				t.Errorf("%s: %s is %q", name, field, v)
			}
		}
	}
}

func TestOnwardRefreshesToNothingHostile(t *testing.T) {
	for in, want := range map[string]string{
		"https://id.example.com/logout?a=b": "0;url=https://id.example.com/logout?a=b",
		"javascript:alert(1)":               "0;url=/",
		"https://a.example/\r\nx: y":        "0;url=/",
	} {
		_, header := look(t, nil).Onward("", OnwardPage{URL: in})
		if got, _ := header.Only("refresh"); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

// WCAG 2.2: 4.5 to 1 for text (1.4.3), 3 to 1 for what shows where a control
// is and where the focus is (1.4.11).
func TestColoursHaveEnoughContrast(t *testing.T) {
	schemes := regexp.MustCompile(`(?s)--ground:.*?--shadow`).FindAllString(style, -1)
	if len(schemes) != 2 {
		t.Fatalf("%d colour schemes", len(schemes))
	}
	for i, scheme := range schemes {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+):#([0-9a-f]+)`).FindAllStringSubmatch(scheme, -1) {
			colour[m[1]] = m[2]
		}
		for _, pair := range []struct {
			on, under string
			least     float64
		}{
			{"text", "card", 4.5}, {"soft", "card", 4.5}, {"text", "ground", 4.5}, {"soft", "ground", 4.5}, {"on-accent", "accent", 4.5},
			{"on-accent", "accent-strong", 4.5}, {"ring", "card", 3}, {"edge", "card", 3}, {"good", "card", 3}, {"bad", "card", 4.5},
		} {
			if got := contrast(t, colour[pair.on], colour[pair.under]); got < pair.least {
				t.Errorf("scheme %d: %s on %s has %.2f, wants %.1f", i, pair.on, pair.under, got, pair.least)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		t.Fatalf("colour %q", hex)
	}
	sum := 0.0
	for shift, weight := range map[uint]float64{16: 0.2126, 8: 0.7152, 0: 0.0722} {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestReasonsHaveWordsOfTheirOwn(t *testing.T) {
	for reason, want := range map[string]string{
		"state_expired":          "Sign-in took too long",
		"state_missing":          "Sign-in could not be finished",
		"code_repeated":          "Sign-in could not be finished",
		"target_double_slash":    "This address is not valid",
		"authority_userinfo":     "This host name is not valid",
		"provider_access_denied": "You did not sign in",
		"provider_invalid_scope": "The provider refused the sign-in",
		"status_500":             "Sign-in is not available right now",
		"step_up_in_vain":        "Please sign in once more",
		"not_signed_in":          "You are not signed in",
		"header_repeated":        "This request is not valid",
		"method_ambiguous":       "This request is not valid",
		"iss":                    "The provider's answer was refused",
		"provider_not_allowed":   "You may not open this page",
		"iss_differs":            "The provider's answer was refused",
		"signature":              "The provider's answer was refused",
		"a_reason_nobody_knows":  "The provider's answer was refused",
		"":                       "The provider's answer was refused",
	} {
		if got := english.explain(502, reason, "").title; got != want {
			t.Errorf("%q: got %q", reason, got)
		}
	}
	if got := english.explain(299, "x", "").title; got != "That did not work" {
		t.Errorf("with nothing to go by: %q", got)
	}
}

func TestProblem(t *testing.T) {
	for name, tc := range map[string]struct {
		problem ProblemDetails
		want    string
	}{
		"words that belong to the reason": {
			ProblemDetails{Status: 401, Reason: "no_session", RequestID: "7"},
			`{"type":"about:blank","title":"You are not signed in","status":401,"detail":"This page is for people who have signed in.","reason":"no_session","request_id":"7"}`,
		},
		"words of the caller": {
			ProblemDetails{Status: 403, Reason: "x", Title: "T", Detail: "D"},
			`{"type":"about:blank","title":"T","status":403,"detail":"D","reason":"x"}`,
		},
		"further members are sorted and replace nothing": {
			ProblemDetails{Status: 400, Title: "T", Detail: "D", Extra: map[string]string{"status": "200", "reason": "y", "request_id": "z", "b": "2", "a": "1"}},
			`{"type":"about:blank","title":"T","status":400,"detail":"D","a":"1","b":"2"}`,
		},
		"what is missing, as the settings call it": {
			ProblemDetails{Status: 403, Reason: "none_met", Title: "T", Detail: "D", Rule: "admin", RequestID: "7", Missing: []Need{
				{Reason: "none_met", Any: []Need{
					{Reason: "group_missing", Values: []string{"admins"}},
					{Reason: "claim_missing", Claim: "cost_centre", Values: []string{"1"}, Prefixes: []string{"47"}},
				}},
				{Reason: "login_too_old", MaxAge: 10 * time.Minute},
			}},
			`{"type":"about:blank","title":"T","status":403,"detail":"D","reason":"none_met","rule":"admin",` +
				`"missing":[{"requirement":"any","any":[{"requirement":"groups","values":["admins"]},` +
				`{"requirement":"claims","claim":"cost_centre","values":["1"],"prefixes":["47"]}]},` +
				`{"requirement":"max_age","max_age":600}],"request_id":"7"}`,
		},
		"what is missing is not replaced by a further member": {
			ProblemDetails{Status: 403, Title: "T", Detail: "D", Extra: map[string]string{"missing": "x", "missing_more": "x", "rule": "x"}},
			`{"type":"about:blank","title":"T","status":403,"detail":"D"}`,
		},
		"hostile text": {
			ProblemDetails{Status: 400, Reason: "\"}\n<script>", Title: "T", Detail: "D\xff"},
			"{\"type\":\"about:blank\",\"title\":\"T\",\"status\":400,\"detail\":\"D\\ufffd\",\"reason\":\"\\\"}\\n\\u003cscript\\u003e\"}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			body, _ := Problem(tc.problem)
			if string(body) != tc.want+"\n" {
				t.Errorf("got %s", body)
			}
			if !json.Valid(body) {
				t.Error("not JSON")
			}
		})
	}
}

func TestALongRequestIDIsCut(t *testing.T) {
	id := strings.Repeat("a", 1<<20)
	body, _ := look(t, nil).Error("", ErrorPage{Status: 400, RequestID: id})
	problem, _ := Problem(ProblemDetails{Status: 400, RequestID: id})
	if len(body) > 15<<10 || len(problem) > 1<<10 {
		t.Errorf("%d and %d bytes", len(body), len(problem))
	}
}

func FuzzFill(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pages, err := New(Options{Title: s, Logo: s, Text: s})
		if err != nil {
			t.Fatal(err)
		}
		checkSafe(t, "error", render(pages.Error(s, ErrorPage{Status: 400, Reason: s, RequestID: s, Retry: s})))
		checkSafe(t, "denied", render(pages.Denied(s, DeniedPage{Reason: s, Rule: s, SignedInAs: s, Provider: s, Switch: s, Missing: []Need{
			{Reason: s}, {Reason: "claim_missing", Claim: s, Values: []string{s}, Prefixes: []string{s}}}})))
		checkSafe(t, "sign-in", render(pages.SignIn(s, SignInPage{Destination: s, Choices: []Choice{{Name: s, URL: s, Color: s}}, Email: &EmailForm{Value: s, Return: s}})))
	})
}
