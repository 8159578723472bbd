package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startPrometheus runs Prometheus with envoy/prometheus, reading the given Envoy
// each second. It returns its address.
func startPrometheus(t *testing.T, envoy string) string {
	t.Helper()
	binary := must(command("prometheus"))(t)
	dir := filepath.Join(t.TempDir(), "prometheus")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(must(Root())(t), "envoy", "prometheus"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yaml")
	text := replaceAll(t, string(must(os.ReadFile(file))(t)), map[string]string{
		"127.0.0.1:9901": envoy, "scrape_interval: 15s": "scrape_interval: 1s", "evaluation_interval: 15s": "evaluation_interval: 1s",
	})
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	port, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	address := "127.0.0.1:" + strconv.Itoa(port)
	p, err := startProcess(binary, []string{"--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("the last lines of Prometheus:\n%s", p.Log.Tail(20))
		}
	})
	return "http://" + address
}

// ask is what Prometheus answers to a question, decoded into data.
func ask(address, path string, query url.Values, data any) error {
	resp, err := http.Get(address + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("e2e: prometheus: %s", answer.Error)
	}
	return nil
}

// prometheus: what we hand out for Prometheus reads this Envoy, and its rules and
// the dashboard's questions can be answered.
func (w *Levels) prometheus(t *testing.T) {
	address := startPrometheus(t, w.Envoy.Admin)
	Eventually(t, 20*time.Second, func() error {
		var found struct {
			Result []struct{ Metric map[string]string }
		}
		query := `postern_logins_succeeded_total{job="postern", provider="` + w.Provider.Name + `"} > 0 and on (instance) up == 1`
		if err := ask(address, "/api/v1/query", url.Values{"query": {query}}, &found); err != nil {
			return err
		}
		if len(found.Result) != 1 {
			return fmt.Errorf("e2e: %d series for %s", len(found.Result), query)
		}
		return rulesAreWell(address)
	})
	questions := dashboardQuestions(t)
	Eventually(t, 20*time.Second, func() error {
		full := 0
		for title, query := range questions {
			var found struct{ Result []json.RawMessage }
			if err := ask(address, "/api/v1/query", url.Values{"query": {query}}, &found); err != nil {
				return fmt.Errorf("%s: %w", title, err)
			}
			full += min(1, len(found.Result))
		}
		if full < 15 { // of things that happened in this world
			return fmt.Errorf("e2e: %d of %d questions of the dashboard are answered by anything", full, len(questions))
		}
		return nil
	})
}

// dashboardQuestions are those of the dashboard's panels, with everything chosen.
func dashboardQuestions(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	text := must(os.ReadFile(filepath.Join(must(Root())(t), "envoy", "grafana", "postern.json")))(t)
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	chosen, all := strings.NewReplacer("$job", "postern", "$instance", ".*", "$provider", ".*", "$__rate_interval", "1m"), map[string]string{}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			all[p.Title+" "+q.RefID] = chosen.Replace(q.Expr)
		}
	}
	return all
}

// rulesAreWell says which rules were not evaluated, or not without an error.
func rulesAreWell(address string) error {
	var all struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := ask(address, "/api/v1/rules", nil, &all); err != nil {
		return err
	}
	n := 0
	for _, g := range all.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				return fmt.Errorf("e2e: the rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
			n++
		}
	}
	if n < 20 {
		return fmt.Errorf("e2e: Prometheus has %d rules", n)
	}
	return nil
}
