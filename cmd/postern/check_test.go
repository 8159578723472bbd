package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// table writes a table of expectations.
func table(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheExamplesExpectationsAreMet(t *testing.T) {
	code, out, errOut := try(t, "check", "-t", "testdata/expectations.yaml")
	if code != 0 || errOut != "" {
		t.Errorf("exit %d: %s", code, errOut)
	}
	golden(t, "check.txt", out)
}

func TestAnExpectationThatIsNotMetFails(t *testing.T) {
	const public, admin = "request: GET https://app.example.com/public/x", "request: GET https://app.example.com/admin, claims: {sub: a, groups: [admins], acr: gold, auth_time: -1m, preferred_username: bob}"
	for name, c := range map[string]struct{ entry, want string }{
		"another outcome":        {"{" + public + ", expect: 403}", "pass, not 403"},
		"another status":         {"{request: GET https://app.example.com/a//b, expect: 403}", "400 (target_double_slash), not 403"},
		"another rule":           {"{" + public + ", expect: pass, rule: admin}", "by rule public, not by rule admin"},
		"a rule where none is":   {"{" + public + ", expect: pass, rule: unmatched}", "by rule public, not by none of the rules"},
		"another reason":         {"{request: PUT https://app.example.com/, expect: 401, reason: no_token}", "for the reason no_session, not no_token"},
		"another value":          {"{" + admin + ", expect: pass, application: {X-Auth-Request-User: alice}}", "given x-auth-request-user: bob, not x-auth-request-user: alice"},
		"a field that is not":    {"{" + public + ", expect: pass, application: {x-auth-request-user: alice}}", "given no x-auth-request-user"},
		"a field too many":       {"{" + admin + ", expect: pass, application: {x-auth-request-user: null}}", "not no x-auth-request-user"},
		"no step up":             {"{" + admin + ", expect: step_up}", "pass, not step_up"},
		"an address of ours":     {"{request: GET https://app.example.com/oauth2/userinfo, expect: pass}", "own 401, not pass"},
		"a script and a browser": {"{request: GET https://app.example.com/app2, headers: {accept: application/json}, expect: login}", "401 (no_session), not login"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := try(t, "check", "-t", table(t, "- "+c.entry+"\n"))
			if code != exitFailed || errOut != "" || !strings.Contains(out, "✗") || !strings.Contains(out, c.want) || !strings.Contains(out, "1 of 1 expectations not met.") {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
		})
	}
}

func TestAnExpectationThatIsMetPasses(t *testing.T) {
	for name, entry := range map[string]string{
		"a status by its number":   `{request: "GET https://app.example.com/a//b", expect: 400}`,
		"a status as a text":       `{request: "GET https://app.example.com/a//b", expect: "400"}`,
		"an address of ours":       `{request: GET https://app.example.com/oauth2/userinfo, expect: own}`,
		"and its status":           `{request: GET https://app.example.com/oauth2/userinfo, expect: 401}`,
		"claims in JSON beside it": `{request: GET https://app.example.com/admin, claims: claims.json, expect: pass}`,
		"claims of an alias":       "{request: GET https://app.example.com/, claims: &a {sub: a}, expect: pass}\n- {request: GET https://app.example.com/2, claims: *a, expect: pass}",
		"no claims, spelled out":   `{request: GET https://app.example.com/, claims: null, expect: login}`,
		"a field with two values":  `{request: GET https://app.example.com/public/x, headers: {x-a: [b, c]}, expect: pass}`,
		"what is only observed":    `{request: GET https://app.example.com/next, claims: {}, expect: pass, reason: group_missing, rule: next}`,
		"two without names":        "{request: GET https://app.example.com/, expect: login}\n- {request: GET https://app.example.com/, expect: login}",
		"a list as one value":      `{request: GET https://app.example.com/, claims: {groups: [a, b]}, expect: pass, application: {x-auth-request-groups: "a,b"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			file := table(t, "- "+entry+"\n")
			claims := `{"groups":["admins"],"acr":"gold","auth_time":"-1m"}`
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), "claims.json"), []byte(claims), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out, errOut := try(t, "check", "-t", file); code != 0 {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
		})
	}
}

func TestATableIsReadStrictly(t *testing.T) {
	const request = "request: GET https://app.example.com/"
	for name, c := range map[string]struct{ table, want string }{
		"no list":                     {"request: x", ":1: must be a list"},
		"an entry that is none":       {"- x", ":1: must be an object"},
		"an unknown key":              {"- {" + request + ", expect: pass}\n- {" + request + ", expects: pass, expect: pass}", `:2: "expects" is not known`},
		"a key given twice":           {"- " + request + "\n  expect: pass\n  expect: login", `:3: "expect" is given twice`},
		"a name given twice":          {"- {name: a, " + request + ", expect: pass}\n- {name: a, " + request + ", expect: pass}", `:2: name: "a" is that of the expectation in line 1`},
		"no request":                  {"- expect: pass", ":1: request: must be given"},
		"a request without an origin": {"- {request: GET /, expect: pass}", ":1: request: the address must be a whole one"},
		"no outcome":                  {"- " + request, ":1: expect: must be given"},
		"an outcome that is none":     {"- {" + request + ", expect: ok}", ":1: expect: must be pass, login, step_up, own, or a status"},
		"a status that is none":       {"- {" + request + ", expect: 4030}", ":1: expect:"},
		"a token of nobody":           {"- {" + request + ", as: token, expect: pass}", ":1: as: has no place"},
		"neither":                     {"- {" + request + ", claims: {}, as: cookie, expect: pass}", ":1: as: must be session or token"},
		"claims that are none":        {"- {" + request + ", claims: [a], expect: pass}", ":1: claims: must be an object"},
		"claims given twice":          {"- {" + request + ", claims: {a: 1, a: 2}, expect: pass}", "already defined"},
		"claims that are not there":   {"- {" + request + ", claims: none.json, expect: pass}", ":1: claims: open"},
		"a time to come":              {"- {" + request + ", claims: {auth_time: 5m}, expect: pass}", ":1: claims: auth_time"},
		"a token of one's own":        {"- {" + request + ", headers: {authorization: Bearer s3cr3t}, expect: pass}", ":1: headers: authorization cannot be tried out"},
		"a field without a name":      {"- {" + request + ", headers: {a b: c}, expect: pass}", ":1: headers:"},
		"fields of nobody":            {"- {" + request + ", expect: 401, application: {a: b}}", ":1: application: has no place"},
		"no YAML":                     {"- {", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := try(t, "check", "-t", table(t, c.table))
			if code != exitFailed || out != "" || !strings.Contains(errOut, c.want) || strings.Contains(errOut, "s3cr3t") {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		_, _, errOut := try(t, "check", "-t", table(t, "- {"+request+"}\n- {expect: pass}"))
		if strings.Count(errOut, "\n") != 2 {
			t.Errorf("%s", errOut)
		}
	})
	t.Run("a file that is not there", func(t *testing.T) {
		if code, _, _ := try(t, "check", "-t", "testdata/none.yaml"); code != exitUsage {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("an empty one", func(t *testing.T) {
		if code, out, errOut := try(t, "check", "-t", table(t, "")); code != exitFailed {
			t.Errorf("exit %d: %s%s", code, out, errOut)
		}
	})
}

const shadowed = goodSettings + `
rules:
- {name: all, match: {paths: [/*]}}
- {name: admin, match: {paths: [/admin]}, require: {groups: [admins]}}
- {name: open, match: {hosts: [app.example.com], paths: [/open]}, allow: anyone}
`

func TestCheckWarns(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		strict   bool
		code     int
		want     []string
	}{
		"of rules that never match":      {shadowed, false, 0, []string{"Warnings", "! rules[1] admin never matches", `rules[0] ("all")`}},
		"strictly":                       {shadowed, true, 1, []string{"never matches"}},
		"not of what is meant":           {goodSettings + "rules: [{match: {paths: [/public/*]}, allow: anyone}]\n", true, 0, []string{"Open", "rules[0] is open to anyone: /public/*"}},
		"of what is weaker beside it":    {goodSettings + "rules: [{match: {paths: [/admin]}, require: {groups: [a]}}]\n", true, 1, []string{"rules[0] is for /admin alone"}},
		"of insecure settings, loudly":   {strings.Replace(goodSettings, "client_id: shop", "client_id: shop, insecure_unverified_email: true", 1), false, 0, []string{"INSECURE", "! providers[0].insecure_unverified_email"}},
		"of those of a rule":             {goodSettings + "rules: [{match: {paths: [/x]}, insecure_observe: true}]\n", false, 0, []string{"! rules[0].insecure_observe", "\nOpen\n  rules[0] lets everybody pass, whatever it decides, by insecure_observe: /x\n"}},
		"of what is open by that of all": {goodSettings + "insecure_observe: true\n", false, 0, []string{"! insecure_observe", "\nOpen\n  insecure_observe lets everybody pass, whatever is decided: every path, at every host\n"}},
		"not of who may pass":            {goodSettings + "rules: [{name: news, match: {paths: [/n/*]}, on_anonymous: pass}]\n", true, 0, []string{"\nOpen\n  rules[0] news lets pass who is not signed in: /n/*\n"}},
		"not of those that are off":      {strings.Replace(goodSettings, "client_id: shop", "client_id: shop, insecure_unverified_email: false", 1), true, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"check"}
			if c.strict {
				args = append(args, "--strict")
			}
			code, out, errOut := run(t, c.settings, args...)
			if code != c.code || errOut != "" {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

func TestCheckWritesJSON(t *testing.T) {
	var found struct {
		Valid    bool
		Problems []struct{ Path, Message string }
		Insecure []string
		Warnings []struct{ Kind, Place string }
		Unset    []string `json:"variables_not_set"`
		NotMet   int      `json:"not_met"`
		Cases    []struct {
			Line    int
			Met     bool
			Differs []string
			Got     struct{ Outcome string }
		} `json:"expectations"`
	}
	read := func(out string) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), &found); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	code, out, _ := try(t, "check", "-o", "json", "-t", table(t, "- {request: GET https://app.example.com/, expect: pass}\n"))
	read(out)
	if code != exitFailed || !found.Valid || len(found.Insecure) != 1 || len(found.Unset) != 2 || found.NotMet != 1 ||
		len(found.Cases) != 1 || found.Cases[0].Met || found.Cases[0].Line != 1 || found.Cases[0].Got.Outcome != "login" || len(found.Cases[0].Differs) != 1 {
		t.Errorf("exit %d: %s", code, out)
	}
	code, out, errOut := run(t, goodSettings+"hots: [a]\n", "check", "-o", "json")
	read(out)
	if code != exitFailed || found.Valid || len(found.Problems) != 1 || found.Problems[0].Path != "hots" || errOut != "" {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func TestWhatIsNotValidIsToldInJSON(t *testing.T) {
	const request = "GET https://app.example.com/"
	badTable := table(t, "- {request: "+request+", expect: ok}\n- {expect: pass}")
	noYAML := table(t, "- {")
	badCase := table(t, "- {request: "+request+", claims: {iss: https://other.example.com}, expect: pass}")
	for name, c := range map[string]struct {
		settings, path, message string // of the first problem
		args                    []string
	}{
		"settings, to check":      {goodSettings + "hots: [a]\n", "hots", "unknown key", []string{"check"}},
		"settings, to explain":    {goodSettings + "hots: [a]\n", "hots", "unknown key", []string{"explain", "GET", "https://app.example.com/"}},
		"no YAML, to check":       {"a: [", "settings", "yaml: line 1", []string{"check"}},
		"no YAML, to explain":     {"a: [", "settings", "yaml: line 1", []string{"explain", "GET", "https://app.example.com/"}},
		"a table":                 {goodSettings, badTable + ":1", "expect: must be", []string{"check", "-t", badTable}},
		"a table that is no YAML": {goodSettings, noYAML, "yaml: line 1", []string{"check", "-t", noYAML}},
		"claims that cannot be":   {goodSettings, badCase + ":1", "another issuer", []string{"check", "-t", badCase}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, c.settings, append(c.args, "-o", "json")...)
			var got map[string]any
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v: %s%s", err, out, errOut)
			}
			problems, _ := got["problems"].([]any)
			if code != exitFailed || errOut != "" || got["valid"] != false || len(problems) == 0 {
				t.Fatalf("exit %d: %s%s", code, out, errOut)
			}
			first, _ := problems[0].(map[string]any)
			path, _ := first["path"].(string)
			message, _ := first["message"].(string)
			if !strings.HasSuffix(path, c.path) || !strings.Contains(message, c.message) {
				t.Errorf("got %s", out)
			}
		})
	}
	if code, out, errOut := run(t, "", "check", "-c", "/nonexistent.yaml", "-o", "json"); code != exitUsage || errOut != "" || !strings.Contains(out, `"message": "open /nonexistent.yaml`) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

// plugin is a WasmPlugin with good settings in it.
func plugin() string {
	return "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: shop, namespace: shop}\nspec:\n" +
		"  url: oci://registry.example.com/postern:v1\n  sha256: " + strings.Repeat("a", 64) + "\n  phase: AUTHN\n  failStrategy: FAIL_RELOAD\n" +
		"  selector: {matchLabels: {app: gateway}}\n  vmConfig: {env: [{name: TEST_SECRET, valueFrom: HOST}, {name: TEST_KEY, valueFrom: HOST}]}\n" +
		"  pluginConfig:\n    " + strings.ReplaceAll(strings.TrimSpace(goodSettings), "\n", "\n    ") + "\n"
}

func TestSettingsAreCheckedWhereverTheyStand(t *testing.T) {
	good := plugin()
	for name, c := range map[string]struct {
		text string
		args []string
		code int
		want []string
	}{
		"in a WasmPlugin":                       {good, nil, 0, []string{"line 12: WasmPlugin shop in shop", "The settings are valid.", "· bodies_not_let_through"}},
		"in one that is strictly well":          {good, []string{"--strict"}, 0, []string{"valid"}},
		"in one that warns, strictly":           {strings.Replace(good, "AUTHN", "AUTHZ", 1), []string{"--strict"}, 1, []string{"! phase_not_authn: phase is AUTHZ", "at spec", "Set phase: AUTHN."}},
		"in one that warns":                     {strings.Replace(good, "AUTHN", "AUTHZ", 1), nil, 0, []string{"! phase_not_authn"}},
		"in one with an error":                  {strings.Replace(good, "FAIL_RELOAD", "FAIL_OPEN", 1), nil, 1, []string{"Errors", "✗ fail_open", "The settings are valid."}},
		"in one that is not valid":              {good + "    hots: []\n", nil, 1, []string{"spec.pluginConfig.hots: unknown key"}},
		"in several":                            {good + "---\n" + strings.Replace(good, "name: shop", "name: other", 1), nil, 0, []string{"WasmPlugin shop", "WasmPlugin other"}},
		"in several, of which one is not valid": {good + "---\n" + strings.Replace(good, "[app.example.com]", "a", 1), nil, 1, []string{"valid", "spec.pluginConfig.hosts: must be a list"}},
		"in an Envoy's bootstrap":               {"", []string{"../../envoy/envoy.yaml"}, 0, []string{"Bootstrap postern", "! providers[0].insecure_issuer"}},
		"nowhere":                               {"kind: Pod\n", nil, 1, []string{"there are no settings of Postern in it"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, c.text, append([]string{"check"}, c.args...)...)
			if code != c.code {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(out+errOut, want) {
					t.Errorf("no %q in:\n%s%s", want, out, errOut)
				}
			}
		})
	}
}

func TestSeveralFilesAreCheckedTogether(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wasm, none := file("plugin.yaml", plugin()), file("service.yaml", "kind: Service\n")
	bodies := file("bodies.yaml", "kind: EnvoyFilter\nmetadata: {namespace: shop}\nspec: {value: {allow_on_headers_stop_iteration: true}}\n")
	for name, c := range map[string]struct {
		files  []string
		code   int
		with   string
		not    string
		output string
	}{
		"one without settings is passed over":  {[]string{none, wasm}, 0, "plugin.yaml, line 12", "service.yaml", "text"},
		"all of them without settings are not": {[]string{none, bodies}, 1, "service.yaml: there are no settings", "bodies.yaml", "text"},
		"what one says is heeded in another":   {[]string{wasm, bodies}, 0, "valid", "bodies_not_let_through", "text"},
		"one may be all there is in JSON":      {[]string{wasm, none}, 0, `"kind": "WasmPlugin"`, `"settings"`, "json"},
		"one that is not there is no file":     {[]string{wasm, filepath.Join(dir, "none")}, 2, "no such file", "valid", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, "", append([]string{"check", "-o", c.output}, c.files...)...)
			if code != c.code || !strings.Contains(out+errOut, c.with) || strings.Contains(out+errOut, c.not) {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
		})
	}
}

func TestSettingsOfSeveralPlacesAreAListInJSON(t *testing.T) {
	good := plugin()
	code, out, errOut := run(t, good+"---\n"+strings.Replace(good, "AUTHN", "AUTHZ", 1), "check", "-o", "json", "--strict")
	var found struct {
		Well     bool
		Settings []struct {
			Valid            bool
			Kind, Name, Path string
			Line             int
			Findings         []struct{ Code, Severity, Path, Message, Hint string }
		}
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || errOut != "" {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	if code != exitFailed || found.Well || len(found.Settings) != 2 {
		t.Fatalf("exit %d: %s", code, out)
	}
	second := found.Settings[1]
	if !second.Valid || second.Kind != "WasmPlugin" || second.Name != "shop" || second.Path != "spec.pluginConfig" || second.Line <= found.Settings[0].Line {
		t.Errorf("got %+v", second)
	}
	for _, f := range second.Findings {
		if f.Code == "phase_not_authn" && f.Severity == "warning" && f.Path == "spec" && f.Message != "" && f.Hint != "" {
			return
		}
	}
	t.Errorf("no warning of the phase: %+v", second.Findings)
}

func TestWhoWantsOneSettingsIsToldWhereTheyAre(t *testing.T) {
	good := plugin()
	other := strings.Replace(good, "app.example.com", "other.example.com", 1)
	code, _, errOut := run(t, good+"---\n"+other, "explain", "GET", "https://app.example.com/")
	if code != exitUsage || !strings.Contains(errOut, "holds settings 2 times") || !strings.Contains(errOut, "line 29: WasmPlugin shop in shop") {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if code, out, errOut := run(t, good+"---\n"+good, "explain", "GET", "https://app.example.com/"); code != 0 || !strings.Contains(out, "login:") {
		t.Errorf("the same twice: exit %d: %s%s", code, out, errOut)
	}
}

func TestAFileThatIsNoYAMLIsNamed(t *testing.T) {
	for name, settings := range map[string]string{"broken": "a: [", "a key given twice": goodSettings + "hosts: [a.example.com]\n"} {
		_, _, errOut := run(t, settings, "check")
		file, rest, _ := strings.Cut(errOut, ": ")
		if filepath.Base(file) != "settings" || !strings.Contains(rest, "line ") || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: %s", name, errOut)
		}
	}
	root := newRoot()
	root.SetArgs([]string{"check", "-c", "-"})
	root.SetIn(strings.NewReader("a: ["))
	var errOut strings.Builder
	root.SetErr(&errOut)
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.HasPrefix(errOut.String(), "standard input: yaml: line 1") {
		t.Errorf("got %v: %s", err, errOut.String())
	}
}

func TestSettingsForOutgoingCallsAloneAreChecked(t *testing.T) {
	const outbound = `
providers:
- {name: main, issuer: "https://id.example.com", cluster: idp, client_id: shop, client_key: {env: TEST_UNSET_KEY}, client_key_algorithm: %s}
session:
  keys: [{id: a, env: TEST_UNSET}]
outbound:
- {match: {hosts: [orders.example.com]}, provider: main}
`
	for _, algorithm := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		settings := strings.Replace(outbound, "%s", algorithm, 1)
		code, out, errOut := run(t, settings, "check")
		if code != 0 || !strings.Contains(out, "TEST_UNSET_KEY") {
			t.Errorf("%s: exit %d: %s%s", algorithm, code, out, errOut)
		}
		if code, _, errOut := run(t, settings, "explain", "GET", "https://app.example.com/"); code != exitFailed || !strings.Contains(errOut, "protect nothing") {
			t.Errorf("exit %d: %s", code, errOut)
		}
	}
}
