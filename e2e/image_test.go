package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMakeImage makes the image, and finds in it the module that the tests run.
func TestMakeImage(t *testing.T) {
	root := must(Root())(t)
	cmd := exec.Command("make", "--no-print-directory", "image")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	build := filepath.Join(root, "build")
	module := must(os.ReadFile(filepath.Join(build, "postern.wasm")))(t)
	sum := sha256.Sum256(module)
	hash := hex.EncodeToString(sum[:])
	if text := must(os.ReadFile(filepath.Join(build, "postern.wasm.sha256")))(t); string(text) != hash+"  postern.wasm\n" {
		t.Errorf("postern.wasm.sha256 says %s", text)
	}
	image, list := imageIn(t, filepath.Join(build, "image"))
	if packed := must(moduleOf(image))(t); !bytes.Equal(packed, module) {
		t.Errorf("the image holds another module, of %d bytes", len(packed))
	}
	if !strings.Contains(string(list), hash) || !bytes.Equal(list, must(os.ReadFile(filepath.Join(build, "postern.cdx.json")))(t)) {
		t.Error("the list of what it is made of is another one")
	}
}

// imageIn reads an OCI image layout: the image's layer, and the list that refers to
// the image.
func imageIn(t *testing.T, dir string) (layer, list []byte) {
	t.Helper()
	type descriptor struct{ Digest string }
	var index struct{ Manifests []descriptor }
	var image, about struct {
		Layers  []descriptor
		Subject descriptor
	}
	blob := func(d descriptor) []byte {
		b := must(os.ReadFile(filepath.Join(dir, "blobs", strings.ReplaceAll(d.Digest, ":", "/"))))(t)
		if sum := sha256.Sum256(b); d.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
			t.Fatalf("what is called %s is something else", d.Digest)
		}
		return b
	}
	read := func(b []byte, into any) {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	read(must(os.ReadFile(filepath.Join(dir, "index.json")))(t), &index)
	if len(index.Manifests) != 2 {
		t.Fatalf("%d manifests", len(index.Manifests))
	}
	read(blob(index.Manifests[0]), &image)
	read(blob(index.Manifests[1]), &about)
	if len(image.Layers) != 1 || len(about.Layers) != 1 || about.Subject != index.Manifests[0] {
		t.Fatalf("got %+v and %+v", image, about)
	}
	return blob(image.Layers[0]), blob(about.Layers[0])
}

// moduleOf is plugin.wasm in a layer.
func moduleOf(layer []byte) ([]byte, error) {
	content, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		return nil, err
	}
	archive := tar.NewReader(content)
	if h, err := archive.Next(); err != nil || h.Name != "plugin.wasm" {
		return nil, fmt.Errorf("e2e: the layer begins with something else: %w", err)
	}
	return io.ReadAll(archive)
}
