package gate

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
)

const keepsForms = `,"sign_in":{"keep_forms":true}`

// sends has a browser post a form from a page of the host's own, or hand in one
// that it kept.
func (w *world) sends(target, contentType, body, cookie string) *visit {
	w.t.Helper()
	k := w.workers[0]
	first := w.ask(k, &httpmsg.Request{
		Method: "POST", Scheme: "https", Authority: "app.example.com", Target: target,
		Header: httpmsg.Fields{
			{Name: "accept", Value: "text/html"}, {Name: "cookie", Value: cookie}, {Name: "content-type", Value: contentType},
			{Name: "origin", Value: "https://app.example.com"}, ours,
		},
	})
	if first.verdict == nil || first.verdict.Body == nil {
		return first
	}
	return w.carry(k, func() (Verdict, Flow) { return first.verdict.Body.Then([]byte(body), nil) })
}

const formType = "application/x-www-form-urlencoded"

// kept is the sealed form in a page, and the binding that the page came with.
func (v *visit) kept() (sealed, binding string) {
	v.w.t.Helper()
	v.want("keep_form")
	_, rest, _ := strings.Cut(string(v.verdict.Respond.Body), `data-form="`)
	sealed, _, _ = strings.Cut(rest, `"`)
	for _, c := range v.cookies() {
		if pair, _, _ := strings.Cut(c, ";"); strings.HasPrefix(pair, "__Host-postern-login=") {
			binding = pair
		}
	}
	if sealed == "" {
		v.w.t.Fatal("the page keeps nothing")
	}
	return sealed, binding
}

// CVE-2021-32792: what was posted became a script of the page that kept it.
func TestAFormThatHoldsMarkupIsKeptAndAskedAboutAsText(t *testing.T) {
	w := newWorld(t, 1, parts{top: keepsForms})
	const evil = `</script><script>pwned()</script>"'><img src=x onerror=pwned()>`
	body := url.QueryEscape(evil) + "=" + url.QueryEscape(evil)
	v := w.sends("/orders?a="+url.QueryEscape(evil), formType, body, "")
	sealed, binding := v.kept()
	asked := w.sends("/oauth2/form", formType, "form="+sealed, binding+"; "+w.cookie(w.alice())).want("form_asked")
	for name, page := range map[string]*visit{"kept": v, "asked about": asked} {
		if text := string(page.verdict.Respond.Body); strings.Contains(text, "pwned()</script>") || strings.Contains(text, "<img") {
			t.Errorf("what was posted is markup where it is %s", name)
		}
	}
	if text := string(asked.verdict.Respond.Body); !strings.Contains(text, "&#60;script&#62;pwned()&#60;/script&#62;") {
		t.Error("the form does not hold what was posted")
	}
}

// CVE-2025-3891: an empty Content-Type field crashed what kept forms.
func TestAFormWithoutATypeOrABodyCrashesNothing(t *testing.T) {
	w := newWorld(t, 1, parts{top: keepsForms})
	for contentType, want := range map[string]string{
		"": "form_not_kept", ";": "form_not_kept", " ": "form_not_kept", "/": "form_not_kept", "multipart/form-data": "form_not_kept",
		formType: "keep_form", formType + ";": "keep_form", " " + strings.ToUpper(formType) + " ; charset=x": "keep_form",
	} {
		w.sends("/orders", contentType, "", "").want(want)
	}
	for _, body := range []string{"", "form", "form=", "form=A", "form=%", "&", "=", strings.Repeat("form=", 20000)} {
		w.sends("/oauth2/form", formType, body, "").want("form_expired")
	}
}

func TestAFormOpensInNoOtherBrowserAndAtNoOtherHost(t *testing.T) {
	w := newWorld(t, 1, parts{top: keepsForms})
	sealed, mine := w.sends("/orders", formType, "a=1", "").kept()
	_, other := w.sends("/orders", formType, "a=1", "").kept()
	session := w.cookie(w.alice())
	w.sends("/oauth2/form", formType, "form="+sealed, mine+"; "+session).want("form_asked")
	w.sends("/oauth2/form", formType, "form="+sealed, other+"; "+session).want("form_expired")
	w.sends("/oauth2/form", formType, "form="+sealed, session).want("form_expired")
	w.sends("/oauth2/form", formType, "form="+sealed, mine+"; "+mine+"; "+session).want("form_expired")
	first := w.ask(w.workers[0], &httpmsg.Request{
		Method: "POST", Scheme: "https", Authority: "other.example.com", Target: "/oauth2/form",
		Header: httpmsg.Fields{
			{Name: "accept", Value: "text/html"}, {Name: "content-type", Value: formType}, {Name: "origin", Value: "https://other.example.com"},
			{Name: "cookie", Value: mine + "; " + session},
		},
	})
	w.carry(w.workers[0], func() (Verdict, Flow) { return first.verdict.Body.Then([]byte("form="+sealed), nil) }).want("form_expired")
}

func TestAFormIsKeptForALoginThatTakesItsTime(t *testing.T) {
	w := newWorld(t, 1, parts{top: `,"sign_in":{"keep_forms":true,"login_timeout":"50m"}`})
	young := w.sends("/orders", formType, "a=1", "")
	_, binding := young.kept()
	w.now = w.now.Add(29 * time.Minute)
	sealed, _ := w.sends("/orders", formType, "a=2", binding).kept()
	w.now = w.now.Add(2 * time.Minute)
	_, renewed := w.sends("/orders", formType, "a=3", binding).kept()
	if renewed == "" {
		t.Fatal("the binding was not renewed")
	}
	w.sends("/oauth2/form", formType, "form="+sealed, renewed+"; "+w.cookie(w.alice())).want("form_asked")
	w.now = w.now.Add(54 * time.Minute)
	w.sends("/oauth2/form", formType, "form="+sealed, renewed+"; "+w.cookie(w.alice())).want("form_expired")
}

func TestNothingOfAFormStandsInTheLogOrInAnAddress(t *testing.T) {
	w := newWorld(t, 1, parts{top: keepsForms})
	const secret = "correct-horse-battery-staple"
	v := w.sends("/orders", formType, "password="+secret, "")
	sealed, binding := v.kept()
	if strings.Contains(string(v.verdict.Respond.Body), secret) {
		t.Error("the page that keeps it shows it")
	}
	w.sends("/oauth2/form", formType, "form="+sealed, binding).want("keep_form")
	w.sends("/oauth2/form", formType, "form="+sealed[:50], binding).want("form_expired")
	for _, e := range w.events {
		if strings.Contains(e.Reason+e.Cause, secret) {
			t.Errorf("the log says %+v", e)
		}
	}
}

// FuzzReadFields holds what is read of a form against the standard library, and
// against what a browser makes of it when it is sent again.
func FuzzReadFields(f *testing.F) {
	for _, body := range []string{"", "a=1&b=2&a=", "a", "&&a=%2B+%20", "a=%", "=1", "a=%00", "a=%e9", "a;b=c", "%f0%9f%8e%89=%0D%0A"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fields, why := readFields(body)
		if why != "" {
			if fields != nil {
				t.Errorf("%s, and fields all the same", why)
			}
			return
		}
		want, err := url.ParseQuery(strings.ReplaceAll(body, ";", "%3B"))
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		got := url.Values{}
		for _, field := range fields {
			got.Add(field.Name, field.Value)
		}
		if got.Encode() != want.Encode() {
			t.Errorf("%q: %v, not %v", body, got, want)
		}
		again, _ := readFields(encoded(fields))
		for i := range fields {
			if again[i] != fields[i] {
				t.Errorf("%q: sent again it is %v", body, again)
			}
		}
	})
}

// encoded is a form as browsers send it.
func encoded(fields []page.FormField) string {
	pairs := make([]string, len(fields))
	for i, f := range fields {
		pairs[i] = url.QueryEscape(f.Name) + "=" + url.QueryEscape(f.Value)
	}
	return strings.Join(pairs, "&")
}
