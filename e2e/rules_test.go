package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestTwoApplications(t *testing.T) {
	ForEachEnvoy(t, func(t *testing.T, version string) {
		a := startApplications(t, version)
		erin, frank := NewBrowser(), NewBrowser()
		must(a.SignIn(erin, "/app1/", Erin))(t)
		must(a.SignIn(frank, "/app2/", Frank))(t)
		t.Run("by path", func(t *testing.T) { testByPath(t, a.Gate, erin, frank) })
		for name, g := range map[string]*Gate{"as they come": a.Gate, "after Envoy has normalised them": a.Normal} {
			t.Run("spellings of paths "+name, func(t *testing.T) { testSpellings(t, g, erin, frank) })
		}
		t.Run("what Envoy normalises is what decides", func(t *testing.T) { testNormalised(t, a, erin, frank) })
		t.Run("fields about another target", func(t *testing.T) { testOtherTargets(t, a.Gate, erin) })
		t.Run("by host", func(t *testing.T) { testByHost(t, a.Hosts) })
		checkLog(t, a.Gate)
	})
}

func testByPath(t *testing.T, g *Gate, erin, frank *Browser) {
	for _, test := range []struct {
		who    string
		b      *Browser
		path   string
		status int
	}{
		{"nobody", NewBrowser(), "/public/page", http.StatusOK},
		{"nobody", NewBrowser(), "/app1/page", http.StatusSeeOther},
		{"nobody", NewBrowser(), "/app2/page", http.StatusSeeOther},
		{"erin", erin, "/public/page", http.StatusOK},
		{"erin", erin, "/app1/page?a=b", http.StatusOK},
		{"erin", erin, "/app2", http.StatusForbidden},
		{"erin", erin, "/app2/page?x=/public/", http.StatusForbidden},
		{"frank", frank, "/app1/page", http.StatusOK},
		{"frank", frank, "/app2/page", http.StatusOK},
	} {
		before := g.App.Requests()
		page := must(test.b.Get(g.URL(test.path)))(t)
		if page.Status != test.status {
			t.Errorf("%s at %s: %d, want %d", test.who, test.path, page.Status, test.status)
		}
		if reached := g.App.Requests() > before; reached != (test.status == http.StatusOK) {
			t.Errorf("%s at %s: reached the application: %v", test.who, test.path, reached)
		}
	}
	checkIdentity(t, must(ReadSeen(must(frank.Get(g.URL("/app2/page")))(t)))(t), Frank)
	checkDenials(t, g, erin)
}

// checkDenials: a person is told what is missing, and a program is.
func checkDenials(t *testing.T, g *Gate, erin *Browser) {
	t.Helper()
	page := must(erin.Get(g.URL("/app2/page")))(t)
	for _, text := range []string{"group2", Erin.Name, "/oauth2/start?"} {
		if !strings.Contains(page.Body, text) {
			t.Errorf("the page does not speak of %s: %.2000s", text, page.Body)
		}
	}
	page = must(erin.Get(g.URL("/app2/page"), asProgram()))(t)
	var problem struct {
		Status       int
		Reason, Rule string
		Missing      []struct {
			Requirement string
			Values      []string
		}
	}
	if err := json.Unmarshal([]byte(page.Body), &problem); err != nil {
		t.Fatalf("%d %v: %.300s", page.Status, err, page.Body)
	}
	missing := problem.Missing
	if page.Status != http.StatusForbidden || problem.Reason != "group_missing" || problem.Rule != "app2" ||
		len(missing) != 1 || missing[0].Requirement != "groups" || !slices.Equal(missing[0].Values, []string{"group2"}) {
		t.Errorf("a program reads %d %.500s", page.Status, page.Body)
	}
}

// asProgram are the fields of a page's own request.
func asProgram() http.Header {
	return http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}}
}

// spellings are targets that some application reads as one of app2, or that a
// careless gate would take for one of the open part.
var spellings = []string{
	"/app2", "/app2/", "/app2/x", "//app2/x", "///app2", "/./app2/x", "/.//app2/x", "/app2//x", "/app2/.", "/app2/./x",
	"/public/../app2/x", "/public/./../app2/x", "/public/x/../../app2/x", "/public/%2e%2e/app2/x", "/public/%2E./app2/x", "/public/.%2e/app2",
	"/public/..%2fapp2/x", "/public%2f..%2fapp2/x", "/public/..%2Fapp2", "/public/%2e%2e%2fapp2/x", "/public/..%252fapp2/x", "/public/%252e%252e/app2/x",
	"/public/..;/app2/x", "/public/..;a=b/app2/x", "/public/..;a=/public/../app2", "/public/;/../app2/x", "/public;/../app2/x", "/public/.;/../app2", "/public/%2e%2e;/app2/x", "/public/..%3b/app2/x",
	`/public/..\app2/x`, `/public\..\app2\x`, "/public/..%5capp2/x", "/public%5c..%5capp2/x", `/\app2/x`, `\app2\x`, `/app2\x`, "/app2%5cx",
	"/app2;x", "/app2;x/y", "/app2;/x", "/;/app2/x", "/;x=/public/app2", "/app2%3bx/y",
	"/%61pp2/x", "/%61%70%70%32/x", "/app%32", "/app%32/x", "/%2561pp2/x", "/%41pp2/x",
	"/app2%2fx", "/app2%2f..", "/app2%2f..%2fpublic", "/app2/..%2fpublic/x", "/%2fapp2/x", "/%2f%2fapp2/x", "/app2%2F%2Fx",
	"/app2#/public/", "/app2/x#/../../public/x", "/public/x#/../../app2/x", "/public/#/../../app2", "/app2%23/x", "/app2%3f/x", "/app2%3F/public/x",
	"/app2?/public/x", "/app2/x?/../../public/", "/public/..?/app2/x", "/?/public/",
	"/app2%00", "/app2%00/x", "/public/x%00/../../app2/x", "/app2%0a/x", "/app2%09",
	"/app2/../public/x", "/app2/../app1/x", "/app1/../app2/x", "/app1/..;/app2/x", "/app1/%2e%2e/app2/x", "/app1;/../app2/x",
	"/public/%c0%ae%c0%ae/app2/x", "/public/..%c0%afapp2/x", "/public/%u002e%u002e/app2/x", "/public/%ef%bc%8e%ef%bc%8e/app2",
	"/oauth2/../app2/x", "/oauth2/callback/../../app2/x", "/oauth2/..;/app2/x", "/.well-known/../app2/x",
	"http://localhost/app2/x", "http://localhost//app2/x", "http://localhost/public/../app2/x", "http://localhost?/app2/x",
	"/APP2/x", "/App2/x", "/app2./x", "/app2%20/x", "/app2+/x", "/public", "/public/", "/public/x",
}

// testSpellings tries all of them as nobody, as Erin and as Frank. What reaches
// the application must be nothing that any reading takes for what they may not.
func testSpellings(t *testing.T, g *Gate, erin, frank *Browser) {
	nobody := NewBrowser()
	reached := map[*Browser]int{}
	for _, target := range spellings {
		for b, allowed := range map[*Browser]func(path string) bool{
			nobody: func(path string) bool { return within("/public", path) },
			erin:   func(path string) bool { return !within("/app2", path) },
			frank:  func(string) bool { return true },
		} {
			before := g.App.Requests()
			page := must(g.Raw(b, target))(t)
			if g.App.Requests() == before {
				continue
			}
			reached[b]++
			seen := must(ReadSeen(page))(t)
			for _, path := range readings(seen.Target) {
				if !allowed(path) {
					t.Errorf("%s reached the application as %s, which may be read as %s", target, seen.Target, path)
				}
			}
		}
	}
	if reached[nobody] < 3 || reached[erin] <= reached[nobody] || reached[frank] <= reached[erin]+5 {
		t.Errorf("of %d targets, %d reached the application for nobody, %d for Erin, %d for Frank", len(spellings), reached[nobody], reached[erin], reached[frank])
	}
}

// testNormalised: where Envoy normalises paths, what it makes of them decides, and
// where it does not, what could be read in two ways is refused.
func testNormalised(t *testing.T, a *Applications, erin, frank *Browser) {
	nobody := NewBrowser()
	type answers struct{ nobody, erin, frank int }
	for _, test := range []struct {
		target            string
		plain, normalised answers
	}{
		{"/app2/x", answers{303, 403, 200}, answers{303, 403, 200}},
		{"/%61pp2/x", answers{303, 403, 200}, answers{303, 403, 200}},
		{"/public/../app2/x", answers{400, 400, 400}, answers{303, 403, 200}},
		{"//app2/x", answers{400, 400, 400}, answers{303, 403, 200}},
		{"/public/..%2fapp2/x", answers{400, 400, 400}, answers{303, 403, 200}},
		{"/app2/../public/x", answers{400, 400, 400}, answers{200, 200, 200}},
		{"/APP2/x", answers{303, 200, 200}, answers{303, 200, 200}},
	} {
		for name, side := range map[string]struct {
			gate *Gate
			want answers
		}{"as it comes": {a.Gate, test.plain}, "normalised": {a.Normal, test.normalised}} {
			got := answers{}
			for b, status := range map[*Browser]*int{nobody: &got.nobody, erin: &got.erin, frank: &got.frank} {
				*status = must(side.gate.Raw(b, test.target))(t).Status
			}
			if got != side.want {
				t.Errorf("%s, %s: %+v, want %+v", test.target, name, got, side.want)
			}
		}
	}
}

// Fields by which some hops and frameworks name another target.
var targetFields = []string{
	"X-Forwarded-Uri: /public/x", "X-Original-Uri: /public/x", "X-Original-Url: /public/x", "X-Rewrite-Url: /public/x",
	"X-Envoy-Original-Path: /public/x", "X-Forwarded-Prefix: /public", "X-Forwarded-Host: www.localhost", "X-Forwarded-Method: OPTIONS",
}

func testOtherTargets(t *testing.T, g *Gate, erin *Browser) {
	for _, field := range targetFields {
		if page := must(g.Raw(erin, "/app2/x", field))(t); page.Status != http.StatusForbidden {
			t.Errorf("with %s the answer is %d", field, page.Status)
		}
		if page := must(g.Raw(NewBrowser(), "/app1/x", field))(t); page.Status != http.StatusSeeOther {
			t.Errorf("for nobody, with %s the answer is %d", field, page.Status)
		}
	}
	seen := must(ReadSeen(must(g.Raw(NewBrowser(), "/public/x", "X-Original-URL: /app2/x", "X_Rewrite_Url: /app2/x", "x-rewrite-url: /app2/x"))(t)))(t)
	for _, name := range []string{"x-original-url", "x-rewrite-url"} {
		if got := seen.Values(name); len(got) > 0 {
			t.Errorf("the application got %s: %q", name, got)
		}
	}
}

func testByHost(t *testing.T, g *Gate) {
	at := func(host string) string { return strings.Replace(g.URL(""), "localhost", host, 1) }
	erin, frank, nobody := NewBrowser(), NewBrowser(), NewBrowser()
	arrive := func(b *Browser, who Person, host string, want int) {
		t.Helper()
		way, _, err := b.Arrive(g.Provider, must(b.Get(at(host)+"/page"))(t), who)
		if err != nil {
			t.Fatal(err)
		}
		if last := way[len(way)-1]; last.Status != want || !strings.HasPrefix(last.URL.String(), at(host)) {
			t.Errorf("%s at %s: %d at %s, want %d", who.Name, host, last.Status, last.URL, want)
		}
	}
	arrive(nobody, Person{}, openHost, http.StatusOK)
	arrive(erin, Erin, app1Host, http.StatusOK)
	arrive(erin, Erin, app2Host, http.StatusForbidden)
	arrive(erin, Erin, openHost, http.StatusOK)
	arrive(frank, Frank, app2Host, http.StatusOK)
	testHostSpellings(t, g, erin)
}

// testHostSpellings: whatever a request calls its host, what reaches the
// application is not app2's, for nobody and for Erin with her cookie of app2.
func testHostSpellings(t *testing.T, g *Gate, erin *Browser) {
	port := g.Addr[strings.LastIndexByte(g.Addr, ':'):]
	cookies := []string{}
	for _, c := range erin.Jar.For(address(t, "http://"+app2Host+port+"/")) {
		cookies = append(cookies, "Cookie: "+c.Name+"="+c.Value)
	}
	open := "Host: " + openHost + port
	for _, request := range []struct {
		target string
		fields []string
	}{
		{"/x", []string{"Host: " + app2Host + port}},
		{"/x", []string{"Host: APP2.localhost" + port}},
		{"/x", []string{"Host: app2.localhost." + port}},
		{"/x", []string{"Host: " + app2Host}},
		{"/x", []string{"Host: " + app2Host + ":0" + port[1:]}},
		{"/x", []string{"Host: user@" + app2Host + port}},
		{"/x", []string{"Host: " + openHost + port + "@" + app2Host}},
		{"/x", []string{"Host: " + app2Host + port + "#" + openHost}},
		{"/x", []string{"Host: " + app2Host + port, "X-Forwarded-Host: " + openHost + port}},
		{"/x", []string{"Host: " + app2Host + port, "Forwarded: host=" + openHost + port}},
		{"/x", []string{open, "Host: " + app2Host + port}},
		{"/x", []string{"Host: " + app2Host + port, open}},
		{"http://" + app2Host + port + "/x", []string{open}},
		{"HTTP://APP2.LOCALHOST" + port + "/x", []string{open}},
	} {
		for who, more := range map[string][]string{"nobody": nil, "erin": cookies} {
			before := g.App.Requests()
			page, err := g.Raw(NewBrowser(), request.target, append(slices.Clone(request.fields), more...)...)
			if err != nil {
				t.Fatal(err)
			}
			if g.App.Requests() == before {
				continue
			}
			host, _, _ := strings.Cut(strings.ToLower(must(ReadSeen(page))(t).Host), ":")
			if strings.Contains(host, "app2") {
				t.Errorf("%s by %q reached the application as %s", who, request, host)
			}
		}
	}
	if page := must(g.Raw(NewBrowser(), "/x", open))(t); page.Status != http.StatusOK {
		t.Errorf("the open host answers %d", page.Status)
	}
}
