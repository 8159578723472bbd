package migrate

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files and the tables of docs/migrate anew")

// secrets begin all that must be seen nowhere in the examples.
const secrets = "hunter2"

// files reads files of testdata.
func files(t *testing.T, names ...string) (all []File) {
	t.Helper()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, File{filepath.Base(name), text})
	}
	return all
}

// golden writes settings and report as one text.
func golden(t *testing.T, r *Result) string {
	t.Helper()
	settings, err := r.Settings.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.Write(settings)
	for _, kind := range Kinds {
		out.WriteString("---- " + string(kind) + "\n")
		for _, l := range r.Report.Of(kind) {
			out.WriteString(l.Option + " -> " + l.Becomes + ": " + l.Text + "\n")
		}
	}
	return out.String()
}

func TestExamples(t *testing.T) {
	for name, c := range map[string]struct {
		system string
		files  []string
		args   []string
		hosts  []string
	}{
		"oauth2-proxy/documented":     {"oauth2-proxy", []string{"oauth2-proxy/documented.cfg", "oauth2-proxy/emails.txt"}, nil, nil},
		"oauth2-proxy/alpha":          {"oauth2-proxy", []string{"oauth2-proxy/alpha.yaml", "oauth2-proxy/alpha.cfg"}, nil, nil},
		"oauth2-proxy/deployment":     {"oauth2-proxy", []string{"oauth2-proxy/deployment.yaml"}, nil, nil},
		"oauth2-proxy/values":         {"oauth2-proxy", []string{"oauth2-proxy/values.yaml"}, nil, nil},
		"oauth2-proxy/environment":    {"oauth2-proxy", []string{"oauth2-proxy/environment.env"}, []string{"--force-json-errors"}, nil},
		"oauth2-proxy/login-gov":      {"oauth2-proxy", []string{"oauth2-proxy/login-gov.txt"}, nil, nil},
		"envoy-oauth2/bootstrap":      {"envoy-oauth2", []string{"envoy-oauth2/bootstrap.yaml"}, nil, nil},
		"envoy-oauth2/envoyfilter":    {"envoy-oauth2", []string{"envoy-oauth2/envoyfilter.yaml"}, nil, []string{"other.example.com"}},
		"envoy-oauth2/securitypolicy": {"envoy-oauth2", []string{"envoy-oauth2/securitypolicy.yaml"}, nil, nil},
		"authservice/readme":          {"authservice", []string{"authservice/readme.yaml"}, nil, nil},
		"authservice/chains":          {"authservice", []string{"authservice/chains.json"}, nil, nil},
		"easyauth/values":             {"easyauth", []string{"easyauth/values.yaml", "easyauth/ingress.yaml"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := From(c.system, Input{Files: files(t, c.files...), Args: c.args, Hosts: c.hosts})
			if err != nil {
				t.Fatal(err)
			}
			got := golden(t, r)
			if strings.Contains(got, secrets) {
				t.Errorf("a secret is in it:\n%s", got)
			}
			checkWritten(t, r)
			if !json.Valid(r.Settings.JSON()) {
				t.Error("the settings are no JSON")
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
