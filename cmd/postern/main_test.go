package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs one command line.
func run(t *testing.T, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	if stdin != "" {
		file := filepath.Join(t.TempDir(), "settings")
		if err := os.WriteFile(file, []byte(stdin), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-c", file)
	}
	var o, e strings.Builder
	code = execute(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	t.Setenv("ENVOY", "")
	for name, test := range map[string]struct {
		args []string
		code int
		want string // somewhere in the output
	}{
		"no command shows the help":          {nil, 0, "Write and check settings:"},
		"help":                               {[]string{"--help"}, 0, "demo"},
		"help of the demo":                   {[]string{"demo", "--help"}, 0, "--check"},
		"version":                            {[]string{"version"}, 0, "postern "},
		"help of keygen":                     {[]string{"keygen", "--help"}, 0, "session.keys"},
		"completion for a shell":             {[]string{"completion", "bash"}, 0, "__start_postern"},
		"an unknown command":                 {[]string{"serve"}, 2, "unknown command"},
		"a command that is misspelt":         {[]string{"chekc"}, 2, `did you mean "check"?`},
		"an unknown flag":                    {[]string{"demo", "--prot"}, 2, "unknown flag"},
		"a flag that is misspelt":            {[]string{"check", "--stricct"}, 2, `did you mean "--strict"?`},
		"an argument where none is expected": {[]string{"version", "x"}, 2, "takes no argument"},
		"an argument of keygen":              {[]string{"keygen", "x"}, 2, "takes no argument"},
		"an unknown host":                    {[]string{"demo", "--host", "nginx"}, 2, "is none of"},
		"a demo without a module":            {[]string{"demo", "--host", "wazero", "--module", "/nonexistent.wasm"}, 1, "make build"},
		"no settings":                        {[]string{"check"}, 2, "no settings"},
		"a doctor with nothing to look at":   {[]string{"doctor"}, 2, "--admin or --url"},
		"a doctor who is given no address":   {[]string{"doctor", "--admin", "localhost:9901"}, 2, "is not an address"},
		"a doctor in no time":                {[]string{"doctor", "--url", "http://a", "--timeout", "0s"}, 2, "--timeout"},
		"authorities that are none":          {[]string{"doctor", "--url", "https://a", "--ca", "main_test.go"}, 2, "no certificate"},
		"settings that cannot be read":       {[]string{"check", "-c", "/nonexistent.yaml"}, 2, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, "", test.args...)
			if code != test.code || !strings.Contains(out+errOut, test.want) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, test.code, test.want, out, errOut)
			}
			if (code == 0) == (errOut != "") {
				t.Errorf("exit %d, but standard error has %q", code, errOut)
			}
		})
	}
}

const goodSettings = `
providers:
- {name: main, issuer: "https://id.example.com", cluster: idp, client_id: shop, client_secret: {env: TEST_SECRET}}
hosts: [app.example.com]
session:
  keys: [{id: a, env: TEST_KEY}]
`

func TestCheck(t *testing.T) {
	t.Setenv("TEST_SECRET", "hush-hush")
	t.Setenv("TEST_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	asJSON, err := toJSON([]byte(goodSettings))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		settings string
		code     int
		want     string
		flags    []string
	}{
		"good settings in YAML":       {goodSettings, 0, "valid", nil},
		"good settings in JSON":       {string(asJSON), 0, "valid", nil},
		"an unknown key":              {goodSettings + "hots: [a]\n", 1, "hots", nil},
		"a key given twice in YAML":   {goodSettings + "hosts: [a.example.com]\n", 1, "hosts", nil},
		"a key given twice in JSON":   {strings.Replace(string(asJSON), "{", `{"hosts":["a.example.com"],`, 1), 1, "hosts", nil},
		"a variable that is missing":  {strings.ReplaceAll(goodSettings, "TEST_KEY", "TEST_NO_KEY"), 0, "TEST_NO_KEY", nil},
		"a variable that must be set": {strings.ReplaceAll(goodSettings, "TEST_KEY", "TEST_NO_KEY"), 1, "TEST_NO_KEY", []string{"--require-variables"}},
		"a warning":                   {goodSettings + "insecure_observe: true\n", 0, "! insecure_observe", nil},
		"a warning, strictly":         {goodSettings + "insecure_observe: true\n", 1, "! insecure_observe", []string{"--strict"}},
		"no warning, strictly":        {goodSettings, 0, "valid", []string{"--strict"}},
		"no YAML at all":              {"a: [", 1, "yaml", nil},
		"a very long file":            {strings.Repeat("# long\n", 1_300_000), 2, "longer", nil},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, test.settings, append([]string{"check"}, test.flags...)...)
			if code != test.code || !strings.Contains(out+errOut, test.want) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, test.code, test.want, out, errOut)
			}
			if strings.Contains(out+errOut, "hush-hush") {
				t.Error("a secret was printed")
			}
		})
	}
	t.Run("all problems at once", func(t *testing.T) {
		_, _, errOut := run(t, goodSettings+"hots: [a]\npath_prefix: x\n", "check")
		if !strings.Contains(errOut, "hots") || !strings.Contains(errOut, "path_prefix") {
			t.Errorf("got:\n%s", errOut)
		}
	})
}

func TestCheckReadsStandardInput(t *testing.T) {
	root := newRoot()
	root.SetArgs([]string{"check", "-c", "-"})
	root.SetIn(strings.NewReader("{}"))
	var errOut strings.Builder
	root.SetErr(&errOut)
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(errOut.String(), "providers") {
		t.Errorf("got %v: %s", err, errOut.String())
	}
}
