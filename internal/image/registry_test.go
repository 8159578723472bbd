package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/postern-auth/postern/internal/image/imagetest"
)

// registryHere is a registry on this machine, and its host and port. Between the
// two stands what a test puts there.
func registryHere(t *testing.T, referrers bool, between func(http.Handler) http.Handler) string {
	t.Helper()
	handler := registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0)))
	if between != nil {
		handler = between(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

var access = Access{Agent: "postern/test", Timeout: 20 * time.Second}

// pushTo pushes an image of the test's module.
func pushTo(t *testing.T, host string, o Options, tags ...string) (*Image, *Target) {
	t.Helper()
	o.SBOM = sbomOf(module(t))
	i, err := New(module(t), o)
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseTarget(host+"/team/postern:0.8.0", tags, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Push(t.Context(), target, access); err != nil {
		t.Fatal(err)
	}
	return i, target
}

// The rules by which Istio's agent finds the module in an image, of which one
// has to do.

// inLastLayer is the rule for Docker's images, and the one that is called compat:
// the last layer is of one media type and a tar file with plugin.wasm in it.
func inLastLayer(layerType types.MediaType) func(v1.Image) ([]byte, error) {
	return func(i v1.Image) ([]byte, error) {
		layers, err := i.Layers()
		if err != nil || len(layers) == 0 {
			return nil, fmt.Errorf("%d layers, %w", len(layers), err)
		}
		last := layers[len(layers)-1]
		if got, err := last.MediaType(); err != nil || got != layerType {
			return nil, fmt.Errorf("the last layer is %s, %w", got, err)
		}
		packed, err := last.Compressed()
		if err != nil {
			return nil, err
		}
		defer packed.Close()
		content, err := gzip.NewReader(packed)
		if err != nil {
			return nil, err
		}
		archive := tar.NewReader(content)
		for {
			h, err := archive.Next()
			if err != nil {
				return nil, err
			}
			if path.Base(h.Name) == "plugin.wasm" {
				return io.ReadAll(archive)
			}
		}
	}
}

// artifactRule is the one for artifacts: two layers, of which one is the module.
func artifactRule(i v1.Image) ([]byte, error) {
	layers, err := i.Layers()
	if err != nil || len(layers) != 2 {
		return nil, fmt.Errorf("%d layers, %w", len(layers), err)
	}
	return nil, errors.New("not made by us")
}

// istio takes an image as Istio's agent does.
func istio(t *testing.T, ref string) []byte {
	t.Helper()
	parsed, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Get(parsed)
	if err != nil {
		t.Fatal(err)
	}
	i, err := found.Image()
	if err != nil {
		t.Fatal(err)
	}
	m, err := i.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	rules := []func(v1.Image) ([]byte, error){inLastLayer(types.OCILayer), artifactRule}
	if m.MediaType == types.DockerManifestSchema2 {
		rules = []func(v1.Image) ([]byte, error){inLastLayer(types.DockerLayer)}
	}
	var all error
	for _, rule := range rules {
		b, err := rule(i)
		if err == nil {
			return b
		}
		all = errors.Join(all, err)
	}
	t.Fatalf("Istio finds no module: %v", all)
	return nil
}

func TestIstioFindsTheModule(t *testing.T) {
	for name, o := range map[string]Options{"in an OCI image": {Platform: WebAssembly}, "in Docker's": {Docker: true, Platform: WebAssembly}} {
		t.Run(name, func(t *testing.T) {
			host := registryHere(t, true, nil)
			i, target := pushTo(t, host, o)
			for _, ref := range []string{target.String(), target.Repository() + "@" + i.Digest()} {
				if !bytes.Equal(istio(t, ref), imagetest.Module()) {
					t.Errorf("another module at %s", ref)
				}
			}
		})
	}
}

// TestEnvoyGatewayFindsTheModule follows Envoy Gateway, which asks for the
// manifest, holds its digest to image.sha256 (without "sha256:"), and then goes by
// the rules of Istio.
func TestEnvoyGatewayFindsTheModule(t *testing.T) {
	i, target := pushTo(t, registryHere(t, true, nil), Options{Platform: WebAssembly})
	parsed, err := name.ParseReference(target.String(), name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Get(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(i.Digest(), "sha256:"); found.Digest.Hex != want || len(want) != 64 {
		t.Errorf("the digest is %s, and %s was told", found.Digest.Hex, want)
	}
	if !bytes.Equal(istio(t, target.String()), imagetest.Module()) {
		t.Error("another module")
	}
}

// get asks a registry by HTTP alone (OCI distribution specification).
func get(t *testing.T, url, accept string) (body []byte, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return body, answer.Header
}

func TestAPlainClientFindsTheModule(t *testing.T) {
	host := registryHere(t, true, nil)
	i, _ := pushTo(t, host, Options{Platform: WebAssembly}, "0.8", "latest")
	for _, tag := range []string{"0.8.0", "0.8", "latest"} {
		body, header := get(t, "http://"+host+"/v2/team/postern/manifests/"+tag, "application/vnd.oci.image.manifest.v1+json")
		sum := sha256.Sum256(body)
		if got := "sha256:" + hex.EncodeToString(sum[:]); got != i.Digest() || header.Get("Docker-Content-Digest") != i.Digest() {
			t.Errorf("%s: the digest is %s, and %s was told", tag, got, i.Digest())
		}
		var m struct {
			MediaType string
			Layers    []struct{ MediaType, Digest string }
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		if m.MediaType != "application/vnd.oci.image.manifest.v1+json" || len(m.Layers) != 1 || m.Layers[0].MediaType != "application/vnd.oci.image.layer.v1.tar+gzip" {
			t.Fatalf("got %+v", m)
		}
		packed, _ := get(t, "http://"+host+"/v2/team/postern/blobs/"+m.Layers[0].Digest, "*/*")
		content, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		archive := tar.NewReader(content)
		if _, err := archive.Next(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(archive); err != nil || !bytes.Equal(b, imagetest.Module()) {
			t.Errorf("another module, %v", err)
		}
	}
}

func TestTheListRefersToTheImageAtNoTag(t *testing.T) {
	for name, knows := range map[string]bool{"a registry that keeps referrers": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			host := registryHere(t, knows, nil)
			i, target := pushTo(t, host, Options{Platform: WebAssembly})
			ref, err := digestOf(target, i.Digest())
			if err != nil {
				t.Fatal(err)
			}
			index, err := remote.Referrers(ref)
			if err != nil {
				t.Fatal(err)
			}
			m, err := index.IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Manifests) != 1 || m.Manifests[0].Digest.String() != i.SBOMDigest() {
				t.Fatalf("got %+v", m.Manifests)
			}
			list, err := remote.Image(ref.Context().Digest(i.SBOMDigest()))
			if err != nil {
				t.Fatal(err)
			}
			about, err := list.Manifest()
			if err != nil || about.ArtifactType != "application/vnd.cyclonedx+json" || about.Subject.Digest.String() != i.Digest() {
				t.Fatalf("got %+v, %v", about, err)
			}
			layers, err := list.Layers()
			if err != nil || len(layers) != 1 {
				t.Fatalf("%d layers, %v", len(layers), err)
			}
			content, err := layers[0].Compressed()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(content); err != nil || !bytes.Equal(b, sbomOf(module(t))) {
				t.Errorf("got %s, %v", b, err)
			}
			// At the tag is the image itself, and no index, of which hosts would take
			// whatever comes first.
			if _, header := get(t, "http://"+host+"/v2/team/postern/manifests/0.8.0", "*/*"); header.Get("Content-Type") != "application/vnd.oci.image.manifest.v1+json" {
				t.Errorf("at the tag is %s", header.Get("Content-Type"))
			}
		})
	}
}

func digestOf(t *Target, digest string) (name.Digest, error) {
	return name.NewDigest(t.Repository()+"@"+digest, name.Insecure)
}

func TestARegistryThatHandsOutSomethingElseIsNoticed(t *testing.T) {
	for name, change := range map[string]func(*http.Request, []byte) []byte{
		"another manifest at the tag": func(r *http.Request, b []byte) []byte {
			if strings.HasSuffix(r.URL.Path, "/manifests/0.8.0") {
				return append(b, ' ')
			}
			return b
		},
		"another layer": func(r *http.Request, b []byte) []byte {
			if strings.Contains(r.URL.Path, "/blobs/sha256:") && len(b) > 0 {
				b[len(b)-1]++
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := registryHere(t, true, func(next http.Handler) http.Handler { return changing{next, change} })
			i, err := New(module(t), Options{Platform: WebAssembly})
			if err != nil {
				t.Fatal(err)
			}
			target, err := ParseTarget(host+"/postern:0.8.0", nil, true)
			if err != nil {
				t.Fatal(err)
			}
			if err := i.Push(t.Context(), target, access); err == nil {
				t.Error("nobody noticed")
			}
		})
	}
}

// changing changes what is answered to GET.
type changing struct {
	http.Handler
	change func(*http.Request, []byte) []byte
}

func (c changing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		c.Handler.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	c.Handler.ServeHTTP(answer, r)
	body := c.change(r, answer.Body.Bytes())
	for name, values := range answer.Header() {
		if name != "Content-Length" && name != "Docker-Content-Digest" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

func TestNothingIsSentOverPlainHTTPUnlessThatWasAskedFor(t *testing.T) {
	var calls atomic.Int32
	host := registryHere(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); next.ServeHTTP(w, r) })
	})
	i, err := New(module(t), Options{Platform: WebAssembly})
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseTarget(host+"/postern:0.8.0", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	a := access
	a.User, a.Password = "me", "hush-hush"
	err = i.Push(t.Context(), target, a)
	if err == nil || calls.Load() != 0 {
		t.Errorf("%d requests, %v", calls.Load(), err)
	}
	if err != nil && (strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "insecure-http")) {
		t.Errorf("got %v", err)
	}
}

func TestPlainHTTPEndsOnThisMachine(t *testing.T) {
	g := guarded{http.DefaultTransport, true}
	r := httptest.NewRequest(http.MethodGet, "http://registry.example.com/v2/", nil)
	if _, err := g.RoundTrip(r); !errors.Is(err, errPlainHTTP) {
		t.Errorf("got %v", err)
	}
}

func TestCredentialsAreThoseThatWereGiven(t *testing.T) {
	var user, password string
	host := registryHere(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var ok bool
			if user, password, ok = r.BasicAuth(); !ok {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	i, err := New(module(t), Options{Platform: WebAssembly})
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseTarget(host+"/postern", []string{"a", "b"}, true)
	if err != nil {
		t.Fatal(err)
	}
	a := access
	a.User, a.Password = "me", "hush-hush"
	if err := i.Push(t.Context(), target, a); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"me", "hush-hush"}, []string{user, password}); diff != "" {
		t.Error(diff)
	}
}

func TestAPushEndsWhenItsTimeIsOver(t *testing.T) {
	held := make(chan struct{})
	host := registryHere(t, true, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held })
	})
	t.Cleanup(func() { close(held) })
	i, err := New(module(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseTarget(host+"/postern:x", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	a := access
	a.Timeout = 10 * time.Millisecond
	if err := i.Push(t.Context(), target, a); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestReferencesThatAreRefused(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for name, tc := range map[string]struct {
		ref   string
		tags  []string
		plain bool
		want  string
	}{
		"no tag":                        {"registry.example.com/postern", nil, false, "a tag"},
		"no registry":                   {"postern:1", nil, false, "not a registry"},
		"capitals":                      {"registry.example.com/Postern:1", nil, false, "not a registry"},
		"an address":                    {"https://registry.example.com/postern:1", nil, false, "not a registry"},
		"a digest":                      {"registry.example.com/postern" + digest, nil, false, "name a tag"},
		"a tag that is none":            {"registry.example.com/postern:1", []string{"a b"}, false, "a b"},
		"plain HTTP to elsewhere":       {"registry.example.com/postern:1", nil, true, "not: what goes there"},
		"plain HTTP to a private range": {"10.0.0.1:5000/postern:1", nil, true, "not: what goes there"},
		"plain HTTP to a name like one": {"localhost.example.com/postern:1", nil, true, "not: what goes there"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseTarget(tc.ref, tc.tags, tc.plain); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	for _, ref := range []string{"localhost:5000/postern:1", "127.0.0.1:5000/postern:1", "[::1]:5000/postern:1"} {
		if _, err := ParseTarget(ref, nil, true); err != nil {
			t.Error(err)
		}
	}
}
