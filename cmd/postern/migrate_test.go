package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/migrate"
)

// proxyFile are settings of oauth2-proxy with secrets in them.
const proxyFile = `
provider = "oidc"
oidc_issuer_url = "https://id.example.com"
client_id = "shop"
client_secret = "hush-hush"
cookie_secret = "hush-hush-too"
redirect_url = "https://shop.example.com/oauth2/callback"
email_domains = ["example.com"]
upstreams = ["http://127.0.0.1:8080/"]
`

func written(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestMigrate(t *testing.T) {
	file := written(t, "oauth2-proxy.cfg", proxyFile)
	bad := written(t, "bad.cfg", "client_secret = \"hush-hush\nprovider = ")
	for name, test := range map[string]struct {
		args []string
		code int
		want string // somewhere in the output
	}{
		"settings":                {[]string{"oauth2-proxy", file}, 0, "email_domains: [example.com]"},
		"the report":              {[]string{"oauth2-proxy", file}, 0, "To do"},
		"arguments behind dashes": {[]string{"oauth2-proxy", file, "--", "--skip-auth-route=^/public/"}, 0, "/public/.*"},
		"a host":                  {[]string{"oauth2-proxy", "--host", "a.example.com", "--", "--email-domain=*"}, 0, "a.example.com"},
		"strictly, where something is left to do": {[]string{"oauth2-proxy", file, "--strict"}, 1, "hosts"},
		"as JSON":                                 {[]string{"oauth2-proxy", file, "--output", "json"}, 0, `"report"`},
		"nothing of that kind":                    {[]string{"authservice", file}, 1, "authservice"},
		"a file that is none":                     {[]string{"oauth2-proxy", bad}, 1, "line"},
		"no system":                               {nil, 2, "requires at least 1 arg"},
		"an unknown system":                       {[]string{"nginx", file}, 2, "none of oauth2-proxy"},
		"no file":                                 {[]string{"oauth2-proxy"}, 2, "which files"},
		"a file that is not there":                {[]string{"oauth2-proxy", "/nonexistent.cfg"}, 2, "no such file"},
		"arguments of what has none":              {[]string{"easyauth", file, "--", "--x"}, 2, "oauth2-proxy alone"},
		"arguments without a system":              {[]string{"--", "--x"}, 2, "which system"},
		"an unknown output":                       {[]string{"oauth2-proxy", file, "--output", "xml"}, 2, "neither settings nor json"},
		"a file that cannot be written":           {[]string{"oauth2-proxy", file, "-o", file + "/settings.yaml"}, 2, "not a directory"},
		"errors are JSON where that is asked for": {[]string{"authservice", file, "--output", "json"}, 1, `"problems"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, "", append([]string{"migrate"}, test.args...)...)
			if code != test.code || !strings.Contains(out+errOut, test.want) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, test.code, test.want, out, errOut)
			}
			if strings.Contains(out+errOut, "hush") {
				t.Errorf("a secret was printed:\n%s%s", out, errOut)
			}
		})
	}
}

func TestMigrateWritesSettingsThatCheckAccepts(t *testing.T) {
	dir := t.TempDir()
	settings := filepath.Join(dir, "settings.yaml")
	code, out, errOut := run(t, "", "migrate", "oauth2-proxy", written(t, "oauth2-proxy.cfg", proxyFile), "-o", settings)
	if code != 0 || errOut != "" || !strings.Contains(out, settings) {
		t.Fatalf("exit %d:\n%s%s", code, out, errOut)
	}
	if code, out, errOut := run(t, "", "check", "-c", settings); code != 0 {
		t.Errorf("exit %d:\n%s%s", code, out, errOut)
	}
	code, out, _ = run(t, "", "explain", "GET", "https://shop.example.com/", "-c", settings)
	if code != 0 || !strings.Contains(out, "sent to sign in") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

func TestMigrateTellsSettingsAndReportAsJSON(t *testing.T) {
	_, out, errOut := run(t, "", "migrate", "oauth2-proxy", written(t, "oauth2-proxy.cfg", proxyFile), "--output", "json")
	var got struct {
		Settings struct{ Hosts []string }
		Report   []migrate.Line
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || errOut != "" {
		t.Fatalf("%v: %s", err, errOut)
	}
	if len(got.Settings.Hosts) != 1 || got.Settings.Hosts[0] != "shop.example.com" || len(got.Report) < 5 {
		t.Errorf("got %+v", got)
	}
}
