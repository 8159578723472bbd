package plugin

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/release"
)

func TestRequestsAreCountedAtTheTickAndAnswersAtOnce(t *testing.T) {
	h, run := started(t, settings)
	answers := metric.Answers.Full("target_double_slash")
	for range 2 {
		ask(h, run, get("/a//b"))
	}
	ask(h, run, get("/public/"))
	if h.Metrics[answers] != 2 || h.Metrics[metric.Requests.Full("answered")] != 0 {
		t.Errorf("before the tick: %v", h.Metrics)
	}
	run.Tick(1)
	run.Tick(1)
	got := map[string]int64{}
	for _, name := range []string{answers, metric.Requests.Full("answered"), metric.Requests.Full("forwarded"), metric.Events.Full("request_refused", "target_double_slash")} {
		got[name] = h.Metrics[name]
	}
	want := map[string]int64{
		answers:                           2,
		metric.Requests.Full("answered"):  2,
		metric.Requests.Full("forwarded"): 1,
		metric.Events.Full("request_refused", "target_double_slash"): 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// What was counted since the last tick must not be lost when new settings come.
func TestWhatWasCountedIsToldWhenTheSettingsGo(t *testing.T) {
	h, run := started(t, settings)
	ask(h, run, get("/public/"))
	run.Delete(2)
	run.Done(1)
	if h.Metrics[metric.Requests.Full("forwarded")] != 1 {
		t.Errorf("metrics: %v", h.Metrics)
	}
}

func TestTheVersionAndTheTimeOfTheSettingsAreTold(t *testing.T) {
	h, run := started(t, settings)
	taken := h.Time.Unix()
	h.Time = h.Time.Add(time.Hour)
	run.Tick(1)
	if h.Metrics[metric.BuildInfo.Full(release.Version)] != 1 || h.Metrics[metric.SettingsTime.Full()] != taken {
		t.Errorf("metrics: %v", h.Metrics)
	}
}

func TestRequestsThatWaitAreCountedWhileTheyDo(t *testing.T) {
	h, run := started(t, settings)
	parked := func() int64 { return h.Metrics[metric.Parked.Full()] }
	ask(h, run, get("/page")) // waits for the provider
	if parked() != 1 {
		t.Errorf("while it waits: %d", parked())
	}
	run.Delete(2)
	if parked() != 0 {
		t.Errorf("once the browser has gone: %d", parked())
	}
	ask(h, run, get("/page"))
	h.Time = h.Time.Add(6 * time.Second)
	run.Tick(1)
	if parked() != 0 || len(h.Responses) == 0 {
		t.Errorf("once it was answered: %d", parked())
	}
	ask(h, run, get("/oauth2/start?rd=%2F&provider=main"))
	if parked() != 1 {
		t.Errorf("while another one waits: %d", parked())
	}
}

func TestCallsAreMeasuredByWhatTheyWereForAndWhatCameOfThem(t *testing.T) {
	h, _ := abitest.New(t)
	p := &plugin{meters: newMeters()}
	call := &flow.Call{Provider: "main", Step: "code exchange"}
	for _, r := range []int{200, 204, 404, 503, 0, 999} {
		p.called(call, &flow.Response{Status: r}, nil, 40*time.Millisecond)
	}
	p.called(call, &flow.Response{}, flow.ErrUnavailable, -time.Second)
	took := metric.ProviderCallTime.Full("main", "code_exchange")
	if h.Metrics[took] != 0 {
		t.Errorf("a clock that was set back: %v", h.Metrics)
	}
	p.called(call, &flow.Response{Status: 200}, nil, 41*time.Millisecond)
	p.called(call, &flow.Response{}, flow.ErrNotSent, time.Minute)
	want := map[string]int64{took: 41}
	for outcome, n := range map[string]int64{"2xx": 3, "4xx": 1, "5xx": 1, "unavailable": 3, "not_sent": 1} {
		want[metric.ProviderCalls.Full("main", "code_exchange", outcome)] = n
	}
	if diff := cmp.Diff(want, h.Metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestHowManyMetricsThereAreIsBounded(t *testing.T) {
	h, _ := abitest.New(t)
	s := newMeters()
	for i := range 3 * maxOthers {
		s.Add(metric.Events, 1, "e"+strconv.Itoa(i), "why")
	}
	other := metric.Events.Full("other", "other")
	if len(h.Metrics) != maxOthers+1 || h.Metrics[other] != 2*maxOthers {
		t.Errorf("%d metrics, %d others", len(h.Metrics), h.Metrics[other])
	}
}

// Anybody can have each of ten thousand rules say no to them.
func TestRulesDoNotTakeThePlacesOfAllElse(t *testing.T) {
	h, _ := abitest.New(t)
	s := newMeters()
	for i := range 2 * maxOfRules {
		s.Add(metric.AccessDenied, 1, strconv.Itoa(i), "no_session")
	}
	s.Add(metric.Events, 1, "provider_failure", "status_500")
	if h.Metrics[metric.Events.Full("provider_failure", "status_500")] != 1 || h.Metrics[metric.AccessDenied.Full("other", "other")] != maxOfRules {
		t.Errorf("%d metrics", len(h.Metrics))
	}
}

// metricless is a host that takes no new metric.
type metricless struct{ *abitest.Host }

func (metricless) DefineMetric(uint32, string) (uint32, abi.Status) {
	return 0, abi.StatusInternalFailure
}

func TestWhatTheHostDoesNotCountIsNotCountedAsSomethingElse(t *testing.T) {
	h, _ := abitest.New(t)
	if _, err := abi.DefineCounter("another"); err != nil {
		t.Fatal(err)
	}
	_, restore := abi.UseHost(metricless{h})
	defer restore()
	s := newMeters()
	for range 3 {
		s.Add(metric.LoginLoops, 1)
	}
	failures := 0
	for _, line := range h.Lines {
		if strings.HasPrefix(line, "error ") {
			failures++
		}
	}
	if h.Metrics["another"] != 0 || failures != 1 {
		t.Errorf("metrics %v, log %q", h.Metrics, h.Lines)
	}
}

func TestCallsForARequestCarryItsTrace(t *testing.T) {
	h, p := plain(t)
	h.Calls = nil
	s := &stream{plugin: p, id: 1}
	r := &httpmsg.Request{Header: httpmsg.Fields{
		{Name: "x-request-id", Value: "r-1"}, {Name: "cookie", Value: "secret=1"}, {Name: "authorization", Value: "Bearer x"},
		{Name: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{Name: "tracestate", Value: strings.Repeat("x", maxTracing+1)},
		{Name: "b3", Value: "caf\xc3\xa9"},
		{Name: "traceparent", Value: "00-a second one, as a client may send hundreds"},
	}}
	call := flow.Call{Cluster: "idp", Method: "GET", Scheme: "https", Authority: "id.example.com", Path: "/", Timeout: time.Second}
	s.run(r, func(env flow.Env) gate.Verdict {
		env.Go(func(env flow.Env) { _, _ = env.Fetch(call) })
		asking := call
		asking.Header = httpmsg.Fields{{Name: "accept", Value: "application/json"}}
		_, err := env.Fetch(asking)
		if errors.Is(err, flow.ErrCanceled) {
			t.Error("canceled")
		}
		return gate.Verdict{}
	})
	var got [][][2]string
	for _, c := range h.Calls {
		got = append(got, c.Headers[4:])
	}
	trace := [][2]string{{"x-request-id", "r-1"}, {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	want := [][][2]string{append([][2]string{{"accept", "application/json"}}, trace...), trace}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header of the calls (-want +got):\n%s", diff)
	}
}

func TestCallsForNoRequestHaveAnIDOfTheirOwn(t *testing.T) {
	h, run := started(t, settings)
	run.Tick(1)
	if len(h.Calls) == 0 {
		t.Fatal("nothing was asked at the first tick")
	}
	ids := map[string]bool{}
	for _, c := range h.Calls {
		id, _ := lookUp(c.Headers, "x-request-id")
		ids[id] = len(id) == 36 && id[14] == '4'
	}
	ids[requestID().Value] = true
	for id, fine := range ids {
		if !fine {
			t.Errorf("request id %q", id)
		}
	}
	if len(ids) < 2 {
		t.Error("one id for all")
	}
}

func lookUp(header [][2]string, name string) (string, bool) {
	for _, p := range header {
		if p[0] == name {
			return p[1], true
		}
	}
	return "", false
}

func TestTheAccessLogIsToldOfDecisionsWhereItWantsToKnow(t *testing.T) {
	noting := strings.Replace(settings, `"rules":[`, `"log":{"properties":true},"rules":[{"name":"docs","match":{"paths":["/docs"]}},`, 1)
	for name, tt := range map[string]struct {
		settings string
		request  [][2]string
		want     map[string]string
	}{
		"somebody passes": {noting, get("/docs", signedIn(t)), map[string]string{"decision": "forwarded", "rule": "docs", "user": "alice"}},
		"no rule, and nobody": {noting, append(get("/page"), [2]string{"sec-fetch-mode", "cors"}),
			map[string]string{"decision": "answered", "rule": "unmatched", "reason": "no_session"}},
		"one of our addresses": {noting, get("/oauth2/userinfo", signedIn(t)), map[string]string{"decision": "answered", "reason": "userinfo", "user": ""}},
		"nobody wants to know": {settings, get("/docs", signedIn(t)), map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			h, run := started(t, tt.settings)
			ask(h, run, tt.request)
			got := map[string]string{}
			for path, value := range h.Properties {
				if name, ours := strings.CutPrefix(path, "wasm.postern."); ours {
					got[name] = value
				}
			}
			for name, value := range tt.want {
				if value == "" {
					delete(tt.want, name)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("properties (-want +got):\n%s", diff)
			}
		})
	}
}

// defining counts how often metrics are made known.
type defining struct {
	*abitest.Host
	names map[string]int
}

func (d defining) DefineMetric(kind uint32, name string) (uint32, abi.Status) {
	d.names[name]++
	return d.Host.DefineMetric(kind, name)
}

// A host keeps each that it is told of, so that settings which are edited all day
// must not tell it of them anew.
func TestNewSettingsMakeNoMetricKnownAgain(t *testing.T) {
	h, _ := abitest.New(t)
	d := defining{h, map[string]int{}}
	run, restore := abi.UseHost(d)
	defer restore()
	start(t, h, run, settings)
	ask(h, run, get("/a//b"))
	run.ContextCreate(5, 0)
	if !run.Configure(5, len(settings)) {
		t.Fatal(h.Lines)
	}
	h.Maps[abi.RequestHeaders] = get("/a//b")
	run.ContextCreate(6, 5)
	run.RequestHeaders(6, 6, true)
	name := metric.Answers.Full("target_double_slash")
	if h.Metrics[name] != 2 || d.names[name] != 1 {
		t.Errorf("%d answers, made known %d times", h.Metrics[name], d.names[name])
	}
}
