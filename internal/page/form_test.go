package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFormIsSentToTheLetter(t *testing.T) {
	p := look(t, nil)
	for name, fields := range map[string][]FormField{
		"no field":              nil,
		"names that come again": {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"a", ""}},
		"line breaks":           {{"a\r\nb", "one\r\ntwo\n\nthree\rfour\r\n"}},
		"blanks":                {{" a ", "  \t b \t"}, {"\t", "\v\f"}},
		"letters of all kinds":  {{"naïve", "日本語 🎉 \u202eabc\u2028 \u0085 \ufeff"}},
		"control characters":    {{"a", "\x01\x1b\x7f"}},
		"markup":                {{`"><script>x</script>`, `' onclick=x "&amp; &#34; <!-- {content}{inputs}`}},
		"a field of ours":       {{"form", "x"}, {"_charset_", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got := render(p.SendForm("", SendFormPage{Action: "/orders?a=1&b=2", Address: "app.example.com/orders", Fields: fields, Cancel: "/"}))
			doc := parsed(t, got.body, false)
			forms := all(doc, "form")
			if len(forms) != 1 || value(forms[0], "method") != "post" || value(forms[0], "action") != "/orders?a=1&b=2" {
				t.Fatalf("%d forms, or another one", len(forms))
			}
			var sent []FormField
			for _, n := range all(forms[0], "input") {
				if value(n, "type") != "hidden" {
					t.Errorf("an input of type %q", value(n, "type"))
				}
				sent = append(sent, FormField{value(n, "name"), value(n, "value")})
			}
			if diff := cmp.Diff(fields, sent); diff != "" {
				t.Error(diff)
			}
			if len(all(doc, "script")) != 0 {
				t.Error("a script")
			}
		})
	}
}

func TestTheQuestionRunsNoScriptAndLetsTheApplicationLeadOn(t *testing.T) {
	got := render(look(t, nil).SendForm("", SendFormPage{Action: "/orders", Fields: []FormField{{"a", "1"}}, Cancel: "/"}))
	policy, _ := got.header.Only("content-security-policy")
	want := "default-src 'none'; style-src " + hashOf(textOf(all(parsed(t, got.body, false), "style")[0])) + "; img-src https: data:; base-uri 'none'; frame-ancestors 'none'"
	if diff := cmp.Diff(want, policy); diff != "" {
		t.Error(diff)
	}
	if v, _ := got.header.Only("referrer-policy"); v != "strict-origin" {
		t.Errorf("referrer-policy is %q", v)
	}
}

func TestTheQuestionSaysWhatItIsAbout(t *testing.T) {
	p := look(t, nil)
	for tag, want := range map[string][]string{
		"en": {"Send your form?", "app.example.com/orders", "alice", "Company login", "It goes to", "Do not send"},
		"de": {"Formular abschicken?", "app.example.com/orders", "alice", "Company login", "Nicht abschicken"},
	} {
		got := render(p.SendForm(tag, SendFormPage{
			Action: "/orders", Address: "app.example.com/orders", SignedInAs: "alice", Provider: "Company login",
			Fields: []FormField{{"password", "not shown"}, {"b", "2"}}, Cancel: "/",
		}))
		text := textOf(all(parsed(t, got.body, false), "main")[0])
		for _, s := range want {
			if !strings.Contains(text, s) {
				t.Errorf("%s: the page does not say %q", tag, s)
			}
		}
		if strings.Contains(text, "not shown") {
			t.Errorf("%s: the page shows what is in a field", tag)
		}
	}
}

func TestHostileTextInTheQuestionStaysText(t *testing.T) {
	p := look(t, nil)
	for name, s := range hostile {
		got := render(p.SendForm("", SendFormPage{Action: s, Address: s, SignedInAs: s, Provider: s, Cancel: s, Fields: []FormField{{s, s}}}))
		doc := parsed(t, got.body, false)
		for n := range doc.Descendants() {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || (a.Key == "href" && n.Data == "a" || a.Key == "action") && !own.MatchString(a.Val) {
					t.Errorf("%s: %s of %s is %q", name, a.Key, n.Data, a.Val)
				}
			}
		}
		if len(all(doc, "script"))+len(all(doc, "img")) != 0 || len(all(doc, "input")) != 1 || len(all(doc, "form")) != 1 {
			t.Errorf("%s: further elements", name)
		}
	}
}
