package manifests

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	chartFolder    = repository + "istio/chart"
	valuesFolder   = repository + "istio/testdata/values/"
	renderedFolder = repository + "istio/testdata/rendered/"
)

// render is what `helm template postern` prints of values, by template.
func render(t testing.TB, values map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.LoadDir(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	options := common.ReleaseOptions{Name: "postern", Namespace: "shop", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// values are those of a file, with more laid over them.
func values(t testing.TB, name string, over string) map[string]any {
	t.Helper()
	var all, more map[string]any
	if err := yaml.UnmarshalStrict(read(t, valuesFolder+name), &all); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(over), &more); err != nil {
		t.Fatal(err)
	}
	return loader.MergeMaps(all, more)
}

func valueFiles(t testing.TB) (names []string) {
	t.Helper()
	files, err := filepath.Glob(valuesFolder + "*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files of values: %v", len(files), err)
	}
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	return names
}

func TestTheChartIsWellFormed(t *testing.T) {
	for _, name := range valueFiles(t) {
		for _, message := range lint.RunAll(chartFolder, values(t, name, ""), "shop").Messages {
			if !strings.Contains(message.Error(), "icon is recommended") {
				t.Errorf("%s: %s", name, message)
			}
		}
	}
}

func TestTheChartRendersWhatAClusterTakes(t *testing.T) {
	known := istioResources(t)
	for _, name := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			files, err := render(t, values(t, name, ""))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, file := range slices.Sorted(maps.Keys(files)) {
				if strings.HasSuffix(file, "NOTES.txt") {
					if !strings.Contains(files[file], "create secret generic") {
						t.Errorf("the notes: %s", files[file])
					}
					continue
				}
				for _, o := range objectsOf(t, []byte(files[file])) {
					if err := accept(known, o); err != nil {
						t.Errorf("%s %s: %v", o.Kind, o.Metadata.Name, err)
					}
					text.WriteString("---\n" + strings.TrimSpace(string(o.text)) + "\n")
				}
			}
			golden(t, renderedFolder+name, text.String())
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, file)), got); diff != "" {
		t.Errorf("%s, and -update writes it anew: %s", file, diff)
	}
}

func TestTheChartRefuses(t *testing.T) {
	for name, test := range map[string]struct{ of, over, want string }{
		"values that it does not know":           {"gateway.yaml", "imagee: {}", "imagee"},
		"nested ones, too":                       {"gateway.yaml", "image: {pulPolicy: Always}", "pulPolicy"},
		"no module":                              {"gateway.yaml", "image: {repository: ''}", "repository"},
		"a tag and a digest":                     {"gateway.yaml", "image: {tag: v1}", "image"},
		"a tag that moves, and is pulled once":   {"gateway.yaml", "image: {digest: '', tag: latest}", "image"},
		"a repository with a scheme":             {"gateway.yaml", "image: {repository: 'oci://registry.example.com/postern'}", "repository"},
		"no secret":                              {"gateway.yaml", "secret: {existingSecret: ''}", "existingSecret"},
		"a secret's value for a client":          {"gateway.yaml", "config: {providers: [{name: a, client_secret: {value: x}}]}", "client_secret"},
		"a secret's value for a key":             {"gateway.yaml", "config: {session: {keys: [{id: a, value: x}]}}", "keys"},
		"a variable that the Secret lacks":       {"gateway.yaml", "secret: {variables: [POSTERN_KEY]}", "secret.variables does not name SHOP_CLIENT_SECRET"},
		"a key that the Secret lacks":            {"gateway.yaml", "secret: {variables: [SHOP_CLIENT_SECRET]}", "secret.variables does not name POSTERN_KEY"},
		"a cluster that nothing makes":           {"gateway.yaml", "destinations: []", "no entry of destinations makes the cluster outbound|443||id.example.com"},
		"a gateway by name and by labels":        {"gateway.yaml", "proxy: {labels: {a: b}}", "proxy"},
		"a sidecar without labels":               {"gateway.yaml", "proxy: {kind: sidecar, gateway: ''}", "proxy"},
		"a waypoint by labels":                   {"gateway.yaml", "proxy: {kind: waypoint, labels: {a: b}}", "proxy"},
		"a proxy of another kind":                {"gateway.yaml", "proxy: {kind: ztunnel}", "kind"},
		"no settings":                            {"gateway.yaml", "config: null", "config"},
		"bodies with a pull secret":              {"bodies.yaml", "image: {pullSecret: regcred}", "pullSecret"},
		"bodies on a waypoint":                   {"bodies.yaml", "proxy: {kind: waypoint, gateway: w, labels: {}}", "kind"},
		"credentials for nobody":                 {"secretless.yaml", "secretless: {host: ''}", "secretless"},
		"credentials for a host that is not one": {"secretless.yaml", "secretless: {host: id.example.net}", "no entry of destinations is id.example.net"},
		"a policy without an issuer":             {"policy.yaml", "policy: {issuer: ''}", "policy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := render(t, values(t, test.of, test.over))
			refusal(t, err, test.want)
		})
	}
}
