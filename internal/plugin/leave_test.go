package plugin

import (
	"slices"
	"testing"
)

// A host deletes the context of settings that are no longer in force as soon as
// it may, and its calls with it.
func TestWhatBelongsToNoRequestOutlivesTheSettings(t *testing.T) {
	h, run := started(t, settings)
	run.Tick(1) // the provider is asked for its metadata
	if len(h.Calls) != 1 {
		t.Fatalf("calls: %v", h.Calls)
	}
	if run.Done(1) {
		t.Error("the context may go while a call is under way")
	}
	run.Tick(1)
	if len(h.Ended) != 0 || h.Tick == 0 {
		t.Errorf("contexts %v have ended, the tick is %s", h.Ended, h.Tick)
	}
	run.HTTPCallResponse(1, 1, 0, 0, 0) // the call has failed
	run.Tick(1)
	if !slices.Equal(h.Ended, []uint32{1}) || h.Tick != 0 {
		t.Errorf("contexts %v have ended, the tick is %s", h.Ended, h.Tick)
	}
	if len(h.Calls) != 1 {
		t.Errorf("settings that have gone make calls: %v", h.Calls)
	}
}

func TestSettingsWithNothingUnderWayGoAtOnce(t *testing.T) {
	h, run := started(t, settings)
	run.Tick(1)
	run.HTTPCallResponse(1, 1, 0, 0, 0)
	if !run.Done(1) || h.Tick != 0 || len(h.Ended) != 0 {
		t.Errorf("the tick is %s, contexts %v have ended by themselves", h.Tick, h.Ended)
	}
	refused := &plugin{}
	if !refused.OnPluginDone() {
		t.Error("settings that were refused stay")
	}
}
