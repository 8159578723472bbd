package manifests

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

var block = regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```")

// TestWhatPagesShowOfEnvoysAndClustersConfigurationsIsTaken reads the blocks of
// the documents as strictly as the files: parts of a bootstrap where they belong
// in one, objects as a cluster would. Settings of Postern's are others' business.
func TestWhatPagesShowOfEnvoysAndClustersConfigurationsIsTaken(t *testing.T) {
	known, envoys, objects := istioResources(t), 0, 0
	for _, page := range documentsBelow(t, "README.md", "docs", "envoy", "envoy-gateway", "istio") {
		for _, m := range block.FindAllStringSubmatch(string(read(t, page)), -1) {
			text := strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n")[1:]
			switch part, is := bootstrapAround(text); {
			case strings.Contains(text, "\nkind: ") || strings.HasPrefix(text, "kind: "):
				objects++
				for _, o := range objectsOf(t, []byte(text)) {
					err := accept(known, o)
					if o.Kind == "Ingress" {
						err = yaml.UnmarshalStrict(o.text, &networkingv1.Ingress{})
					}
					if err != nil {
						t.Errorf("%s: %s %s: %v", page, o.Kind, o.Metadata.Name, err)
					}
				}
			case is:
				envoys++
				if _, err := bootstrapOf(part); err != nil {
					t.Errorf("%s: %v, in:\n%s", page, err, text)
				}
			}
		}
	}
	if envoys < 10 || objects < 2 {
		t.Errorf("only %d parts of bootstraps and %d files of objects were found", envoys, objects)
	}
}

// documentsBelow are the pages in these folders and files of the repository.
func documentsBelow(t *testing.T, roots ...string) (all []string) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(repository+root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".md" {
				all = append(all, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// aListener is one around filters.
const aListener = `static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          route_config: {}
`

// bootstrapAround completes a part of a bootstrap, and says whether it is one.
func bootstrapAround(text string) (string, bool) {
	first := strings.TrimSpace(strings.SplitN(strings.TrimLeft(text, "\n"), "\n", 2)[0])
	switch {
	case strings.HasPrefix(text, "clusters:"):
		return "static_resources:\n" + indented(text, 2), true
	case strings.HasPrefix(text, "http_filters:"):
		return aListener + indented(text, 10), true
	case strings.HasPrefix(first, "- name: envoy.filters.http."):
		return aListener + "          http_filters:\n" + indented(text, 10), true
	case strings.HasPrefix(first, "- name: ") && strings.Contains(text, "load_assignment:"):
		return "static_resources:\n  clusters:\n" + indented(text, 2), true
	case strings.HasPrefix(text, "stats_config:"), strings.HasPrefix(text, "overload_manager:"), strings.HasPrefix(text, "static_resources:"), strings.HasPrefix(text, "admin:"):
		return text, true
	}
	return "", false
}

func indented(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "%*s%s", by, "", line)
	}
	return b.String()
}
