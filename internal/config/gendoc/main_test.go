package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/postern-auth/postern/internal/config"
)

const source = ".."

func TestTheReferenceIsCurrent(t *testing.T) {
	want, err := render(source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(source, "..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go generate ./internal/config (-wanted +found):\n%s", diff)
	}
}

// base is settings to which each setting of the reference can be added.
const base = `{
	"providers": [{"name": "keycloak", "issuer": "https://id.example.com", "cluster": "idp", "client_id": "c",
		"client_secret": {"env": "SHOP_CLIENT_SECRET"}, "client_key": {"env": "SHOP_CLIENT_KEY"},
		"enrich": [{"name": "teams", "url": "https://id.example.com/teams", "select": {"teams": "value"}}]}],
	"hosts": ["auth.example.com"],
	"session": {"keys": [{"id": "k", "env": "POSTERN_KEY"}],
		"store": {"webdis": {"cluster": "webdis", "user": "postern", "password": {"env": "WEBDIS_PASSWORD"}}}},
	"bearer": [{"provider": "keycloak", "audiences": ["shop-api"]}],
	"outbound": [{"match": {"hosts": ["orders.example.com"]}, "provider": "keycloak"}],
	"forward": {"assertion": {"audience": "orders"}},
	"rules": [{"match": {"paths": ["/a"], "methods": ["GET"]}}]
}`

// plain is a provider without a discovery document.
var plain = map[string]string{
	"providers[].type":      `"oauth2"`,
	"providers[].scopes":    `["profile"]`,
	"providers[].endpoints": `{"authorization": "https://id.example.com/a", "token": "https://id.example.com/t", "userinfo": "https://id.example.com/u", "introspection": "https://id.example.com/i"}`,
	"bearer[].check":        `"introspection"`,
}

// beside are settings that others have a meaning beside.
var beside = map[string]map[string]string{
	"rules[].step_up.prompt":              {"rules[].require": `{"acr": ["gold"]}`},
	"providers[].tenant":                  {"providers[].type": `"entra"`, "providers[].issuer": `"https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0"`, "providers[].clusters": `{"id.example.com": "idp"}`},
	"providers[].tenants":                 {"providers[].type": `"entra"`, "providers[].issuer": `"https://login.microsoftonline.com/common/v2.0"`, "providers[].clusters": `{"id.example.com": "idp"}`},
	"providers[].enrich":                  {"providers[].clusters": `{"graph.example.com": "graph"}`},
	"providers[].enrich[].url":            {"providers[].clusters": `{"graph.example.com": "graph"}`},
	"providers[].hosted_domains":          {"providers[].type": `"google"`},
	"providers[].endpoints":               plain,
	"providers[].endpoints.authorization": plain,
	"providers[].endpoints.token":         plain,
	"providers[].endpoints.userinfo":      plain,
	"providers[].subject":                 plain,
	"providers[].profile":                 {"outbound": `[]`},
	"rules[].require.roles":               {"providers[].claims": `{"roles": "realm_access.roles"}`},
	"rules[].require.any":                 {"providers[].claims": `{"roles": "realm_access.roles"}`},
}

// conditional are settings that are required because of others in the base:
// their own words say when.
var conditional = map[string]bool{
	"providers[].client_id": true, "providers[].issuer": true, "hosts": true, "bearer[].audiences": true, "session.keys[].env": true,
	"outbound[].match.hosts": true,
}

var clientKey = sync.OnceValue(func() string {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
})

func environment(name string) (string, bool) {
	switch name {
	case "POSTERN_KEY":
		return "u3ZbQ0Zc8r1n2kqj5mXoU4wq7eYt9aS6dF0gHjKlZxc=", true
	case "SHOP_CLIENT_SECRET", "WEBDIS_PASSWORD":
		return "hunter2", true
	case "SHOP_CLIENT_KEY":
		return clientKey(), true
	}
	return "", false
}

func TestEveryDocumentedExampleIsAccepted(t *testing.T) {
	for _, st := range settings(t) {
		if st.example == "" {
			continue
		}
		t.Run(st.path, func(t *testing.T) {
			parseWith(t, st.path, st.example)
		})
	}
}

func TestEveryDocumentedDefaultIsWhatLeavingOutGives(t *testing.T) {
	for _, st := range settings(t) {
		if !json.Valid([]byte(st.def)) || inBase(t, st.path) {
			continue
		}
		t.Run(st.path, func(t *testing.T) {
			given, absent := parseWith(t, st.path, st.def), parseWith(t, "", "")
			if diff := cmp.Diff(absent, given, cmpopts.EquateEmpty(), cmp.AllowUnexported(config.HostPattern{}, config.Key{})); diff != "" {
				t.Errorf("left out (-) and given as documented (+) differ:\n%s", diff)
			}
		})
	}
}

func TestEverySettingThatIsRequiredSaysSo(t *testing.T) {
	for _, st := range settings(t) {
		t.Run(st.path, func(t *testing.T) {
			_, err := config.Parse(without(t, st.path), environment)
			if refused := err != nil; refused != st.required && !conditional[st.path] {
				t.Errorf("documented as required: %v; without it: %v", st.required, err)
			}
		})
	}
}

// inBase says whether the base has the setting.
func inBase(t *testing.T, path string) bool {
	parent, key := walk(tree(t), path)
	return parent[key] != nil
}

// settings returns every setting of the reference.
func settings(t *testing.T) (all []setting) {
	t.Helper()
	s, err := load(source)
	if err != nil {
		t.Fatal(err)
	}
	top, err := s.section("Config", "")
	if err != nil {
		t.Fatal(err)
	}
	var collect func(*section)
	collect = func(sec *section) {
		for _, st := range sec.settings {
			all = append(all, st)
			if st.inner != nil {
				collect(st.inner)
			}
		}
	}
	collect(top)
	return all
}

// parseWith parses the base with one more setting.
func parseWith(t *testing.T, path, value string) *config.Config {
	t.Helper()
	root := tree(t)
	if path != "" {
		put(t, root, path, value)
	}
	for other, value := range beside[path] {
		put(t, root, other, value)
	}
	c, err := config.Parse(encode(t, root), environment)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, root map[string]any, path, value string) {
	t.Helper()
	parent, key := walk(root, path)
	var decoded any
	if err := json.Unmarshal([]byte(value), &decoded); err != nil {
		t.Fatalf("%s is not JSON: %v", value, err)
	}
	parent[key] = decoded
}

// without returns the base without one setting.
func without(t *testing.T, path string) []byte {
	t.Helper()
	root := tree(t)
	if strings.HasPrefix(path, "rules[].require.") {
		put(t, root, "rules[].require", `{"provider": "keycloak", "amr": ["otp"]}`) // one of which must remain
	}
	parent, key := walk(root, path)
	delete(parent, key)
	return encode(t, root)
}

func tree(t *testing.T) (root map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(base), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

func encode(t *testing.T, root map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// walk returns the object that holds the setting at path, making what is
// missing on the way, and the setting's key.
func walk(root map[string]any, path string) (parent map[string]any, key string) {
	keys := strings.Split(path, ".")
	for _, k := range keys[:len(keys)-1] {
		name, isList := strings.CutSuffix(k, "[]")
		if isList {
			root = root[name].([]any)[0].(map[string]any)
			continue
		}
		if root[name] == nil {
			root[name] = map[string]any{}
		}
		root = root[name].(map[string]any)
	}
	return root, keys[len(keys)-1]
}
