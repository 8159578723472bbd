package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/postern-auth/postern/internal/image/imagetest"
)

func module(t *testing.T) *Module {
	t.Helper()
	m, err := NewModule(imagetest.Module())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAFileThatIsNotOurModuleIsRefused(t *testing.T) {
	good := imagetest.Module()
	for name, tc := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing at all":                      {nil, "not a WebAssembly module"},
		"another kind of file":                {[]byte("\x7fELF....................."), "not a WebAssembly module"},
		"a component":                         {[]byte("\x00asm\x0d\x00\x01\x00"), "not a WebAssembly module of version 1"},
		"an empty module":                     {good[:8], "exports no proxy_abi_version_0_2_1"},
		"a module that is cut off":            {good[:len(good)-2], "cut off"},
		"a section longer than the file":      {append(bytes.Clone(good), 7, 0xff, 0xff, 0xff, 0xff, 0x0f), "cut off"},
		"a number that never ends":            {append(bytes.Clone(good), 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80), "cut off"},
		"another version of the ABI":          {bytes.ReplaceAll(good, []byte(abiVersion), []byte("proxy_abi_version_0_1_0")), "exports no proxy_abi_version_0_2_1"},
		"a module that answers no request":    {bytes.ReplaceAll(good, []byte("proxy_on_request_headers"), []byte("proxy_on_request_trailer")), "exports no proxy_on_request_headers"},
		"what Go makes, before it is changed": {imagetest.Module("wasi_snapshot_preview1.poll_oneoff"), "make build"},
		"an import of something else's":       {imagetest.Module("js.alert"), "imports js.alert"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewModule(tc.b); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := NewModule(imagetest.Module("wasi_snapshot_preview1.fd_write")); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func FuzzNewModule(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x02\x01\x00\x07\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = NewModule(b) })
}

func TestTheSameModuleGivesTheSameImage(t *testing.T) {
	o := Options{Platform: WebAssembly, Version: "0.8.0", Revision: "abc", Created: time.Unix(0, 0), SBOM: sbomOf(module(t))}
	var archives [2]bytes.Buffer
	for n := range archives {
		i, err := New(module(t), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.WriteArchive(&archives[n], "0.8.0"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two builds differ")
	}
}

// sbomOf is a list that names the module.
func sbomOf(m *Module) []byte {
	return []byte(`{"bomFormat":"CycloneDX","metadata":{"component":{"hashes":[{"alg":"SHA-256","content":"` + m.SHA256() + `"}]}}}`)
}

func TestTheLayerSaysNothingOfWhoPackedIt(t *testing.T) {
	i, err := New(module(t), Options{Platform: WebAssembly})
	if err != nil {
		t.Fatal(err)
	}
	packed := i.image.blobs[1].bytes
	if zip := packed[:10]; !bytes.Equal(zip[3:8], make([]byte, 5)) || zip[9] != 0xff {
		t.Errorf("the head of gzip is % x", zip) // RFC 1952, section 2.3: no name, no time, no system
	}
	content, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(content)
	h, err := archive.Next()
	if err != nil {
		t.Fatal(err)
	}
	if h.Name != "plugin.wasm" || !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.Mode != 0o444 {
		t.Errorf("got %+v", h)
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Errorf("there is more: %v", err)
	}
}

func TestTheImageIsWhatRegistriesTakeForOne(t *testing.T) {
	for name, o := range map[string]Options{
		"OCI":    {Platform: WebAssembly, SBOM: sbomOf(module(t))},
		"Docker": {Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Docker: true, SBOM: sbomOf(module(t))},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := New(module(t), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(i.image); err != nil {
				t.Error(err)
			}
			config, err := i.image.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if config.Config.Labels["module.wasm.image/variant"] != "compat" || config.OS != o.Platform.OS {
				t.Errorf("got %+v", config)
			}
			m, err := i.image.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			if (m.Annotations == nil) != o.Docker {
				t.Errorf("annotations %v", m.Annotations)
			}
		})
	}
}

func TestALayoutHoldsTheImageAndWhatRefersToIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	i, err := New(module(t), Options{Platform: WebAssembly, SBOM: sbomOf(module(t))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time over the first
		if err := i.WriteLayout(dir, "0.8.0"); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Manifests) != 2 || m.Manifests[0].Annotations[refName] != "0.8.0" || m.Manifests[1].ArtifactType != string(sbomType) || m.Manifests[1].Annotations != nil {
		t.Errorf("got %+v", m.Manifests)
	}
	if m.Manifests[0].Digest.String() != i.Digest() || m.Manifests[1].Digest.String() != i.SBOMDigest() {
		t.Errorf("got %+v", m.Manifests)
	}
}

func TestAFolderThatIsNoLayoutIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "index.json")
	if err := os.WriteFile(precious, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	i, err := New(module(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.WriteLayout(dir, "x"); err == nil || !strings.Contains(err.Error(), "no OCI image layout") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(precious); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAListOfSomethingElseIsRefused(t *testing.T) {
	m := module(t)
	for name, text := range map[string]string{
		"not JSON":              "<bom/>",
		"another format":        `{"spdxVersion":"SPDX-2.3"}`,
		"one of another module": strings.Replace(string(sbomOf(m)), m.SHA256(), strings.Repeat("0", 64), 1),
	} {
		if _, err := New(m, Options{SBOM: []byte(text)}); err == nil || !strings.Contains(err.Error(), "SBOM") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheConfigurationNamesTheTimeItWasGiven(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	i, err := New(module(t), Options{Created: at, Version: "1", Revision: "r"})
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Created time.Time }
	if err := json.Unmarshal(i.image.blobs[0].bytes, &config); err != nil || !config.Created.Equal(at) {
		t.Errorf("%v, %v", config.Created, err)
	}
	m, err := i.image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"created": "2026-11-22T08:00:00Z", "version": "1", "revision": "r", "licenses": "Apache-2.0", "source": Source, "title": "postern"} {
		if got := m.Annotations["org.opencontainers.image."+name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestTheModuleThatIsBuiltIsTaken holds what `make build` makes to all of it.
func TestTheModuleThatIsBuiltIsTaken(t *testing.T) {
	m, err := ReadModule(filepath.Join("..", "..", "build", "postern.wasm"))
	if err != nil {
		t.Fatalf("%v; make build makes it", err)
	}
	i, err := New(m, Options{Platform: WebAssembly})
	if err != nil {
		t.Fatal(err)
	}
	b, err := moduleIn(i.image)
	if err != nil || !bytes.Equal(b, m.Bytes) {
		t.Errorf("%d bytes of %d, %v", len(b), len(m.Bytes), err)
	}
}

func TestAFileThatIsTooLongIsNotRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "long.wasm")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, maxModule+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadModule(file); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
}
