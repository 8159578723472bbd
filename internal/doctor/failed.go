package doctor

import (
	"fmt"
	"regexp"

	"github.com/postern-auth/postern/internal/metric"
)

// RefusedClient are the reasons of failed logins and renewals by which the
// provider says that it does not take this client (RFC 6749, section 5.2).
const RefusedClient = `provider_(invalid_client|unauthorized_client)`

// Misconfigured are all reasons of failed logins that come of the settings, or of
// the client's registration, and not of people. An alert goes by the same.
const Misconfigured = `provider_(invalid_client|unauthorized_client|invalid_scope|unsupported_.*|invalid_request|redirect_uri_mismatch)` +
	`|status_(400|401|403|404|405)|endpoint_.*|bad_endpoint|no_endpoint|iss_differs|iss_missing|issuer_differs|aud_differs|token_not_bound|session_too_large|internal`

var (
	refusedClient = regexp.MustCompile(`^(?:` + RefusedClient + `)$`)
	misconfigured = regexp.MustCompile(`^(?:` + Misconfigured + `)$`)
)

// failed looks at the logins and renewals that failed since Envoy was started. It
// matters more where no login has ever succeeded.
func (v *visit) failed(stats statistics) {
	succeeded := map[string]int{}
	for _, s := range stats.of(metric.LoginsSucceeded) {
		succeeded[s.labels["provider"]] += s.value
	}
	for _, m := range []struct {
		metric *metric.Metric
		what   string
	}{{metric.LoginsFailed, "logins"}, {metric.RefreshesFailed, "renewals"}} {
		for _, s := range stats.of(m.metric) {
			provider, reason := s.labels["provider"], s.labels["reason"]
			if s.value == 0 || !v.names(provider) || !misconfigured.MatchString(reason) {
				continue
			}
			f := failure(reason, "provider "+told(provider), fmt.Sprintf("%d %s failed with %s since Envoy was started", s.value, m.what, told(reason)))
			if succeeded[provider] > 0 {
				f = f.as(Warning)
			}
			v.add(f)
		}
	}
}

func failure(reason, path, what string) Finding {
	if refusedClient.MatchString(reason) {
		return found("client_refused", path, "%s", what)
	}
	return found("logins_misconfigured", path, "%s", what)
}
