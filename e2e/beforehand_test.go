package e2e

import (
	"net/http"
	"testing"
)

// TestAnAnswerThatComesBeforeTheGateStaysAsItIs has a filter in front of
// Postern answer by itself, as one for health checks or preflights does.
// Postern never sees such a request, and its answer is none of Postern's.
func TestAnAnswerThatComesBeforeTheGateStaysAsItIs(t *testing.T) {
	t.Parallel()
	nowhere := &Provider{Name: "nowhere", Issuer: "http://127.0.0.1:1"}
	early := typed("envoy.filters.http.health_check", "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
		object{"pass_through_mode": false, "headers": []object{{"name": ":path", "string_match": object{"exact": "/early"}}}})
	ForEachEnvoy(t, func(t *testing.T, version string) {
		e := StartEnvoy(t, EnvoySetup{Version: version, IDP: nowhere.Addr(), Config: NewSettings(nowhere), Env: NewSecrets(), Before: []object{early}})
		for _, contentType := range []string{"", "application/grpc"} {
			if status := statusOf(t, e, "/early", contentType); status != http.StatusOK {
				t.Errorf("the answer of a filter before the gate, to a request of type %q: status %d", contentType, status)
			}
		}
		if status := statusOf(t, e, "/oauth2/auth", "application/grpc"); status == http.StatusOK {
			t.Error("a refusal of the gate's has the status 200")
		}
	})
}

func statusOf(t *testing.T, e *Envoy, path, contentType string) int {
	t.Helper()
	req := must(http.NewRequest(http.MethodGet, "http://"+e.Addr+path, nil))(t)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Host = "localhost"
	res := must(http.DefaultTransport.RoundTrip(req))(t)
	_ = res.Body.Close()
	return res.StatusCode
}
