package plugin

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

const settings = `{"providers":[{"name":"main","issuer":"https://id.example.com","cluster":"idp","client_id":"shop"}],
	"hosts":["app.example.com"],"session":{"keys":[{"id":"k1","env":"POSTERN_KEY"}]},
	"rules":[{"match":{"paths":["/public/*"]},"allow":"anyone"}]}`

// What the ABI calls the answers of the request callbacks.
const (
	actionContinue = 0
	actionStop     = 1
	actionStopAll  = 4
)

func key() []byte {
	k := make([]byte, 32)
	for i := range k {
		k[i] = byte(7 * i)
	}
	return k
}

// started is a plugin with the settings, context 1, that has ticked once.
func started(t *testing.T, settings string) (*abitest.Host, abi.Callbacks) {
	t.Helper()
	h, run := abitest.New(t)
	start(t, h, run, settings)
	return h, run
}

func start(t *testing.T, h *abitest.Host, run abi.Callbacks, settings string) {
	t.Helper()
	t.Setenv("POSTERN_KEY", base64.StdEncoding.EncodeToString(key()))
	abi.SetVMContext(NewVM())
	h.Buffers[abi.PluginConfigurationBuffer] = []byte(settings)
	run.ContextCreate(1, 0)
	if !run.VMStart(1, 0) || !run.Configure(1, len(settings)) {
		t.Fatalf("the plugin did not start: %v", h.Lines)
	}
}

func get(path string, more ...[2]string) [][2]string {
	return append([][2]string{
		{":method", "GET"}, {":scheme", "http"}, {":authority", "app.example.com"}, {":path", path},
		{"accept", "text/html"}, {"x-request-id", "r-1"},
	}, more...)
}

// ask opens stream 2 with a request.
func ask(h *abitest.Host, run abi.Callbacks, request [][2]string) (action uint32) {
	h.Maps[abi.RequestHeaders] = request
	run.ContextCreate(2, 1)
	return run.RequestHeaders(2, len(request), true)
}

func signedIn(t *testing.T) [2]string {
	t.Helper()
	ring, err := session.NewKeyring([]session.Key{{ID: "k1", Secret: key()}})
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := ring.SealSession(&session.Session{
		Provider: "main", Issuer: "https://id.example.com", ClientID: "shop", Begun: 1_700_000_000_000,
		Claims: map[string]session.Claim{"user": {Values: []string{"alice"}}},
	}, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{"cookie", "a=1; __Host-postern=1." + sealed}
}

func TestSettingsThatAreWrongAreRefusedWithEveryProblem(t *testing.T) {
	h, run := abitest.New(t)
	abi.SetVMContext(NewVM())
	h.Buffers[abi.PluginConfigurationBuffer] = []byte(`{"providers":[],"hosts":["*"],"sesion":{}}`)
	run.ContextCreate(1, 0)
	if !run.VMStart(1, 0) || run.Configure(1, 10) {
		t.Fatal("the plugin started")
	}
	log := strings.Join(h.Lines, "\n")
	for _, problem := range []string{"providers: ", "hosts[0]: ", "sesion: ", "session.keys: "} {
		if !strings.Contains(log, "critical postern: "+problem) {
			t.Errorf("the log lacks %q:\n%s", problem, log)
		}
	}
	if ask(h, run, get("/public/x")) != actionStopAll || len(h.Responses) != 1 || h.Responses[0].Status != 503 {
		t.Errorf("a request without settings: %v", h.Responses)
	}
}

func TestSettingsThatGiveUpAProtectionAreSaidAtTheStart(t *testing.T) {
	h, _ := started(t, strings.Replace(settings, `"rules":[`, `"insecure_observe":true,"rules":[{"match":{"paths":["/a"]},"insecure_observe":true},`, 1))
	for _, path := range []string{"insecure_observe", "rules[0].insecure_observe"} {
		if !slices.Contains(h.Lines, "warn postern: "+path+" is on") {
			t.Errorf("nothing is said of %s: %q", path, h.Lines)
		}
	}
}

func TestARequestWithASessionGoesOnWithAnIdentity(t *testing.T) {
	h, run := started(t, settings)
	action := ask(h, run, get("/page", signedIn(t), [2]string{"x_auth_request_user", "eve"}, [2]string{"x-auth-request-email", "eve"}))
	if action != actionContinue {
		t.Fatalf("action %d, responses %v", action, h.Responses)
	}
	got := h.Maps[abi.RequestHeaders][5:]
	slices.SortFunc(got, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	want := [][2]string{{"cookie", "a=1"}, {"x-auth-request-user", "alice"}, {"x-request-id", "r-1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h.Maps[abi.RequestTrailers] = [][2]string{{"x-auth-request-user", "eve"}, {"X_Auth_Request_Email", "eve"}, {"checksum", "1"}}
	if run.RequestBody(2, 10, false) != actionContinue || run.RequestTrailers(2, 3) != actionContinue {
		t.Error("the body of a request that may pass is stopped")
	}
	if diff := cmp.Diff([][2]string{{"checksum", "1"}}, h.Maps[abi.RequestTrailers]); diff != "" {
		t.Errorf("trailers: %s", diff)
	}
}

func TestNothingOfARequestPassesBeforeTheVerdict(t *testing.T) {
	h, run := started(t, settings)
	if action := ask(h, run, get("/page")); action != actionStopAll {
		t.Errorf("headers: action %d", action)
	}
	if run.RequestBody(2, 10, true) != actionStop || run.RequestTrailers(2, 1) != actionStop {
		t.Error("the body passes")
	}
	if len(h.Responses) != 0 || len(h.Continued) != 0 {
		t.Errorf("answered %v, continued %v", h.Responses, h.Continued)
	}
	h.Time = h.Time.Add(time.Minute)
	run.Tick(1)
	if len(h.Responses) != 1 || h.Responses[0].Status != 503 || h.Responses[0].Stream != 2 || len(h.Continued) != 0 {
		t.Errorf("answered %v, continued %v", h.Responses, h.Continued)
	}
}

func TestAClientThatLeavesIsNotAnswered(t *testing.T) {
	h, run := started(t, settings)
	ask(h, run, get("/page"))
	run.Delete(2)
	h.Time = h.Time.Add(time.Minute)
	run.Tick(1)
	if len(h.Responses) != 0 || len(h.Continued) != 0 {
		t.Errorf("answered %v, continued %v", h.Responses, h.Continued)
	}
}

func TestTheFirstTickAsksTheProviderAndTheAnswerIsTakenUp(t *testing.T) {
	h, run := started(t, settings)
	if len(h.Calls) != 0 || h.Tick != firstTick {
		t.Errorf("at the start: %d calls, tick %s", len(h.Calls), h.Tick)
	}
	run.Tick(1)
	if len(h.Calls) != 1 || h.Calls[0].Cluster != "idp" || h.Tick != tick {
		t.Fatalf("after the first tick: calls %v, tick %s", h.Calls, h.Tick)
	}
	h.Maps[abi.CallResponseHeaders] = [][2]string{{":status", "200"}, {"content-type", "application/json"}}
	h.Buffers[abi.CallResponseBody] = []byte(`{"issuer":"https://id.example.com","authorization_endpoint":"https://id.example.com/auth",
		"token_endpoint":"https://id.example.com/token","jwks_uri":"https://id.example.com/keys"}`)
	run.HTTPCallResponse(1, 1, 2, 10, 0)
	if len(h.Calls) != 2 {
		t.Fatalf("the keys were not asked for: %v", h.Lines)
	}
}

func TestAnAnswerLargerThanAnyIsRefusedUnread(t *testing.T) {
	h, run := started(t, settings)
	run.Tick(1)
	h.Maps[abi.CallResponseHeaders] = [][2]string{{":status", "200"}}
	h.Buffers[abi.CallResponseBody] = make([]byte, maxAnswer+1)
	run.HTTPCallResponse(1, 1, 1, maxAnswer+1, 0)
	if log := strings.Join(h.Lines, "\n"); !strings.Contains(log, `"reason":"answer_too_large"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestAClusterThatEnvoyDoesNotKnowIsNamedInTheLog(t *testing.T) {
	h, run := started(t, settings)
	h.CallStatus = abi.StatusBadArgument
	run.Tick(1)
	if log := strings.Join(h.Lines, "\n"); !strings.Contains(log, `cluster "idp"`) || !strings.Contains(log, `"reason":"no_answer"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestAnApplicationCannotSetOurCookies(t *testing.T) {
	h, run := started(t, settings)
	ask(h, run, get("/page", signedIn(t)))
	h.Maps[abi.ResponseHeaders] = [][2]string{
		{":status", "200"}, {"set-cookie", "b=2"}, {"set-cookie", "__Host-postern=x; Path=/"},
		{"set-cookie", "__Host-postern-login=x"}, {"set-cookie", "c=3; Secure"},
	}
	if run.ResponseHeaders(2, 5, true) != actionContinue {
		t.Error("the response is stopped")
	}
	want := [][2]string{{":status", "200"}, {"set-cookie", "b=2"}, {"set-cookie", "c=3; Secure"}}
	if diff := cmp.Diff(want, h.Maps[abi.ResponseHeaders]); diff != "" {
		t.Error(diff)
	}
}

func TestAVerdictThatSaysNothingDenies(t *testing.T) {
	h, run := started(t, settings)
	ask(h, run, get("/page"))
	s := &stream{plugin: &plugin{meters: newMeters()}, id: 2}
	s.carryOut(gate.Verdict{})
	s.carryOut(gate.Verdict{Forward: &gate.Forward{}}) // too late
	if s.state != responded || len(h.Responses) != 1 || h.Responses[0].Status != 503 {
		t.Errorf("state %d, responses %v", s.state, h.Responses)
	}
}

func TestAVerdictThatSaysTwoThingsDoesNotForward(t *testing.T) {
	h, _ := started(t, settings)
	s := &stream{plugin: &plugin{meters: newMeters()}, id: 2}
	s.carryOut(gate.Verdict{Forward: &gate.Forward{}, Respond: &gate.Respond{Status: 403}})
	if s.state != responded || len(h.Responses) != 1 || h.Responses[0].Status != 403 {
		t.Errorf("state %d, responses %v", s.state, h.Responses)
	}
}

func TestAPanicWithinAFlowDeniesItsOwnStreamOnce(t *testing.T) {
	h, run := started(t, settings)
	ask(h, run, get("/page")) // waits for the provider
	p := &plugin{meters: newMeters(), flows: flow.NewScheduler(dispatch, h.Now)}
	s := &stream{plugin: p, id: 2}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic went nowhere")
			}
		}()
		s.run(&httpmsg.Request{}, func(flow.Env) gate.Verdict { panic("broken") })
	}()
	if h.Effective != 2 || s.state != undecided || len(h.Continued) != 0 {
		t.Errorf("effective context %d, state %d, continued %v", h.Effective, s.state, h.Continued)
	}
}

func TestTwoConfigurationsInOneVMKnowNothingOfEachOther(t *testing.T) {
	h, run := started(t, settings)
	h.Buffers[abi.PluginConfigurationBuffer] = []byte(strings.Replace(settings, "app.example.com", "new.example.com", 1))
	run.ContextCreate(9, 0)
	if !run.VMStart(9, 0) || !run.Configure(9, 1) {
		t.Fatalf("the second configuration did not start: %v", h.Lines)
	}
	for plugin, want := range map[uint32]uint32{1: actionContinue, 9: actionStopAll} {
		h.Maps[abi.RequestHeaders] = get("/page", signedIn(t))
		run.ContextCreate(100+plugin, plugin)
		if got := run.RequestHeaders(100+plugin, 7, true); got != want {
			t.Errorf("plugin %d: action %d, want %d", plugin, got, want)
		}
	}
}
