package manifests

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func TestKustomizationsBuildWhatAClusterTakes(t *testing.T) {
	files, err := filepath.Glob(repository + "istio/*/kustomization.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d kustomizations: %v", len(files), err)
	}
	known := istioResources(t)
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		t.Run(folder, func(t *testing.T) {
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			text, err := built.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, o := range objectsOf(t, text) {
				kinds = append(kinds, o.Kind)
				if err := accept(known, o); err != nil {
					t.Errorf("%s %s: %v", o.Kind, o.Metadata.Name, err)
				}
				if folder != "base" && o.Metadata.Namespace == "" {
					t.Errorf("%s %s is in no namespace", o.Kind, o.Metadata.Name)
				}
			}
			if folder != "policy" && folder != "base" && !slices.Contains(kinds, "WasmPlugin") {
				t.Errorf("no plugin among %q", kinds)
			}
			if folder != "policy" && !(slices.Contains(kinds, "ServiceEntry") && slices.Contains(kinds, "DestinationRule")) {
				t.Errorf("no way to the provider among %q", kinds)
			}
		})
	}
}

// TestTheSecretlessPluginHasNoSecret is about the patches: lists are replaced,
// and nothing of the gateway's is left in them.
func TestTheSecretlessPluginHasNoSecret(t *testing.T) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), repository+"istio/secretless")
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("SHOP_CLIENT_SECRET")) || !bytes.Contains(text, []byte("client_auth: none")) {
		t.Errorf("the secret is still spoken of:\n%s", text)
	}
}
