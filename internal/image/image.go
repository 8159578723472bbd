package image

import (
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Options say what an image is.
type Options struct {
	// Docker makes the manifest one of Docker's, version 2, schema 2, for
	// registries that know no OCI manifests. It has no annotations.
	Docker bool
	// Platform is what the image says it is for. Hosts of WebAssembly do not look
	// at it; whoever mounts the image as a volume does.
	Platform v1.Platform
	// Version and Revision are those of the module. Either may be "".
	Version, Revision string
	// Created is when it was made.
	Created time.Time
	// SBOM is the list of what the module is made of, in CycloneDX's JSON; nil for
	// none.
	SBOM []byte
}

// WebAssembly is the platform of a module that speaks WASI.
var WebAssembly = v1.Platform{OS: "wasip1", Architecture: "wasm"}

// Image is postern.wasm as an image, with what refers to it.
type Image struct {
	Module *Module
	image  *artifact
	sbom   *artifact // nil for none
}

// New makes an image of a module.
func New(m *Module, o Options) (*Image, error) {
	if o.SBOM != nil {
		if err := checkSBOM(o.SBOM, m); err != nil {
			return nil, err
		}
	}
	layerType, configType, manifestType := types.OCILayer, types.OCIConfigJSON, types.OCIManifestSchema1
	if o.Docker {
		layerType, configType, manifestType = types.DockerLayer, types.DockerConfigJSON, types.DockerManifestSchema2
	}
	layer, err := newLayer(m, layerType)
	if err != nil {
		return nil, fmt.Errorf("image: layer: %w", err)
	}
	config, err := json.Marshal(configOf(o, layer))
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: manifestType}
	if !o.Docker {
		manifest.Annotations = annotations(o)
	}
	i := &Image{Module: m}
	if i.image, err = newArtifact(manifest, newBlob(config, configType), layer); err != nil {
		return nil, err
	}
	if o.SBOM != nil {
		i.sbom, err = newSBOM(o, i.image.as)
	}
	return i, err
}

// Digest is the digest of the image's manifest, by which it is asked for.
func (i *Image) Digest() string { return i.image.as.Digest.String() }

// SBOMDigest is that of the manifest of the list of what the module is made of;
// "" where there is none.
func (i *Image) SBOMDigest() string {
	if i.sbom == nil {
		return ""
	}
	return i.sbom.as.Digest.String()
}

// configOf is the image's configuration. What it says of the image is what a
// manifest of Docker's has no room for.
func configOf(o Options, layer *blob) *v1.ConfigFile {
	return &v1.ConfigFile{
		OS: o.Platform.OS, Architecture: o.Platform.Architecture, Variant: o.Platform.Variant,
		Created: v1.Time{Time: o.Created.UTC()},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{layer.content}},
		History: []v1.History{{Created: v1.Time{Time: o.Created.UTC()}, CreatedBy: "postern push", Comment: fileName}},
		Config:  v1.Config{Labels: annotations(o)},
	}
}

// Source is where Postern's source is.
const Source = "https://github.com/postern-auth/postern"

// annotations are what the image says of itself, in the OCI image specification's
// words, and the variant that it is of the image specification for proxies.
func annotations(o Options) map[string]string {
	all := map[string]string{
		"module.wasm.image/variant":            "compat",
		"org.opencontainers.image.title":       "postern",
		"org.opencontainers.image.description": "OpenID Connect sign-in inside Envoy, as one WebAssembly file",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.source":      Source,
		"org.opencontainers.image.url":         Source,
		"org.opencontainers.image.created":     o.Created.UTC().Format(time.RFC3339),
	}
	for name, value := range map[string]string{"version": o.Version, "revision": o.Revision} {
		if value != "" {
			all["org.opencontainers.image."+name] = value
		}
	}
	return all
}

// artifact is a manifest and what it refers to.
type artifact struct {
	v1.Image
	manifest []byte
	as       v1.Descriptor // what stands for it in other manifests
	blobs    []*blob       // the configuration first
}

func newArtifact(m v1.Manifest, config *blob, layers ...*blob) (*artifact, error) {
	m.Config = config.descriptor()
	for _, l := range layers {
		m.Layers = append(m.Layers, l.descriptor())
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	a := &artifact{manifest: text, blobs: append([]*blob{config}, layers...)}
	a.as = v1.Descriptor{MediaType: m.MediaType, Size: int64(len(text)), Digest: hashOf(text), ArtifactType: m.ArtifactType}
	a.Image, err = partial.CompressedToImage(core{a})
	return a, err
}

// core is what go-containerregistry makes an image of.
type core struct {
	*artifact
}

func (c core) RawManifest() ([]byte, error)        { return c.manifest, nil }
func (c core) RawConfigFile() ([]byte, error)      { return c.blobs[0].bytes, nil }
func (c core) MediaType() (types.MediaType, error) { return c.as.MediaType, nil }

func (c core) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, b := range c.blobs {
		if b.digest == h {
			return b, nil
		}
	}
	return nil, fmt.Errorf("image: nothing has the digest %s", h)
}
