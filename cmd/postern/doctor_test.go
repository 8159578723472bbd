package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fakeAdmin is the admin interface of an Envoy with these settings.
func fakeAdmin(t *testing.T, settings string) *httptest.Server {
	t.Helper()
	dump := `{"configs": [{"@type": "x/envoy.admin.v3.ListenersConfigDump", "static_listeners": [{"listener": {"name": "l", "filter_chains": [{"filters": [{"typed_config": {"use_remote_address": true, "http_filters": [
		{"name": "postern", "typed_config": {"@type": "x/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {"failure_policy": "FAIL_RELOAD", "allow_on_headers_stop_iteration": true,
		"vm_config": {"vm_id": "postern", "environment_variables": {"key_values": {"TEST_SECRET": "hush-hush"}, "host_env_keys": ["TEST_KEY"]}},
		"configuration": {"@type": "x/google.protobuf.Struct", "value": ` + settings + `}}}}]}}]}]}}]},
		{"@type": "x/envoy.admin.v3.ClustersConfigDump", "static_clusters": [{"cluster": {"name": "idp"}}]}]}`
	pages := map[string]string{
		"/server_info": `{"version": "x/1.40.0/y", "state": "LIVE"}`, "/config_dump": dump, "/stats": "wasm.envoy.wasm.runtime.v8.active: 3\n",
		"/clusters": `{"cluster_statuses": [{"name": "idp", "host_statuses": [{"health_status": {}}]}]}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, pages[r.URL.Path]) }))
	t.Cleanup(s.Close)
	return s
}

const atNobody = `{"providers": [{"name": "main", "issuer": "http://127.0.0.1:1", "insecure_issuer": true, "cluster": "idp", "client_id": "shop", "client_secret": {"env": "TEST_SECRET"}}], "hosts": ["app.example.com"], "session": {"keys": [{"id": "a", "env": "TEST_KEY"}]}}`

func TestTheDoctorExitsAsItFinds(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		args     []string
		code     int
		want     []string
	}{
		"warnings are no failure": {atNobody, nil, 0, []string{
			"✓ filter postern: its settings are valid\n", "Warnings around the settings\n", "! secret_in_environment: the value of TEST_SECRET stands beside its name",
			"! discovery_unreachable", "· replicas_unseen", "It works; see the warnings.",
		}},
		"but strictly": {atNobody, []string{"--strict"}, 1, []string{"It works; see the warnings."}},
		"errors are":   {strings.Replace(atNobody, `"idp"`, `"other"`, 1), nil, 1, []string{"✗ cluster_missing: providers[0].cluster names it\n    at cluster other\n    Define it", "Something is wrong."}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, "", append([]string{"doctor", "--admin", fakeAdmin(t, c.settings).URL}, c.args...)...)
			if code != c.code || errOut != "" || strings.Contains(out, "hush") {
				t.Errorf("exit %d: %s%s", code, out, errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

func TestTheDoctorWritesJSON(t *testing.T) {
	code, out, errOut := run(t, "", "doctor", "-o", "json", "--admin", fakeAdmin(t, strings.Replace(atNobody, `"idp"`, `"other"`, 1)).URL)
	var found struct {
		Well     bool
		Findings []struct{ Code, Severity, Path, Message, Hint string }
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || errOut != "" || code != exitFailed || found.Well {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, errOut)
	}
	for _, f := range found.Findings {
		if f.Code == "cluster_missing" && f.Severity == "error" && f.Path == "cluster other" && f.Hint != "" {
			return
		}
	}
	t.Errorf("got %s", out)
}

func TestTheDoctorIsToldWhatOughtToBeInForce(t *testing.T) {
	admin := fakeAdmin(t, atNobody).URL
	if code, out, errOut := run(t, goodSettings, "doctor", "--admin", admin); code != 0 || !strings.Contains(out, "! settings_differ") {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	if code, out, errOut := run(t, atNobody, "doctor", "--admin", admin); code != 0 || strings.Contains(out, "settings_differ") {
		t.Errorf("the same: exit %d: %s%s", code, out, errOut)
	}
	if code, out, errOut := run(t, goodSettings+"hots: []\n", "doctor", "--admin", admin); code != exitFailed || out != "" || !strings.Contains(errOut, "hots") {
		t.Errorf("not valid: exit %d: %s%s", code, out, errOut)
	}
}
