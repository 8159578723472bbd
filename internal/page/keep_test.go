package page

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// scripted are the pages that run a script, with s as all that is not ours.
func scripted(p *Pages, s string) map[string]rendered {
	return map[string]rendered{
		"keep":        render(p.Keep("", KeepPage{Plain: s, Kept: s, Link: s})),
		"resume":      render(p.Resume("", ResumePage{URL: s})),
		"form_keep":   render(p.KeepForm("", KeepFormPage{Sealed: s, Next: s, SignIn: s})),
		"form_resume": render(p.ResumeForm("", ResumeFormPage{Action: s, Back: s})),
	}
}

var scripts = map[string]string{"keep": keepScript, "resume": resumeScript, "form_keep": formKeepScript, "form_resume": formResumeScript}

// parsed is a page as a browser reads it that runs scripts, or none.
func parsed(t *testing.T, body []byte, runs bool) *html.Node {
	t.Helper()
	doc, err := html.ParseWithOptions(bytes.NewReader(body), html.ParseOptionEnableScripting(runs))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// all are the elements of a name.
func all(doc *html.Node, name string) (found []*html.Node) {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func value(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestAPageRunsItsOwnScriptAndNoOther(t *testing.T) {
	for name, got := range scripted(look(t, nil), "/oauth2/start?rd=%2F") {
		doc := parsed(t, got.body, true)
		found := all(doc, "script")
		if len(found) != 1 || textOf(found[0]) != scripts[name] {
			t.Errorf("%s: %d scripts, or another one", name, len(found))
		}
		policy, _ := got.header.Only("content-security-policy")
		want := fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; img-src https: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			hashOf(textOf(all(doc, "style")[0])), hashOf(scripts[name]))
		if diff := cmp.Diff(want, policy); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if len(got.body) > 15<<10 {
			t.Errorf("%s: %d bytes", name, len(got.body))
		}
		referrer := "no-referrer"
		if name == "form_resume" {
			referrer = "strict-origin"
		}
		for field, want := range map[string]string{"cache-control": "no-store", "x-frame-options": "DENY", "referrer-policy": referrer} {
			if v, _ := got.header.Only(field); v != want {
				t.Errorf("%s: %s is %q", name, field, v)
			}
		}
	}
}

// own is what addresses may be that stand in a page: of this host, or plain ones.
var own = regexp.MustCompile(`^(/([^/\\]|$)|https?://)`)

func TestWhatAPageKeepsNeverBecomesMarkupOrScript(t *testing.T) {
	for name, s := range hostile {
		for page, got := range scripted(look(t, nil), s) {
			for _, runs := range []bool{true, false} {
				for n := range parsed(t, got.body, runs).Descendants() {
					if n.Type == html.ElementNode {
						checkKept(t, name+": "+page, n)
					}
				}
			}
			if n := strings.Count(string(got.body), scripts[page]); n != 1 {
				t.Errorf("%s: %s: the script stands there %d times", name, page, n)
			}
		}
	}
}

func checkKept(t *testing.T, where string, n *html.Node) {
	t.Helper()
	switch n.Data {
	case "img", "iframe", "object", "embed", "base", "link":
		if n.Data != "link" || value(n, "rel") != "icon" {
			t.Errorf("%s: element %s", where, n.Data)
		}
	}
	for _, a := range n.Attr {
		address := a.Val
		switch a.Key {
		case "data-form", "data-moment", "class", "id", "name", "type", "lang", "dir", "charset", "rel", "method", "http-equiv", "aria-hidden", "viewbox", "viewBox", "d", "cx", "cy", "r", "width", "height":
			continue
		case "content":
			refresh, ok := strings.CutPrefix(a.Val, "0;url=")
			if !ok {
				continue
			}
			address = refresh
		case "href", "action", "data-to", "data-plain", "data-kept", "data-next":
			if n.Data == "link" {
				continue
			}
		default:
			t.Errorf("%s: attribute %s of %s", where, a.Key, n.Data)
		}
		if !own.MatchString(address) {
			t.Errorf("%s: %s of %s leads to %q", where, a.Key, n.Data, address)
		}
	}
}

func TestAPageOfOnesOwnLookRunsTheScriptToo(t *testing.T) {
	own := look(t, func(o *Options) {
		o.Templates = map[string]string{"page": "<!doctype html><title>{{title}}</title><style>{{style}}</style><main>{{content}}</main>"}
	})
	for name, got := range scripted(own, "/") {
		found := all(parsed(t, got.body, true), "script")
		policy, _ := got.header.Only("content-security-policy")
		if len(found) != 1 || textOf(found[0]) != scripts[name] || !strings.Contains(policy, "; script-src "+hashOf(scripts[name])+";") {
			t.Errorf("%s: %d scripts, under %s", name, len(found), policy)
		}
	}
}

func TestWithoutAScriptAPageLeadsOn(t *testing.T) {
	p := look(t, nil)
	for name, got := range map[string]rendered{
		"keep":   render(p.Keep("", KeepPage{Plain: "/plain", Kept: "/kept", Link: "/link"})),
		"resume": render(p.Resume("", ResumePage{URL: "/plain"})),
	} {
		refresh := ""
		for _, n := range all(parsed(t, got.body, false), "meta") {
			if value(n, "http-equiv") == "refresh" {
				refresh = value(n, "content")
			}
		}
		if refresh != "0;url=/plain" {
			t.Errorf("%s: refresh is %q", name, refresh)
		}
		for _, n := range all(parsed(t, got.body, true), "meta") {
			if value(n, "http-equiv") == "refresh" {
				t.Errorf("%s: it leads on beside the script", name)
			}
		}
	}
	doc := parsed(t, render(p.KeepForm("", KeepFormPage{Sealed: "x", Next: "/next", SignIn: "/sign_in"})).body, false)
	if links := all(doc, "a"); len(links) != 1 || value(links[0], "href") != "/sign_in" {
		t.Errorf("a form that is not kept: %d links", len(links))
	}
	if got := textOf(all(doc, "h1")[0]); got != "Your form was not kept" {
		t.Errorf("a form that is not kept: the headline is %q", got)
	}
}
