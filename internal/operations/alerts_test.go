package operations

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/doctor"
)

const prometheusDir = "../../envoy/prometheus"

func TestPrometheusTakesTheConfiguration(t *testing.T) {
	promtool(t, prometheusDir, "check", "config", "prometheus.yaml")
}

func TestAlertsFireOnWhatTheyAreForAndOnNothingElse(t *testing.T) {
	promtool(t, prometheusDir, "test", "rules", "alerts.test.yaml", "observe.test.yaml")
}

func TestEveryAlertIsSeenToFire(t *testing.T) {
	cases := string(read(t, "envoy/prometheus/alerts.test.yaml")) + string(read(t, "envoy/prometheus/observe.test.yaml"))
	for _, r := range rules(t, alertRules) {
		if !strings.Contains(cases, `{alertname="`+r.Alert+`"}`) {
			t.Errorf("no test sees %s fire", r.Alert)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

func TestEveryAlertLeadsToAnEntryThatSaysWhatToDo(t *testing.T) {
	const page = "https://github.com/postern-auth/postern/blob/main/docs/operations.md#"
	entries := map[string]string{}
	text := string(read(t, "docs/operations.md"))
	for _, at := range heading.FindAllStringSubmatchIndex(text, -1) {
		entry, _, _ := strings.Cut(text[at[1]:], "\n#")
		entries[strings.ToLower(text[at[2]:at[3]])] = entry
	}
	for _, r := range rules(t, alertRules) {
		url := r.Annotations["runbook_url"]
		if url != page+strings.ToLower(r.Alert) {
			t.Errorf("%s leads to %q", r.Alert, url)
			continue
		}
		entry := entries[strings.ToLower(r.Alert)]
		for _, part := range []string{"**Means.**", "**Look.**", "**Cure.**"} {
			if !strings.Contains(entry, part) {
				t.Errorf("the entry of %s does not have %s", r.Alert, part)
			}
		}
	}
}

func TestTheAlertAndTheDoctorGoByTheSameReasons(t *testing.T) {
	for _, r := range rules(t, alertRules) {
		if r.Alert == "PosternLoginsMisconfigured" && !strings.Contains(r.Expr, `{reason=~"`+doctor.Misconfigured+`"}`) {
			t.Errorf("the alert does not have the doctor's list: %s", r.Expr)
		}
	}
}

func TestEveryAlertSaysHowBadItIs(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rules(t, alertRules) {
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s does not say what it means", r.Alert)
		}
		if !strings.HasPrefix(r.Alert, "Postern") || names[r.Alert] {
			t.Errorf("%s is there twice, or is not named as one of ours", r.Alert)
		}
		names[r.Alert] = true
	}
}
