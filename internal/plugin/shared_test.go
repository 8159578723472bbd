package plugin

import (
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
	"github.com/postern-auth/postern/internal/gate"
)

func TestSharedMemoryIsTheHosts(t *testing.T) {
	h, _ := abitest.New(t)
	m := &memory{}
	if _, _, ok := m.Get("a"); ok {
		t.Error("a name without a value has one")
	}
	if !m.Set("a", []byte("1"), 0) {
		t.Fatal("a first value was not taken")
	}
	if m.Set("a", []byte("2"), 0) {
		t.Error("a second first value was taken")
	}
	value, cas, ok := m.Get("a")
	if !ok || string(value) != "1" {
		t.Errorf("got %q, %v", value, ok)
	}
	if !m.Set("a", []byte("3"), cas) || m.Set("a", []byte("4"), cas) {
		t.Error("a number was good twice, or never")
	}
	if got := string(h.Shared["a"].Value); got != "3" {
		t.Errorf("the host has %q", got)
	}
	if len(h.Lines) != 0 {
		t.Errorf("the log has %q", h.Lines)
	}
}

// brokenShared is a host whose shared data fails.
type brokenShared struct{ *abitest.Host }

func (brokenShared) SharedData(string) ([]byte, uint32, abi.Status) {
	return nil, 0, abi.StatusInternalFailure
}

func (brokenShared) SetSharedData(string, []byte, uint32) abi.Status {
	return abi.StatusInternalFailure
}

func TestSharedMemoryThatFailsIsEmptyAndSaidOnce(t *testing.T) {
	h, _ := abitest.New(t)
	_, restore := abi.UseHost(brokenShared{h})
	defer restore()
	m := &memory{}
	for range 3 {
		if _, _, ok := m.Get("a"); ok || m.Set("a", nil, 0) {
			t.Error("it works")
		}
	}
	if len(h.Lines) != 1 || !strings.Contains(h.Lines[0], "error postern: shared data: ") {
		t.Errorf("the log has %q", h.Lines)
	}
}

func TestWhatOneWorkerRaisesTheOthersSee(t *testing.T) {
	for name, noStats := range map[string]bool{"by a gauge": false, "by shared data, where the host keeps no gauge": true} {
		t.Run(name, func(t *testing.T) {
			h, _ := abitest.New(t)
			h.NoStats = noStats
			one, other := newSignal(), newSignal()
			before := other.Level()
			if other.Level() != before {
				t.Error("it changes by itself")
			}
			one.Raise()
			if other.Level() == before || one.Level() != other.Level() {
				t.Errorf("levels %d and %d, %d before", one.Level(), other.Level(), before)
			}
			if _, usesKey := h.Shared[signalKey]; usesKey != noStats {
				t.Errorf("shared data: %v", h.Shared)
			}
		})
	}
}

func TestEventsAreCountedByName(t *testing.T) {
	h, run := started(t, settings)
	for range 2 {
		ask(h, run, get("/a//b"))
	}
	if got := h.Metrics["postern_request_refused_total"]; got != 2 {
		t.Errorf("metrics: %v", h.Metrics)
	}
}

func TestNamesOfEventsThatAreCountedAreBounded(t *testing.T) {
	h, _ := abitest.New(t)
	p := &plugin{counters: counters{}}
	for i := range 2 * maxCounters {
		p.tell(gate.Event{Event: "e" + strings.Repeat("x", i)})
	}
	if len(h.Metrics) != maxCounters+maxEvents {
		t.Errorf("%d counters", len(h.Metrics))
	}
}

// Anybody can have each of ten thousand rules say no to them.
func TestRulesDoNotTakeTheCountersOfAllElse(t *testing.T) {
	h, _ := abitest.New(t)
	p := &plugin{counters: counters{}}
	for i := range 2 * maxCounters {
		p.tell(gate.Event{Event: "access_denied", Rule: strconv.Itoa(i), Reason: "no_session"})
	}
	p.tell(gate.Event{Event: "provider_failure"})
	if len(h.Metrics) != maxCounters+2 || h.Metrics["postern_access_denied_total"] != maxCounters || h.Metrics["postern_provider_failure_total"] != 1 {
		t.Errorf("%d counters, %d beyond rules", len(h.Metrics), h.Metrics["postern_access_denied_total"])
	}
}

// metricless is a host that takes no new metric.
type metricless struct{ *abitest.Host }

func (metricless) DefineMetric(bool, string) (uint32, abi.Status) {
	return 0, abi.StatusInternalFailure
}

func TestAnEventThatTheHostDoesNotCountIsNotCountedAsAnother(t *testing.T) {
	h, _ := abitest.New(t)
	if _, err := abi.DefineCounter("another"); err != nil {
		t.Fatal(err)
	}
	_, restore := abi.UseHost(metricless{h})
	defer restore()
	p := &plugin{counters: counters{}}
	for range 3 {
		p.tell(gate.Event{Event: "e"})
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
