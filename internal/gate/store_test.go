package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
)

const withRedis = `,"store":{"webdis":{"cluster":"webdis"}}`

// readings answers all calls that read the journal with the entries given, the
// newest first, and returns how many there were.
func (w *world) readings(entries ...string) (n int) {
	for i := 0; i < len(w.calls); i++ {
		c := w.calls[i]
		if c.Cluster != "webdis" || !strings.HasPrefix(string(c.Body), "LRANGE/") {
			continue
		}
		_, mark, _ := strings.Cut(c.Path, "jsonp=")
		list := "[]"
		if len(entries) > 0 {
			list = `["` + strings.Join(entries, `","`) + `"]`
		}
		w.forget(c)
		c.worker.flows.Deliver(c.id, flow.Response{Status: 200, Body: []byte(mark + `({"LRANGE":` + list + `});`)}, nil)
		i, n = -1, n+1
	}
	return n
}

func TestAStoreThatLostWhatItKnewIsToldOfOnce(t *testing.T) {
	w := newWorld(t, 1, parts{session: withRedis})
	k := w.workers[0]
	entry, err := k.sealFor(k.store.journal(), make([]byte, 8))
	if err != nil {
		t.Fatal(err)
	}
	w.readings(entry)
	for range 10 {
		w.advance(time.Second)
		w.readings()
	}
	if n := w.counted(EventStoreGap, ""); n != 1 {
		t.Errorf("told %d times", n)
	}
}
