package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/postern-auth/postern/internal/image"
	"github.com/postern-auth/postern/internal/image/imagetest"
)

// moduleFile is a file with a module.
func moduleFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "postern.wasm")
	if err := os.WriteFile(file, imagetest.Module(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func registryHere(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestPushPrintsTheHashesThatAreWantedElsewhere(t *testing.T) {
	module, host := moduleFile(t), registryHere(t)
	m, err := image.ReadModule(module)
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, "", "push", host+"/postern", "--tag", "0.8.0", "--tag", "0.8", "--module", module, "--insecure-http", "--output", "json")
	if code != 0 || errOut != "" {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	var done pushed
	if err := json.Unmarshal([]byte(out), &done); err != nil {
		t.Fatal(err)
	}
	if done.Module != m.SHA256() || done.Pinned != host+"/postern@"+done.Digest || len(done.Digest) != len("sha256:")+64 {
		t.Errorf("got %+v", done)
	}
	code, out, errOut = run(t, "", "push", host+"/postern:again", "--module", module, "--insecure-http")
	if code != 0 || !strings.Contains(out, done.Digest) || !strings.Contains(out, "\n  "+done.Module+"\n") || !strings.Contains(out, "oci://"+done.Pinned) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}

func TestPushWritesTheSameIntoAFolderAndAFile(t *testing.T) {
	module, dir := moduleFile(t), t.TempDir()
	first, second := filepath.Join(dir, "1.tar"), filepath.Join(dir, "2.tar")
	for _, ref := range []string{"oci:" + filepath.Join(dir, "image"), "oci-archive:" + first, "oci-archive:" + second + ":0.8.0"} {
		if code, out, errOut := run(t, "", "push", ref, "--module", module); code != 0 {
			t.Fatalf("exit %d: %s%s", code, out, errOut)
		}
	}
	a, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Error("two files differ")
	}
	if _, err := os.Stat(filepath.Join(dir, "image", "index.json")); err != nil {
		t.Error(err)
	}
}

func TestPushTakesTheListBesideTheModule(t *testing.T) {
	module := moduleFile(t)
	list := strings.TrimSuffix(module, ".wasm") + ".cdx.json"
	push := func(args ...string) (int, string) {
		code, out, errOut := run(t, "", append([]string{"push", "oci:" + filepath.Join(t.TempDir(), "i"), "--module", module}, args...)...)
		return code, out + errOut
	}
	if code, said := push(); code != 0 || strings.Contains(said, "made of") {
		t.Errorf("without a list: exit %d, %s", code, said)
	}
	if err := os.WriteFile(list, []byte(`{"bomFormat":"CycloneDX"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, said := push(); code != 1 || !strings.Contains(said, "not that of this module") {
		t.Errorf("with another module's: exit %d, %s", code, said)
	}
	if code, said := push("--no-sbom"); code != 0 {
		t.Errorf("with that left out: exit %d, %s", code, said)
	}
	m, err := image.ReadModule(module)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"bomFormat":"CycloneDX","metadata":{"component":{"hashes":[{"alg":"SHA-256","content":"` + m.SHA256() + `"}]}}}`
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, said := push(); code != 0 || !strings.Contains(said, "made of") {
		t.Errorf("with its own: exit %d, %s", code, said)
	}
}

func TestPushSaysWhatIsWrong(t *testing.T) {
	module, host := moduleFile(t), registryHere(t)
	text := filepath.Join(t.TempDir(), "text.wasm")
	if err := os.WriteFile(text, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no reference":                  {nil, 2, "accepts 1 arg"},
		"no module":                     {[]string{host + "/p:1", "--module", "/nonexistent.wasm"}, 2, "make build"},
		"a file that is no module":      {[]string{host + "/p:1", "--module", text}, 1, "not a WebAssembly module"},
		"no tag":                        {[]string{host + "/p", "--module", module}, 2, "a tag"},
		"a registry over plain HTTP":    {[]string{host + "/p:1", "--module", module}, 1, "--insecure-http"},
		"plain HTTP to elsewhere":       {[]string{"registry.example.com/p:1", "--module", module, "--insecure-http"}, 2, "on this machine"},
		"a platform that is none":       {[]string{"oci:x", "--module", module, "--platform", "linux"}, 2, "--platform"},
		"a user without a password":     {[]string{host + "/p:1", "--module", module, "--username", "me"}, 2, "go together"},
		"a list that is not there":      {[]string{"oci:x", "--module", module, "--sbom", "/nonexistent.json"}, 2, "no such file"},
		"a folder without a name":       {[]string{"oci:", "--module", module}, 2, "wants a place"},
		"a file that cannot be written": {[]string{"oci-archive:" + module + "/x.tar", "--module", module}, 2, "not a directory"},
		"tags of a folder":              {[]string{"oci:x", "--tag", "a", "--module", module}, 2, "at most one tag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, out, errOut := run(t, "", append([]string{"push"}, tc.args...)...)
			if code != tc.code || !strings.Contains(errOut, tc.want) || out != "" {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, tc.code, tc.want, out, errOut)
			}
		})
	}
}

func TestAnErrorIsJSONWhereThatWasAskedFor(t *testing.T) {
	code, out, errOut := run(t, "", "push", "registry.example.com/p", "--module", moduleFile(t), "-o", "json")
	var failed failure
	if err := json.Unmarshal([]byte(out), &failed); err != nil || code != 2 || errOut != "" || len(failed.Problems) != 1 {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errOut)
	}
}

func TestTheTimeOfAnImageIsThatOfItsSource(t *testing.T) {
	module := moduleFile(t)
	digest := func(epoch string) string {
		t.Setenv("SOURCE_DATE_EPOCH", epoch)
		_, out, _ := run(t, "", "push", "oci:"+filepath.Join(t.TempDir(), "i"), "--module", module, "-o", "json")
		var done pushed
		if err := json.Unmarshal([]byte(out), &done); err != nil {
			t.Fatal(err)
		}
		return done.Digest
	}
	if digest("") != digest("0") || digest("") == digest("1") {
		t.Errorf("%s, %s, %s", digest(""), digest("0"), digest("1"))
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if code, _, errOut := run(t, "", "push", "oci:x", "--module", module); code != 2 || !strings.Contains(errOut, "SOURCE_DATE_EPOCH") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}
