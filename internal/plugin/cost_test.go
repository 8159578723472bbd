package plugin

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
)

// counting counts the host calls that a request could make.
type counting struct {
	*abitest.Host
	calls map[string]int
}

func (c counting) Now() time.Time {
	c.calls["now"]++
	return c.Host.Now()
}

func (c counting) Log(level abi.LogLevel, message string) {
	c.calls["log"]++
	c.Host.Log(level, message)
}

func (c counting) Metric(id uint32) (uint64, abi.Status) {
	c.calls["metric"]++
	return c.Host.Metric(id)
}

func (c counting) IncrementMetric(id uint32, offset int64) abi.Status {
	c.calls["increment metric"]++
	return c.Host.IncrementMetric(id, offset)
}

func (c counting) SharedData(key string) ([]byte, uint32, abi.Status) {
	c.calls["shared data"]++
	return c.Host.SharedData(key)
}

func (c counting) SetTick(d time.Duration) abi.Status {
	c.calls["tick"]++
	return c.Host.SetTick(d)
}

func (c counting) Property(path string) ([]byte, abi.Status) {
	c.calls["property"]++
	return c.Host.Property(path)
}

func (c counting) HeaderPairs(m abi.MapType) ([][2]string, abi.Status) {
	c.calls["header pairs"]++
	return c.Host.HeaderPairs(m)
}

func (c counting) HeaderValue(m abi.MapType, name string) (string, abi.Status) {
	c.calls["header value"]++
	return c.Host.HeaderValue(m, name)
}

// Each call across costs a microsecond or two. What a request with a session
// that is known costs is settled here; edits of its header come on top.
func TestARequestWithASessionMakesFewHostCalls(t *testing.T) {
	h, _ := abitest.New(t)
	c := counting{h, map[string]int{}}
	run, restore := abi.UseHost(c)
	defer restore()
	start(t, h, run, settings)
	run.Tick(1)
	for i := range 3 {
		clear(c.calls)
		id := uint32(10 + i)
		h.Maps[abi.RequestHeaders] = get("/page", signedIn(t))
		run.ContextCreate(id, 1)
		if action := run.RequestHeaders(id, 7, true); action != actionContinue {
			t.Fatalf("action %d, responses %v", action, h.Responses)
		}
		h.Maps[abi.ResponseHeaders] = [][2]string{{":status", "200"}}
		run.ResponseHeaders(id, 1, true)
		run.Delete(id)
	}
	want := map[string]int{"header pairs": 1, "header value": 1, "metric": 1}
	if diff := cmp.Diff(want, c.calls); diff != "" {
		t.Errorf("host calls (-want +got):\n%s", diff)
	}
}
