package metric

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// name follows https://prometheus.io/docs/practices/naming/.
var name = regexp.MustCompile(`^postern_[a-z]+(_[a-z]+)*$`)

func TestNamesFollowPrometheusConventions(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range All() {
		if !name.MatchString(m.Name) || seen[m.Name] {
			t.Errorf("%s", m.Name)
		}
		seen[m.Name] = true
		total, unit := strings.HasSuffix(m.Name, "_total"), false
		for _, u := range []string{"_bytes", "_milliseconds"} {
			unit = unit || strings.HasSuffix(m.Name, u)
		}
		if total != (m.Kind == Counter) || unit != (m.Kind == Histogram) {
			t.Errorf("%s is of kind %d", m.Name, m.Kind)
		}
	}
}

// taken are the name and the labels that an Envoy makes of a host's name.
func taken(full string) (rest string, labels map[string]string) {
	rest, labels = "wasmcustom."+full, map[string]string{}
	for _, l := range Labels() {
		m := regexp.MustCompile(TagRegex(l)).FindStringSubmatchIndex(rest)
		if m != nil {
			labels[l] = rest[m[4]:m[5]]
			rest = rest[:m[2]] + rest[m[3]:]
		}
	}
	return strings.TrimPrefix(rest, "wasmcustom."), labels
}

func TestEnvoyMakesLabelsOfNames(t *testing.T) {
	for label, tt := range map[string]struct {
		m      *Metric
		values []string
		want   map[string]string
	}{
		"none":                     {LoginLoops, nil, map[string]string{}},
		"two":                      {AccessDenied, []string{"admin", "group_missing"}, map[string]string{"rule": "admin", "reason": "group_missing"}},
		"with points":              {AccessDenied, []string{"a.b.c", "x"}, map[string]string{"rule": "a.b.c", "reason": "x"}},
		"one that is left out":     {AccessDenied, []string{"admin"}, map[string]string{"rule": "admin", "reason": "none"}},
		"one that ends the label":  {AccessDenied, []string{"a;.;reason=.=b", "c"}, map[string]string{"rule": "a_._reason_._b", "reason": "c"}},
		"one with line feeds":      {AccessDenied, []string{"a\nb\x00", "c"}, map[string]string{"rule": "a_b_", "reason": "c"}},
		"one that is no text":      {AccessDenied, []string{"a\xff", "c"}, map[string]string{"rule": "a_", "reason": "c"}},
		"one in another language":  {AccessDenied, []string{"équipe", "c"}, map[string]string{"rule": "équipe", "reason": "c"}},
		"one that is too long":     {AccessDenied, []string{strings.Repeat("a", 100), "c"}, map[string]string{"rule": strings.Repeat("a", 64), "reason": "c"}},
		"more than the metric has": {LoginLoops, []string{"x"}, map[string]string{}},
	} {
		t.Run(label, func(t *testing.T) {
			rest, labels := taken(tt.m.Full(tt.values...))
			if rest != tt.m.Name {
				t.Errorf("the name is left as %q", rest)
			}
			if diff := cmp.Diff(tt.want, labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}
