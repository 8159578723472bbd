package doctest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
)

// environment has something fitting in each variable that a page names.
func environment(t *testing.T) func(string) (string, bool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) (string, bool) {
		switch {
		case strings.HasPrefix(name, "POSTERN_KEY"):
			sum := sha256.Sum256([]byte(name))
			return base64.StdEncoding.EncodeToString(sum[:]), true
		case strings.HasSuffix(name, "_KEY"):
			return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), true
		}
		return strings.Repeat("s", 40), true
	}
}

// settingsKeys are the settings' own, at the top, as the reference has them.
func settingsKeys(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| \\[`([a-z_]+)").FindAllStringSubmatch(string(text), -1) {
		keys[m[1]] = true
	}
	if !keys["providers"] || !keys["log"] {
		t.Fatalf("the settings' keys are %v", slices.Sorted(maps.Keys(keys)))
	}
	return keys
}

// documents takes YAML apart. Keys that come twice are an error.
func documents(text string) ([]any, error) {
	var all []any
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc any
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		if doc != nil {
			all = append(all, doc)
		}
	}
}

// examples takes a block apart in which each line is an example of its own, as
// the one with all requirements is; otherwise it is one.
func examples(text string) []string {
	var all []string
	first := ""
	for line := range strings.Lines(text) {
		key, _, found := strings.Cut(line, ":")
		if !found || first != "" && key != first {
			return []string{text}
		}
		first = key
		all = append(all, line)
	}
	return all
}

func TestEveryBlockOfYAMLIsWhatItLooksLike(t *testing.T) {
	keys, env := settingsKeys(t), environment(t)
	for _, b := range blocks(t, "yaml") {
		for _, example := range examples(b.Text) {
			found, err := manifest.Find([]byte(example))
			if err == nil && len(found) > 0 {
				for _, f := range found {
					if f.Kind == manifest.Settings {
						continue // below, with what is missing
					}
					if _, err := config.Parse(f.Settings, env); err != nil {
						t.Errorf("%s: %s: %v", b.Where(), f.Path, err)
					}
				}
			}
			docs, err := documents(example)
			if err != nil {
				t.Errorf("%s: %v", b.Where(), err)
			}
			for _, doc := range docs {
				if err := judge(doc, keys, env); err != nil {
					t.Errorf("%s: %v", b.Where(), err)
				}
			}
		}
	}
}

// judge says what is wrong with a document, or with a part of one.
func judge(doc any, keys map[string]bool, env func(string) (string, bool)) error {
	switch doc := doc.(type) {
	case map[string]any:
		switch {
		case doc["apiVersion"] != nil && doc["kind"] != nil, isEnvoys(doc), isTools(doc):
			return nil
		case doc["require"] != nil && len(doc) == 1:
			return tryRules([]any{map[string]any{"match": map[string]any{"paths": []any{"/x"}}, "require": doc["require"]}}, env)
		}
		for key := range doc {
			if !keys[key] && key != "enrich" {
				return errors.New("this is neither settings, nor Envoy's, nor Kubernetes': " + key)
			}
		}
		return try(doc, env)
	case []any:
		for _, item := range doc {
			m, _ := item.(map[string]any)
			switch {
			case m["match"] != nil:
				return tryRules(doc, env)
			case m["request"] != nil && m["expect"] != nil: // run in cmd/postern
			case m["name"] != nil && (m["typed_config"] != nil || m["load_assignment"] != nil || m["config_discovery"] != nil):
			case m["tag_name"] != nil && m["regex"] != nil:
			default:
				return errors.New("a list of what?")
			}
		}
		return nil
	}
	return errors.New("neither a list nor keys")
}

// envoys are the keys of a bootstrap, a listener, a cluster and a filter.
var envoys = []string{
	"admin", "node", "static_resources", "dynamic_resources", "stats_config", "layered_runtime", "overload_manager",
	"listeners", "clusters", "http_filters", "access_log", "resources", "route_config", "typed_per_filter_config",
	"http_protocol_options", "common_http_protocol_options", "transport_socket", "typed_extension_protocol_options", "upgrade_configs",
	"use_remote_address", "xff_num_trusted_hops", "max_request_headers_kb", "forward_client_cert_details", "path_with_escaped_slashes_action",
	"normalize_path", "merge_slashes", "load_assignment", "name", "type", "connect_timeout", "vm_config", "failure_policy", "allow_on_headers_stop_iteration",
}

func isEnvoys(doc map[string]any) bool {
	for key := range doc {
		if !slices.Contains(envoys, key) {
			return false
		}
	}
	return true
}

// isTools knows the files of other tools by the key that each must have.
func isTools(doc map[string]any) bool {
	return doc["scrape_configs"] != nil || doc["groups"] != nil
}

func tryRules(rules []any, env func(string) (string, bool)) error {
	return try(map[string]any{"rules": rules}, env)
}

// try has settings checked. Parts of settings are completed first.
func try(settings map[string]any, env func(string) (string, bool)) error {
	if settings["outbound"] == nil {
		set(settings, "hosts", []any{"app.example.com"})
	}
	session, _ := settings["session"].(map[string]any)
	if session == nil {
		session = map[string]any{}
	}
	set(session, "keys", []any{map[string]any{"id": "k", "env": "POSTERN_KEY"}})
	settings["session"] = session
	provider := map[string]any{}
	if settings["enrich"] == nil {
		provider["claims"] = map[string]any{"roles": "realm_access.roles"}
	}
	set(settings, "providers", []any{provider})
	providers, _ := settings["providers"].([]any)
	for _, p := range providers {
		if p, ok := p.(map[string]any); ok {
			completeProvider(p, settings)
		}
	}
	delete(settings, "enrich")
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	_, err = config.Parse(text, env)
	return err
}

func completeProvider(p, settings map[string]any) {
	if p["client_id"] == nil && p["cluster"] == nil { // one without a client accepts tokens alone
		set(p, "client_id", "c")
		set(p, "client_secret", map[string]any{"env": "SECRET"})
	}
	set(p, "name", "keycloak")
	set(p, "cluster", "idp")
	switch p["type"] {
	case nil, "oidc", "keycloak":
		set(p, "issuer", "https://id.example.com")
	}
	if settings["enrich"] != nil {
		p["enrich"] = settings["enrich"]
		p["clusters"] = map[string]any{"graph.microsoft.com": "a", "gitlab.example.com": "b", "people.internal.example.com": "c"}
	}
}

func set(m map[string]any, key string, value any) {
	if m[key] == nil {
		m[key] = value
	}
}

func TestEveryBlockOfJSONIsJSON(t *testing.T) {
	env := environment(t)
	for _, b := range blocks(t, "json") {
		d := json.NewDecoder(strings.NewReader(b.Text))
		for d.More() {
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Errorf("%s: %v", b.Where(), err)
				break
			}
			var members map[string]json.RawMessage
			if json.Unmarshal(value, &members) == nil && members["providers"] != nil {
				if _, err := config.Parse(value, env); err != nil {
					t.Errorf("%s: %v", b.Where(), err)
				}
			}
		}
	}
}

func TestEventsInTheDocumentsAreThoseThatThereAre(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "internal", "gate", "event.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks(t, "json") {
		d := json.NewDecoder(strings.NewReader(b.Text))
		for d.More() {
			var e struct{ Event *string }
			if d.Decode(&e) != nil {
				break
			}
			if e.Event != nil && !bytes.Contains(source, []byte(`= "`+*e.Event+`"`)) {
				t.Errorf("%s: there is no event %q", b.Where(), *e.Event)
			}
		}
	}
}

func TestEveryBlockOfPromQLCanBeRead(t *testing.T) {
	var file strings.Builder
	file.WriteString("groups:\n- name: documents\n  rules:\n")
	for i, b := range blocks(t, "promql") {
		for j, expression := range strings.Split(strings.TrimSpace(b.Text), "\n\n") {
			file.WriteString("  - {record: e" + strconv.Itoa(i) + "_" + strconv.Itoa(j) + ", expr: " + strconv.Quote(expression) + "}\n")
		}
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, file.String())
	}
}
