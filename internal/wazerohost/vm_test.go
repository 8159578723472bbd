package wazerohost

import (
	"strings"
	"testing"
	"time"
)

func env(key, value string) func(*Config) {
	return func(c *Config) { c.Env = map[string]string{key: value} }
}

func generation(g Generation) func(*Config) {
	return func(c *Config) { c.Generation = g }
}

func bareGuest(t *testing.T) func(*Config) {
	module, err := bareModule()
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Module = module }
}

func TestStartMayCallLittle(t *testing.T) {
	if _, err := tryRig(t, "", env("INIT", "call")); err == nil ||
		!strings.Contains(err.Error(), "restricted_callback: env.proxy_get_current_time_nanoseconds") {
		t.Errorf("a host call from init gave %v", err)
	}
	for _, g := range []Generation{Envoy133, Envoy139} {
		if _, err := tryRig(t, "", bareGuest(t), generation(g)); err != nil {
			t.Errorf("logging from init on %v gave %v", g, err)
		}
	}
}

func TestTheAllocatorMayCallLittle(t *testing.T) {
	r := newRig(t, "request_headers: quiet alloc call; get 0 :path")
	wantKind(t, r.get(), Replied)
	if err := r.Dead(0); err == nil {
		t.Error("a host call from the allocator did not kill the VM")
	}
	if !contains(r.all(), "restricted_callback: env.proxy_get_current_time_nanoseconds") {
		t.Errorf("log: %q", r.all())
	}
	r = newRig(t, "request_headers: quiet alloc log; get 0 :path")
	wantKind(t, r.get(), Forwarded)
	r.wantLog("from: malloc", "request_headers: get 0 :path -> 0 /a?b=c")
}

func TestANullFromTheAllocatorIsAnInvalidAccess(t *testing.T) {
	r := newRig(t, "request_headers: quiet alloc null; get 0 :path; pairs 0")
	wantKind(t, r.get(), Forwarded)
	if log := r.log(); log[0] != "request_headers: get 0 :path -> 6 " || !strings.HasPrefix(log[1], "request_headers: pairs 0 -> 0") {
		t.Errorf("log %q", log)
	}
}

func TestTheCanaryRefusesABadConfiguration(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"on_configure says no", "configure: quiet log 4 providers[0].issuer:missing; return 0", "on_configure returned false: providers[0].issuer:missing"},
		{"on_configure says no by standard error", "configure: quiet stderr wrong; return 0", "on_configure returned false: wrong"},
		{"on_vm_start says no", "vm_start: return 0", "on_vm_start returned false"},
		{"on_configure traps", "configure: panic", "proxy_on_configure failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tryRig(t, tt.script); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTheCanaryHasNoSideEffects(t *testing.T) {
	r := newRig(t, "configure: quiet share k v 0; quiet "+callIDP+"; return 1", func(c *Config) { c.Workers = 2 })
	r.wantMisuse("shared data written from the canary", "http call to idp from the canary")
	if n := len(r.Calls()); n != 2 {
		t.Errorf("%d calls wait, want those of two workers", n)
	}
}

func TestTheConfigurationIsReadableOnlyWhileConfiguring(t *testing.T) {
	r := newRig(t, "request_headers: buffer 7 0 9; buffer 6 0 9; buffer 6 2 2; buffer 6 90 1", func(c *Config) { c.VMConfig = []byte("vmconfig") })
	r.get()
	r.wantLog("request_headers: buffer 7 0 9 -> 1 0 ", "request_headers: buffer 6 0 9 -> 0 8 vmconfig",
		"request_headers: buffer 6 2 2 -> 0 2 co", "request_headers: buffer 6 90 1 -> 0 0 ")
}

func TestATrapKillsTheVM(t *testing.T) {
	r := newRig(t, "request_headers: return 0\nrequest_body: panic\nconfigure: quiet tick 100; return 1\ntick: log 2 tick")
	sibling := r.send(false)
	s := r.send(false)
	s.SendBody([]byte("boom"), true)
	if o := wantKind(t, s, Replied); o.Status != 503 || o.Details != "wasm_fail_stream" || !o.WasForwarded {
		t.Errorf("the trapped stream: %+v, want 503", o)
	}
	wantKind(t, sibling, Replied)
	if o := wantKind(t, r.get(), Replied); o.Status != 503 || o.WasForwarded {
		t.Errorf("a later request: %+v, want 503", o)
	}
	r.clear()
	r.clock.Advance(time.Second)
	r.Tick()
	r.wantLog() // a dead VM does not tick
	if n := r.Streams(0); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestATrapInTheHeadersCallbackNeverForwards(t *testing.T) {
	r := newRig(t, "request_headers: panic")
	if o := wantKind(t, r.get(), Replied); o.Status != 503 {
		t.Errorf("status %d, want 503", o.Status)
	}
	if !contains(r.all(), "critical Function: proxy_on_request_headers failed") {
		t.Errorf("no critical line in %q", r.all())
	}
}

func TestAReplyBeforeTheTrapIsNotSent(t *testing.T) {
	r := newRig(t, "request_headers: quiet reply 200 -1 secret; panic")
	if o := wantKind(t, r.get(), Replied); o.Status != 503 || len(o.Body) != 0 {
		t.Errorf("got %d %q, want 503", o.Status, o.Body)
	}
}

func TestADeadVMDropsItsCalls(t *testing.T) {
	r := newRig(t, "request_headers: quiet "+callIDP+"; return 4\ntick: panic\nconfigure: quiet tick 100; return 1")
	s := r.get()
	c := r.Calls()[0]
	r.Tick()
	wantKind(t, s, Replied)
	r.clear()
	c.Reply(200, nil, nil)
	r.wantLog()
	if n := len(r.Calls()); n != 0 {
		t.Errorf("%d calls still wait", n)
	}
}

func TestTheFailurePolicyDecidesAboutLaterRequests(t *testing.T) {
	script := "request_headers: env BOOM; return 0\nrequest_body: panic"
	for _, tt := range []struct {
		name        string
		policy      FailurePolicy
		advance     time.Duration
		first, next Kind
	}{
		{"closed stays closed", FailClosed, time.Hour, Replied, Replied},
		{"reload makes a new VM", FailReload, 2 * time.Second, Replied, Forwarded},
		{"reload does not do so at once after a start", FailReload, 0, Replied, Replied},
		{"open lets pass", FailOpen, time.Hour, Forwarded, Forwarded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, script, func(c *Config) { c.FailurePolicy = tt.policy })
			s := r.send(false)
			s.SendBody(nil, true)
			wantKind(t, s, tt.first)
			r.clock.Advance(tt.advance)
			wantKind(t, r.get(), tt.next)
		})
	}
}

func TestWorkersShareNothingButSharedData(t *testing.T) {
	r := newRig(t, "request_headers: panic", func(c *Config) { c.Workers = 2 })
	wantKind(t, r.get(), Replied)
	if r.Dead(0) == nil || r.Dead(1) != nil {
		t.Errorf("dead: %v and %v, want the first alone", r.Dead(0), r.Dead(1))
	}
}

func TestReconfigureKeepsOldStreamsOnTheOldRoot(t *testing.T) {
	r := newRig(t, "request_headers: return 4\ndone: log 2 old; return 1\ndelete: log 2 gone\ntick: log 2 oldtick\nconfigure: quiet tick 1000; return 1")
	old := r.get()
	err := r.Reconfigure([]byte("request_headers: reply 200 -1 -\ndone: log 2 new; return 1"))
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, old, Pending)
	wantKind(t, r.get(), Replied)
	r.clear()
	r.clock.Advance(time.Second)
	r.wantLog("oldtick: ", "tick: log 2 oldtick -> 0") // the old root lives on
	old.Close()
	r.wantLog("old: ", "done: log 2 old -> 0", "gone: ", "delete: log 2 gone -> 0", // its stream
		"old: ", "done: log 2 old -> 0", "gone: ", "delete: log 2 gone -> 0") // and the root itself
	r.clock.Advance(time.Second)
	r.wantLog()
}

func TestARefusedReconfigurationChangesNothing(t *testing.T) {
	r := newRig(t, "request_headers: return 0")
	if err := r.Reconfigure([]byte("configure: return 0")); err == nil {
		t.Fatal("it was accepted")
	}
	wantKind(t, r.get(), Forwarded)
}

func TestARootThatAsksToWaitEndsWithDone(t *testing.T) {
	r := newRig(t, "done: return 0\ntick: done; done; quiet tick 0\nconfigure: quiet tick 1000; return 1\ndelete: log 2 gone")
	if err := r.Reconfigure([]byte("request_headers: return 0")); err != nil {
		t.Fatal(err)
	}
	r.clear()
	r.Tick()
	r.wantLog("tick: done -> 0", "tick: done -> 1", "gone: ", "delete: log 2 gone -> 0")
}

func TestTicksFollowTheClock(t *testing.T) {
	r := newRig(t, "configure: quiet tick 1000; return 1\ntick: now")
	r.clock.Advance(999 * time.Millisecond)
	r.wantLog()
	r.clock.Advance(2001 * time.Millisecond)
	r.wantLog("tick: now -> 0 2026-11-22T12:00:01Z", "tick: now -> 0 2026-11-22T12:00:02Z", "tick: now -> 0 2026-11-22T12:00:03Z")
}

func TestATickOfZeroStops(t *testing.T) {
	r := newRig(t, "configure: quiet tick 1; return 1\ntick: tick 0")
	r.clock.Advance(time.Second)
	r.Tick()
	r.wantLog("tick: tick 0 -> 0")
}

func TestARealClockTicks(t *testing.T) {
	ticked := make(chan string, 100)
	newRig(t, "configure: quiet tick 1; return 1\ntick: log 2 ticked; tick 0", func(c *Config) {
		c.Clock = nil
		c.Log = func(_ Level, line string) { ticked <- line }
	})
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line := <-ticked:
			if line == "ticked" {
				return
			}
		case <-deadline:
			t.Fatal("no tick")
		}
	}
}

func TestMemoryIsTheLinearMemorysSize(t *testing.T) {
	r := newRig(t, "request_headers: grow 32")
	before := r.MemoryBytes(0)
	r.get()
	if grown := r.MemoryBytes(0) - before; grown < 32<<20 {
		t.Errorf("32 MiB more in the guest show as %d bytes", grown)
	}
}
