package e2e

import (
	"slices"
	"testing"
)

// The tests of spellings are worth what these readings are.
func TestReadingsSeeWhatApplicationsMaySee(t *testing.T) {
	for target, path := range map[string]string{
		"/app2/x?y":                      "/app2/x",
		"//app2/x":                       "/app2/x",
		"/public/../app2/x":              "/app2/x",
		"/public/%2e%2e/app2":            "/app2",
		"/public/..%2fapp2":              "/app2",
		"/public/..%252fapp2":            "/app2",
		"/public/..;a=b/app2":            "/app2",
		"/public/%2e%2e;/app2":           "/app2",
		`/public\..\app2`:                "/app2",
		"/public/..%5capp2":              "/app2",
		"/app2;x/y":                      "/app2/y",
		"/app2#/../public":               "/app2",
		"/public/#/../../app2":           "/app2",
		"/%2561pp2":                      "/app2",
		"http://host/public/../app2/x?y": "/app2/x",
	} {
		if got := readings(target); !slices.Contains(got, path) {
			t.Errorf("%s is read as %q, never as %s", target, got, path)
		}
	}
	if got := readings("/public/x?a=/../app2"); !slices.Equal(got, []string{"/public/x"}) {
		t.Errorf("an innocent target is read as %q", got)
	}
}
