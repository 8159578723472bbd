package release

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestTheChartIsOfThisRelease(t *testing.T) {
	text, err := os.ReadFile("../../istio/chart/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var chart struct {
		Version    string `json:"version"`
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal(text, &chart); err != nil {
		t.Fatal(err)
	}
	if chart.Version != Version || chart.AppVersion != Version {
		t.Errorf("Chart.yaml has version %q and appVersion %q, and the release is %q", chart.Version, chart.AppVersion, Version)
	}
}
