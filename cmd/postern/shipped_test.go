package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// forLaptops are the settings that the configurations of envoy/ have because
// they run on one machine, and that their pages have people take out.
var forLaptops = regexp.MustCompile(`^  ! (providers\[[0-9]\]\.insecure_issuer|insecure_http_cookies)$`)

// TestConfigurationsForEnvoyAreWell has check look at each bootstrap of envoy/,
// however it is called.
func TestConfigurationsForEnvoyAreWell(t *testing.T) {
	t.Setenv("POSTERN_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	t.Setenv("DEMO_CLIENT_SECRET", "hush-hush")
	t.Setenv("SCRIPT_CLIENT_SECRET", "hush-hush")
	found := 0
	err := filepath.WalkDir(filepath.Join("..", "..", "envoy"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "\nstatic_resources:") {
			return err
		}
		found++
		code, out, errOut := run(t, "", "check", path)
		if code != 0 || errOut != "" || !strings.Contains(out, "The settings are valid.") {
			t.Errorf("%s: exit %d: %s%s", path, code, out, errOut)
		}
		for line := range strings.Lines(out) {
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "  ! ") && !forLaptops.MatchString(line) || strings.HasPrefix(line, "  ✗ ") {
				t.Errorf("%s: %s", path, line)
			}
		}
		return nil
	})
	if err != nil || found < 10 {
		t.Errorf("%d configurations were looked at: %v", found, err)
	}
}

// TestTheStrictestConfigurationIsStrictlyWell is about the one that has nothing
// to be taken out of it.
func TestTheStrictestConfigurationIsStrictlyWell(t *testing.T) {
	t.Setenv("POSTERN_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	t.Setenv("DEMO_CLIENT_SECRET", "hush-hush")
	if code, out, errOut := run(t, "", "check", "--strict", "../../envoy/tls/envoy.yaml"); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
}
