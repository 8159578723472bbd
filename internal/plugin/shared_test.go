package plugin

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
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
