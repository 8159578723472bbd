package wazerohost

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGarbageCollectionDiesOnOldEnvoys(t *testing.T) {
	for _, tt := range []struct {
		generation Generation
		want       Kind
	}{{Envoy133, Replied}, {Envoy139, Forwarded}} {
		t.Run(tt.generation.String(), func(t *testing.T) {
			r := newRig(t, "", bareGuest(t), generation(tt.generation))
			wantKind(t, r.get(), tt.want)
			if dead := r.Dead(0) != nil; dead != (tt.want == Replied) {
				t.Errorf("dead: %v", r.Dead(0))
			}
		})
	}
}

func TestPackageOSNeedsANewEnvoy(t *testing.T) {
	_, err := tryRig(t, "", generation(Envoy133))
	if err == nil || !strings.Contains(err.Error(), "missing import: wasi_snapshot_preview1.path_filestat_get") {
		t.Errorf("a module with package os on an old Envoy gave %v", err)
	}
}

func TestStandardOutputAndErrorAreTheLog(t *testing.T) {
	r := newRig(t, "request_headers: quiet stdout hello; quiet stderr alas")
	r.get()
	if diff := cmp.Diff([]string{"info hello", "error alas"}, r.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogLevels(t *testing.T) {
	r := newRig(t, "request_headers: loglevel; log 1 quiet; log 3 loud; log 6 beyond", func(c *Config) { c.LogLevel = LevelInfo })
	r.get()
	want := []string{"info request_headers@2 loglevel -> 0 2", "info request_headers@2 log 1 quiet -> 0",
		"warning loud", "info request_headers@2 log 3 loud -> 0", "info request_headers@2 log 6 beyond -> 2"}
	if diff := cmp.Diff(want, r.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestExitReturnsAndTheCodeBehindItRuns(t *testing.T) {
	r := newRig(t, "request_headers: exit; log 3 behind")
	wantKind(t, r.get(), Forwarded)
	if log := r.all(); !contains(log, "trace wasi_unstable proc_exit") || !contains(log, "warning behind") {
		t.Errorf("log %q", log)
	}
}

func TestThereAreNoFiles(t *testing.T) {
	r := newRig(t, "request_headers: open /etc/passwd")
	r.get()
	if log := r.log(); len(log) != 1 || !strings.Contains(log[0], "open /etc/passwd:") {
		t.Errorf("log %q, want an error", log)
	}
}

func TestTheEnvironmentIsTheConfiguredOne(t *testing.T) {
	t.Setenv("FROM_THE_MACHINE", "leak")
	r := newRig(t, "request_headers: env KEY; env OTHER; env FROM_THE_MACHINE; environ",
		func(c *Config) { c.Env = map[string]string{"KEY": "value", "OTHER": "a=b"} })
	r.get()
	r.wantLog("request_headers: env KEY -> value", "request_headers: env OTHER -> a=b",
		"request_headers: env FROM_THE_MACHINE -> ", "request_headers: environ -> 2")
}

func TestBothClocksShowTheHostsTime(t *testing.T) {
	r := newRig(t, "request_headers: now; time")
	r.clock.Advance(time.Hour)
	r.get()
	r.wantLog("request_headers: now -> 0 2026-11-22T13:00:00Z", "request_headers: time -> 2026-11-22T13:00:00Z")
}

func TestAFakeClockRunsItsTimersInOrder(t *testing.T) {
	c := NewFakeClock(noon)
	var ran []string
	note := func(name string) func() {
		return func() { ran = append(ran, name+" "+c.Now().Format("05")) }
	}
	c.AfterFunc(3*time.Second, note("third"))
	c.AfterFunc(time.Second, func() {
		note("first")()
		c.AfterFunc(time.Second, note("second"))
	})
	stop := c.AfterFunc(2*time.Second, note("stopped"))
	stop()
	c.AfterFunc(time.Minute, note("later"))
	c.Advance(10 * time.Second)
	if diff := cmp.Diff([]string{"first 01", "second 02", "third 03"}, ran); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Now().Sub(noon); got != 10*time.Second {
		t.Errorf("the clock moved by %v", got)
	}
}
