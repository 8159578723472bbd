package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// still makes the time stand still, and the variables of the example be unset.
func still(t *testing.T) {
	was := clock
	clock = func() time.Time { return time.Unix(1_800_000_000, 0) }
	t.Cleanup(func() { clock = was })
}

// try runs one command line on the example's settings.
func try(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	return tryOn(t, "testdata/settings.yaml", args...)
}

func tryOn(t *testing.T, settings string, args ...string) (code int, out, errOut string) {
	t.Helper()
	still(t)
	var o, e strings.Builder
	code = execute(t.Context(), append(args, "-c", settings), &o, &e)
	return code, o.String(), e.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s, which -update writes anew:\n%s", file, diff)
	}
}

func TestExplainShowsWhatBecomesOfARequest(t *testing.T) {
	for name, args := range map[string][]string{
		"nobody.txt":            {"GET", "https://app.example.com/admin/x"},
		"nobodys_script.txt":    {"PUT", "https://app.example.com/app2/x"},
		"admin.txt":             {"GET", "https://app.example.com/admin/x", "--claims", "testdata/admin.json"},
		"not_an_admin.txt":      {"GET", "https://app.example.com/admin/x", "--claims", "testdata/alice.json"},
		"none_of_them.txt":      {"GET", "https://app.example.com/app2/x", "--claims", "testdata/alice.json"},
		"step_up.txt":           {"GET", "https://app.example.com/reports/1", "--claims", "testdata/alice.json"},
		"token.txt":             {"PUT", "https://orders.example.com/1", "--claims", "testdata/script.json", "--as", "token"},
		"session_for_token.txt": {"GET", "https://orders.example.com/1", "--claims", "testdata/alice.json"},
		"anonymous.txt":         {"GET", "https://app.example.com/news/1", "-H", "x-auth-request-user: root"},
		"two_readings.txt":      {"GET", "https://app.example.com/news;x/1"},
		"observed.txt":          {"GET", "https://app.example.com/next/", "--claims", "testdata/alice.json"},
		"unmatched.txt":         {"GET", "https://app.example.com/", "--claims", "testdata/alice.json"},
		"refused.txt":           {"GET", "https://app.example.com/admin%2fx"},
		"other_host.txt":        {"GET", "https://shop.example.com/"},
		"own.txt":               {"GET", "https://app.example.com/oauth2/userinfo"},
		"step_up.json":          {"GET", "https://app.example.com/reports/1", "--claims", "testdata/alice.json", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := try(t, append([]string{"explain"}, args...)...)
			if code != 0 || errOut != "" {
				t.Errorf("exit %d: %s", code, errOut)
			}
			golden(t, name, out)
		})
	}
}

func TestExplainShowsWhatAnotherProxyIsTold(t *testing.T) {
	const auth, alice = "https://app.example.com/oauth2/auth", "testdata/alice.json"
	admin := filepath.Join(t.TempDir(), "unverified.json")
	if err := os.WriteFile(admin, []byte(`{"sub":"7","email":"eve@example.com","email_verified":false}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"asked_pass.txt":       {auth, "--claims", alice, "-H", "x-original-url: https://wiki.example.com/1"},
		"asked_demand.txt":     {auth + "?allowed_groups=group2,group1&scope=a|b", "--claims", alice, "-H", "x-forwarded-uri: /admin/x", "-H", "x-forwarded-method: PUT"},
		"asked_unverified.txt": {auth, "--claims", admin, "-H", "x-forwarded-uri: /admin/x"},
		"asked_public.txt":     {auth, "-H", "x-forwarded-uri: /public/x"},
		"asked_nobody.txt":     {auth, "-H", "x-forwarded-uri: /admin/x"},
		"asked_of_nothing.txt": {auth, "--claims", alice},
		"asked_pass.json":      {auth, "--claims", alice, "-H", "x-original-url: https://wiki.example.com/1", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := tryOn(t, "testdata/behind.yaml", append([]string{"explain", "GET"}, args...)...)
			if code != 0 || errOut != "" {
				t.Errorf("exit %d: %s", code, errOut)
			}
			golden(t, name, out)
		})
	}
	t.Run("without rules", func(t *testing.T) {
		_, out, _ := try(t, "explain", "GET", auth+"?allowed_groups=group2", "--claims", alice)
		if strings.Contains(out, "Rules") || !strings.Contains(out, "✓ a session or a token\n  ✗ groups: group2  (has group1)") || !strings.Contains(out, "403") {
			t.Error(out)
		}
	})
	t.Run("on another host", func(t *testing.T) {
		_, out, _ := try(t, "explain", "GET", "https://shop.example.com/oauth2/auth")
		if strings.Contains(out, "Needed") || !strings.Contains(out, "421") {
			t.Error(out)
		}
	})
}

func TestExplainRefusesWhatItCannotUnderstand(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no request":               {nil, "accepts 2 arg(s)"},
		"a path alone":             {[]string{"GET", "/admin"}, "a whole one"},
		"no method":                {[]string{"G T", "https://app.example.com/"}, "a method and an address"},
		"a header without a value": {[]string{"GET", "https://app.example.com/", "-H", "accept"}, "name: value"},
		"a token of one's own":     {[]string{"GET", "https://app.example.com/", "-H", "Authorization: Bearer s3cr3t"}, "told by claims"},
		"a cookie of one's own":    {[]string{"GET", "https://app.example.com/", "-H", "cookie: a=s3cr3t"}, "told by claims"},
		"neither":                  {[]string{"GET", "https://app.example.com/", "--as", "cookie"}, "neither session nor token"},
		"a token of nobody":        {[]string{"GET", "https://app.example.com/", "--as", "token"}, "--claims"},
		"claims that are not":      {[]string{"GET", "https://app.example.com/", "--claims", "testdata/none.json"}, "no such file"},
		"claims that are none":     {[]string{"GET", "https://app.example.com/", "--claims", "testdata/expectations.yaml"}, "no JSON object"},
		"another output":           {[]string{"GET", "https://app.example.com/", "-o", "xml"}, "neither text nor json"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := try(t, append([]string{"explain"}, c.args...)...)
			if code != exitUsage || out != "" || !strings.Contains(errOut, c.want) || strings.Contains(errOut, "s3cr3t") {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
		})
	}
}

func TestOfManyRulesTheLastAreShown(t *testing.T) {
	var rules strings.Builder
	for i := range 100 {
		fmt.Fprintf(&rules, "- {name: r%d, match: {paths: [/%d]}}\n", i, i)
	}
	code, out, errOut := run(t, goodSettings+"rules:\n"+rules.String(), "explain", "GET", "https://app.example.com/90")
	if code != 0 || !strings.Contains(out, "70 rules in front of these do not match") || strings.Count(out, "another path than") != mostLooked ||
		!strings.Contains(out, "rules[70] r70  another path than /70\n") || !strings.Contains(out, "rules[90] r90  matches") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func TestExplainRefusesSettingsThatAreNotValid(t *testing.T) {
	code, out, errOut := run(t, "hots: [a]\nproviders: []", "explain", "GET", "https://app.example.com/")
	if code != exitFailed || out != "" || !strings.Contains(errOut, "hots") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Setenv("EXAMPLE_CLIENT_SECRET", "s3cr3t-of-the-client")
	t.Setenv("EXAMPLE_SESSION_KEY", "czNjcjN0LW9mLXRoZS1zZXNzaW9ucy1hbmQtbG9uZyE=")
	for _, output := range []string{"text", "json"} {
		_, out, errOut := try(t, "explain", "GET", "https://app.example.com/reports/1", "--claims", "testdata/admin.json", "-o", output)
		for _, secret := range []string{"s3cr3t", "czNjcjN0", "eyJ"} {
			if strings.Contains(out+errOut, secret) {
				t.Errorf("%s has %q", output, secret)
			}
		}
		if !strings.Contains(out, "reports") {
			t.Errorf("%s: %s%s", output, out, errOut)
		}
	}
}

func TestWhatATerminalWouldObeyIsNotPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "claims.json")
	text, err := json.Marshal(map[string]any{"groups": []string{"\x1b[31mred\u202e\u200f", strings.Repeat("long", 100)}, "roles": "x"})
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := try(t, "explain", "GET", "https://app.example.com/app2/\u202e", "--claims", file)
	if strings.ContainsAny(out, "\x1b\u202e\u200f") || strings.Contains(out, strings.Repeat("long", 60)) {
		t.Errorf("%q", out)
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	p := &paper{out: &strings.Builder{}, colours: true}
	if p.in(red, "no") != "\x1b[31mno\x1b[0m" {
		t.Error("there is no red")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) || isTerminal(&strings.Builder{}) {
		t.Error("a file is taken for a terminal")
	}
	tty, err := os.Open(os.DevNull) // a character device, as terminals are
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !isTerminal(tty) {
		t.Error("a character device is none")
	}
	t.Setenv("NO_COLOR", "1")
	if isTerminal(tty) {
		t.Error("NO_COLOR is not heeded")
	}
}
