package render

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// lookup has something for every variable.
func lookup(name string) (string, bool) {
	if strings.HasSuffix(name, "_CLIENT_KEY") {
		der, _ := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32)))
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), true
	}
	key := sha256.Sum256([]byte(name))
	return base64.StdEncoding.EncodeToString(key[:]), true
}

func settingsFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "settings", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden holds a text to a file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// withNotes puts notes at the end, so that goldens hold them too.
func withNotes(text []byte, notes []string) []byte {
	out := string(text)
	for _, note := range notes {
		out += "# note: " + note + "\n"
	}
	return []byte(out)
}

// accepted holds every place with settings to the module's own parser, and returns
// the places.
func accepted(t *testing.T, text []byte) []manifest.Found {
	t.Helper()
	found, err := manifest.Find(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no settings are found in it")
	}
	for _, f := range found {
		if _, err := config.Parse(f.Settings, lookup); err != nil {
			t.Errorf("settings at %s: %v", f.Path, err)
		}
	}
	return found
}
