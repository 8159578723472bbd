package doctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// foreign are words of others that nothing in the project's own files has.
var foreign = []string{
	"status_3xx", "status_5xx", // families of ours
	"rbac_access_denied", "connection_error", "fixed_heap", "generate_request_id", "rq_success", "config_fail", "update_failure", "require_client_certificate", // Envoy's
	"proxy_next_upstream", "proxy_ssl_trusted_certificate", "proxy_ssl_certificate", "proxy_ssl_name", "proxy_intercept_errors",
	"proxy_ssl_certificate_key", "http_auth_request_module", // nginx's
	"external_url", "groups_direct", // GitLab's
	"http_max_request_size", "redis_auth", // Webdis'
}

var code = regexp.MustCompile(`^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$`)

// TestCodesInTheDocumentsAreKnown holds reasons, settings, metrics and findings
// that the documents name against the project's own files: one that was renamed
// or made up is nowhere in them.
func TestCodesInTheDocumentsAreKnown(t *testing.T) {
	known := wordsOfTheProject(t)
	for _, p := range pages(t) {
		for _, word := range p.Code() {
			if !code.MatchString(word) || known[word] || known[strings.TrimPrefix(word, "postern_")] || slices.Contains(foreign, word) {
				continue
			}
			t.Errorf("%s: nothing is called %s", p.Path, word)
		}
	}
}

func wordsOfTheProject(t *testing.T) map[string]bool {
	t.Helper()
	list := exec.Command("git", "ls-files", "-co", "--exclude-standard", "*.go", "*.yaml", "*.txtar", "*.conf", "*.mjs", "*.json", "*.cfg")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	known, word := map[string]bool{}, regexp.MustCompile(`[a-z][a-z0-9]*(?:_[a-z0-9]+)+|"[a-z]+"`)
	for file := range strings.FieldsSeq(string(files)) {
		if strings.HasSuffix(file, "words_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			continue // one that is just being written
		}
		for _, w := range word.FindAllString(string(text), -1) {
			known[strings.Trim(w, `"`)] = true
		}
	}
	return known
}
