package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Media types of the list of what the module is made of, and of the empty
// configuration that its manifest has (OCI image specification, section "Guidance
// for an Empty Descriptor").
const (
	sbomType  types.MediaType = "application/vnd.cyclonedx+json"
	emptyType types.MediaType = "application/vnd.oci.empty.v1+json"
)

// newSBOM is the list as a manifest that refers to the image.
func newSBOM(o Options, about v1.Descriptor) (*artifact, error) {
	about.ArtifactType = ""
	list := newBlob(o.SBOM, sbomType)
	return newArtifact(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: string(sbomType), Subject: &about,
		Annotations: map[string]string{
			"org.opencontainers.image.title":   "postern.cdx.json",
			"org.opencontainers.image.created": o.Created.UTC().Format(time.RFC3339),
		},
	}, newBlob([]byte("{}"), emptyType), list)
}

// checkSBOM refuses a list that is of something else.
func checkSBOM(text []byte, m *Module) error {
	var list struct {
		BOMFormat string `json:"bomFormat"`
		Metadata  struct {
			Component struct {
				Hashes []struct{ Alg, Content string } `json:"hashes"`
			} `json:"component"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(text, &list); err != nil || list.BOMFormat != "CycloneDX" {
		return errors.New("the SBOM is not CycloneDX in JSON")
	}
	for _, h := range list.Metadata.Component.Hashes {
		if h.Alg == "SHA-256" && h.Content == m.SHA256() {
			return nil
		}
	}
	return fmt.Errorf("the SBOM is not that of this module, whose SHA-256 is %s: `make image` makes both", m.SHA256())
}
