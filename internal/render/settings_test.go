package render

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
)

// ambiguous are texts of which one parser of YAML or another makes something else.
var ambiguous = []string{
	"", "y", "N", "yes", "No", "on", "OFF", "true", "False", "null", "~", ".nan", ".inf", "-.inf", "012", "0o14", "0x1f", "0b1", "1e3", "1_000", "+1", "-1", "1.5", ".5", "1:30",
	"2026-11", "2026-11-22", "2026-11-22T08:00:00Z", "=", "<<", "- a", "-", "---", "...", "? a", "a: b", "a:", "a #b", "#a", "&a", "*a", "!a", "%a", "@a", "`a`", "|", ">",
	"{a", "}", "[a", "]", "a, b", "'a'", `"a"`, `a\b`, " a", "a ", "a\tb", "a\nb", "é", "日本", "\u0085", "\u2028", "\ufeff", "a\x7f",
}

func TestATextIsReadAsItWasMeant(t *testing.T) {
	for _, text := range append(ambiguous, "shop.example.com", "/healthz", "168h", "1h30m", "127.0.0.1", "https://id.example.com/realms/main", "openid", "a=b", "Company login") {
		readBack(t, text)
	}
}

// readBack writes a text as a value and as a key, in a template and in a tree, and
// reads it with other parsers.
func readBack(t *testing.T, text string) {
	t.Helper()
	inTemplate := quoted(text)
	var value yaml.Node
	value.Kind = yaml.ScalarNode
	setText(&value, text, 0)
	inTree, err := yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{&value}})
	if err != nil {
		t.Fatal(err)
	}
	for _, written := range []string{"- " + inTemplate + "\n", "[" + inTemplate + "]", string(inTree)} {
		var one, other []any
		if err := sigsyaml.Unmarshal([]byte(written), &one); err != nil {
			t.Errorf("%q: %q: %v", text, written, err)
		}
		if err := yaml.Unmarshal([]byte(written), &other); err != nil {
			t.Errorf("%q: %q: %v", text, written, err)
		}
		if diff := cmp.Diff([]any{text}, one); diff != "" {
			t.Errorf("%q: %s", written, diff)
		}
		if diff := cmp.Diff([]any{text}, other); diff != "" {
			t.Errorf("%q: %s", written, diff)
		}
	}
}

func TestAmbiguousTextsStandInQuotes(t *testing.T) {
	for _, text := range ambiguous {
		if plain(text) {
			t.Errorf("%q is written as it is", text)
		}
	}
}

func FuzzTexts(f *testing.F) {
	for _, text := range ambiguous {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError) {
			readBack(t, text)
		}
	})
}

const plainSettings = `
providers:
- {name: idp, issuer: "https://id.example.com", cluster: idp, client_id: shop}
hosts: [shop.example.com]
session: {keys: [{id: a, env: KEY}]}
`

func TestSettingsMeanTheSameOnceTheyAreRendered(t *testing.T) {
	for name, text := range map[string]string{
		"as they are":         plainSettings,
		"words of YAML 1.1":   plainSettings + "insecure_observe: yes\nsign_in: {keep_forms: on, keep_fragment: off}\n",
		"numbers":             strings.Replace(plainSettings, "keys:", "max_bytes: 0x2000, cache_bytes: 1_000_000, keys:", 1),
		"anchors":             plainSettings + "rules:\n- &public\n  name: a\n  match: {paths: [/a]}\n  allow: anyone\n- name: b\n  match: &paths {paths: [/b]}\n- {name: c, match: {hosts: [shop.example.com], paths: [/c]}}\n",
		"aliases":             plainSettings + "rules:\n- {name: a, match: &m {paths: [/a]}, allow: anyone}\n- {name: b, match: *m}\n",
		"merges":              plainSettings + "rules:\n- &a {name: a, match: {paths: [/a]}, allow: anyone}\n- <<: *a\n  name: b\n",
		"blocks of text":      plainSettings + "sign_in:\n  title: >-\n    Folded\n    text\n",
		"a document's marker": "---" + plainSettings + "...\n",
		"JSON": `{"providers":[{"name":"idp","issuer":"https://id.example.com","cluster":"idp","client_id":"shop"}],
			"hosts":["shop.example.com"],"session":{"keys":[{"id":"012","env":"KEY"}]},"sign_in":{"title":"yes"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ReadForEnvoy([]byte(text), Reading{Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			want, err := sigsyaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := sigsyaml.YAMLToJSON([]byte(s.YAML()))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s\n%s", diff, s.YAML())
			}
			for line := range strings.Lines(s.YAML()) {
				for _, bad := range []string{": yes", ": on\n", ": off\n", "0x", "&", "*", "<<"} {
					if strings.Contains(line, bad) {
						t.Errorf("it is written as %q", line)
					}
				}
			}
		})
	}
}

func TestSettingsThatTheModuleRefusesAreRefusedInItsWords(t *testing.T) {
	_, err := ReadForEnvoy([]byte(strings.Replace(plainSettings, "cluster: idp", "clusters: [idp]", 1)), Reading{Lookup: lookup})
	var problems config.Problems
	if !errors.As(err, &problems) || !strings.Contains(err.Error(), "providers[0].clusters") {
		t.Errorf("%v", err)
	}
}

func TestClustersThatAreNamedKeepTheirNames(t *testing.T) {
	s, err := ReadForEnvoy([]byte(strings.Replace(plainSettings, "cluster: idp", "cluster: idp, clusters: {keys.example.com: keys}", 1)), Reading{Lookup: lookup})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range s.reached {
		names = append(names, d.Cluster+" "+d.address())
	}
	if diff := cmp.Diff([]string{"idp id.example.com:443", "keys keys.example.com:443"}, names); diff != "" {
		t.Error(diff)
	}
	if len(s.Notes) > 0 {
		t.Errorf("notes %q", s.Notes)
	}
}

func TestEachOfMicrosoftsCloudsHasItsGraph(t *testing.T) {
	for login, graph := range map[string]string{
		"login.microsoftonline.com": "graph.microsoft.com", "login.microsoftonline.us": "graph.microsoft.us",
		"login.partner.microsoftonline.cn": "microsoftgraph.chinacloudapi.cn",
	} {
		text := strings.Replace(string(settingsFile(t, "entra.yaml")), "  tenant: ", "  issuer: https://"+login+"/", 1)
		text = strings.Replace(text, "\n  client_id", "/v2.0\n  client_id", 1)
		before, _, _ := strings.Cut(text, "  enrich:")
		_, after, _ := strings.Cut(text, "hosts:")
		s, err := ReadForEnvoy([]byte(before+"hosts:"+after), Reading{Lookup: lookup})
		if err != nil {
			t.Fatal(err)
		}
		var hosts []string
		for _, d := range s.reached {
			hosts = append(hosts, d.Host)
		}
		if diff := cmp.Diff([]string{login, graph}, hosts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", login, diff)
		}
	}
}
