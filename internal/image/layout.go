package image

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation by which tools find an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// layout are the files of an OCI image layout (OCI image specification, section
// "Image Layout"), by their paths.
func (i *Image) layout(tag string) (map[string][]byte, error) {
	image := i.image.as
	image.Annotations = map[string]string{refName: tag}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{image}}
	files := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
	i.image.into(files)
	if i.sbom != nil {
		index.Manifests = append(index.Manifests, i.sbom.as)
		i.sbom.into(files)
	}
	text, err := json.Marshal(index)
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	files["index.json"] = text
	return files, nil
}

func (a *artifact) into(files map[string][]byte) {
	files[blobPath(a.as.Digest)] = a.manifest
	for _, b := range a.blobs {
		files[blobPath(b.digest)] = b.bytes
	}
}

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// WriteLayout writes an OCI image layout into a folder, in which nothing stays
// that was there. A folder that is something else is left alone.
func (i *Image) WriteLayout(dir, tag string) error {
	files, err := i.layout(tag)
	if err != nil {
		return err
	}
	if err := clearLayout(dir); err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// clearLayout removes a layout, and nothing else.
func clearLayout(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return fmt.Errorf("%s is there and is no OCI image layout: name another folder", dir)
	}
	for _, name := range []string{"oci-layout", "index.json", "blobs"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// WriteArchive writes an OCI image layout as a tar file.
func (i *Image) WriteArchive(out io.Writer, tag string) error {
	files, err := i.layout(tag)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: name, Size: int64(len(files[name])), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}); err != nil {
			return err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return err
		}
	}
	return archive.Close()
}
