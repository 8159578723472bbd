package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/metric"
)

const root = "../.."

func TestTheDocumentsAreCurrent(t *testing.T) {
	files, err := render(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: run go generate ./internal/gate (-wanted +found):\n%s", name, diff)
		}
	}
}

func TestEverythingIsExplained(t *testing.T) {
	e, err := loadEvents(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.names) < 20 || len(e.fields) < 10 {
		t.Fatalf("%d events, %d fields", len(e.names), len(e.fields))
	}
	for _, n := range e.names {
		if n.about == "" {
			t.Errorf("event %s", n.name)
		}
	}
	for _, f := range e.fields {
		if f.about == "" {
			t.Errorf("field %s", f.name)
		}
	}
	for event := range e.reasons {
		if !strings.Contains(e.schema(), `"`+event+`"`) {
			t.Errorf("a conversation brings about %q, which the code does not name", event)
		}
	}
}

func TestEventsAreOfTheSchema(t *testing.T) {
	e, err := loadEvents(root)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(e.schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("events.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("events.json")
	if err != nil {
		t.Fatal(err)
	}
	whole := gate.Event{
		Event: gate.EventAccessObserved, Reason: "r", Provider: "p", Step: "s", Cause: "c", Dropped: []string{"d"},
		Bytes: 1, RequestID: "i", Rule: "r", Subject: "s", Would: gate.EventAccessDenied,
	}
	for line, fine := range map[string]bool{
		whole.JSON(): true,
		gate.Event{Event: gate.EventSignedIn}.JSON(): true,
		`{"event":"signed_in","token":"x"}`:          false,
		`{"event":"something"}`:                      false,
		`{"reason":"r"}`:                             false,
	} {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); (err == nil) != fine {
			t.Errorf("%s: %v", line, err)
		}
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(whole.JSON()), &fields); err != nil || len(fields) != len(e.fields) {
		t.Errorf("the test leaves a field out: %v", fields)
	}
}

// A label that no tag stands for stays part of the metric's name.
func TestConfigurationsForEnvoyHaveTheTagsOfAllLabels(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"envoy/envoy.yaml", "internal/demo/envoy.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range metric.Labels() {
			line := "{tag_name: " + l + ", regex: '" + metric.TagRegex(l) + "'}"
			if !strings.Contains(string(text), line) {
				t.Errorf("%s lacks %s", file, line)
			}
			if !strings.Contains(string(page), line) {
				t.Errorf("docs/metrics.md lacks %s", line)
			}
		}
	}
}
