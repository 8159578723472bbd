package operations

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/metric"
	"gopkg.in/yaml.v3"
)

// expression is one line of PromQL, and where it stands.
type expression struct{ where, text string }

// rule is an entry of a file of rules.
type rule struct {
	Record, Alert, Expr string
	For                 string
	Labels, Annotations map[string]string
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func rules(t *testing.T, path string) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.Unmarshal(read(t, path), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no rules", path)
	}
	return all
}

const (
	recordingRules = "envoy/prometheus/recording.rules.yaml"
	alertRules     = "envoy/prometheus/alerts.rules.yaml"
)

// expressions are all of them: of the rules, and of the dashboard.
func expressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	for _, path := range []string{recordingRules, alertRules} {
		for _, r := range rules(t, path) {
			all = append(all, expression{path + ": " + r.Record + r.Alert, r.Expr})
		}
	}
	return append(all, dashboardExpressions(t)...)
}

// promtool runs it on a file of the test's own.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestEveryExpressionCanBeReadByPrometheus(t *testing.T) {
	var file strings.Builder
	file.WriteString("groups:\n- name: all\n  rules:\n")
	for i, e := range expressions(t) {
		file.WriteString("  - record: e" + strconv.Itoa(i) + "\n    expr: " + strconv.Quote(e.text) + "\n")
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, ".", "check", "rules", path)
}

var (
	ownMetric = regexp.MustCompile(`\b[a-z_]*:?postern_[a-z_]+(?::[a-z0-9]+)?(?:\{[^}]*\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	grouping  = regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
)

// use is a metric with its matchers, as an expression has it.
type use struct {
	name     string
	matchers [][]string // whole, label, operator, value
}

// uses returns Postern's metrics in an expression, those of Envoy left out.
func uses(text string) []use {
	var all []use
	for _, found := range ownMetric.FindAllString(text, -1) {
		name, selector, _ := strings.Cut(found, "{")
		if strings.HasPrefix(name, "envoy_") {
			continue
		}
		all = append(all, use{name, matcher.FindAllStringSubmatch(selector, -1)})
	}
	return all
}

// metrics are those of the contract, by the names that Prometheus has for them.
func metrics() map[string]*metric.Metric {
	all := map[string]*metric.Metric{}
	for _, m := range metric.All() {
		if m.Kind != metric.Histogram {
			all[m.Name] = m
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			all[m.Name+suffix] = m
		}
	}
	return all
}

// labelsOfAll are what Prometheus adds to every metric, and what the expressions
// make up by themselves.
var labelsOfAll = []string{"job", "instance", "le", "plugin", "filter"}

func TestExpressionsSpeakOfMetricsAndLabelsThatThereAre(t *testing.T) {
	known, recorded := metrics(), map[string]bool{}
	for _, r := range rules(t, recordingRules) {
		recorded[r.Record] = true
	}
	for _, e := range expressions(t) {
		labels, sums := slices.Clone(labelsOfAll), false
		for _, u := range uses(e.text) {
			if strings.Contains(u.name, ":") {
				if sums = true; !recorded[u.name] {
					t.Errorf("%s: nothing records %s", e.where, u.name)
				}
				continue
			}
			m := known[u.name]
			if m == nil {
				t.Errorf("%s: there is no metric %s", e.where, u.name)
				continue
			}
			labels = append(labels, m.Labels...)
			for _, found := range u.matchers {
				if label := found[1]; !slices.Contains(append(slices.Clone(labelsOfAll), m.Labels...), label) {
					t.Errorf("%s: %s has no label %s", e.where, u.name, label)
				}
			}
		}
		for _, found := range grouping.FindAllStringSubmatch(e.text, -1) {
			for label := range strings.SplitSeq(found[1], ", ") {
				if !sums && !slices.Contains(labels, label) {
					t.Errorf("%s: nothing there has the label %s", e.where, label)
				}
			}
		}
	}
}

func TestEveryMetricIsShownOrAlertedOn(t *testing.T) {
	seen, known := map[*metric.Metric]bool{}, metrics()
	for _, e := range expressions(t) {
		for _, u := range uses(e.text) {
			seen[known[u.name]] = true
		}
	}
	for _, m := range metric.All() {
		if !seen[m] {
			t.Errorf("%s is nowhere", m.Name)
		}
	}
}

// values are what labels of few values may be.
func values(t *testing.T) map[string][]string {
	return map[string][]string{
		"decision": {"forwarded", "answered"},
		"role":     {"leader", "follower", "grace"},
		"from":     {"cookie", "store", "cache"},
		"event":    eventNames(t),
	}
}

// eventNames reads the names of events from the gate's source.
func eventNames(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../gate/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Names) != 1 || !strings.HasPrefix(v.Names[0].Name, "Event") || len(v.Values) != 1 {
			return true
		}
		if s, ok := v.Values[0].(*ast.BasicLit); ok {
			name, err := strconv.Unquote(s.Value)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		return true
	})
	if len(names) < 20 {
		t.Fatalf("only %d events were found", len(names))
	}
	return names
}

func TestExpressionsAskForEventsAndValuesThatThereAre(t *testing.T) {
	possible := values(t)
	for _, e := range expressions(t) {
		for _, u := range uses(e.text) {
			for _, found := range u.matchers {
				of, bounded := possible[found[1]]
				if !bounded {
					continue
				}
				for value := range strings.SplitSeq(found[3], "|") {
					if !slices.Contains(of, value) {
						t.Errorf("%s: %s is never %q", e.where, found[1], value)
					}
				}
			}
		}
	}
}
