package plugin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
	"github.com/postern-auth/postern/internal/gate"
)

// watching is a plugin with open streams that live contexts stand for.
func watching(t *testing.T, ids ...uint32) (*abitest.Host, abi.Callbacks, *plugin, map[uint32]*stream) {
	t.Helper()
	h, run := started(t, settings)
	p := NewVM().NewPluginContext(1).(*plugin)
	p.OnPluginStart(0)
	h.Maps[abi.RequestHeaders] = get("/page")
	streams := map[uint32]*stream{}
	for _, id := range ids {
		run.ContextCreate(id, 1)
		streams[id] = &stream{plugin: p, id: id}
		streams[id].carryOut(gate.Verdict{Forward: &gate.Forward{Watch: new(gate.Watch)}})
	}
	return h, run, p, streams
}

func TestAStreamWhoseSessionIsOverIsCutOnce(t *testing.T) {
	h, _, p, streams := watching(t, 2, 3)
	over := map[*gate.Watch]bool{}
	p.over = func(w *gate.Watch) bool { return over[w] }
	p.OnTick()
	if len(h.Closed) != 0 {
		t.Fatal("a stream whose session lives was cut")
	}
	over[streams[3].watch] = true
	p.OnTick()
	p.OnTick()
	if diff := cmp.Diff([]uint32{3}, h.Closed); diff != "" {
		t.Error(diff)
	}
	if h.Effective != p.id {
		t.Errorf("the effective context is %d", h.Effective)
	}
}

func TestAStreamThatHasEndedIsNotCut(t *testing.T) {
	h, run, p, streams := watching(t, 2, 3)
	asked := 0
	p.over = func(*gate.Watch) bool { asked++; return true }
	streams[2].OnHttpStreamDone()
	run.Delete(3) // the host knows before the stream does
	p.OnTick()
	if asked != 1 || len(h.Closed) != 0 || p.watched.first != nil {
		t.Errorf("asked %d times, cut %v, watched: %v", asked, h.Closed, p.watched.first)
	}
}

func TestOnlyStreamsThatWentOnAreWatched(t *testing.T) {
	_, p := plain(t)
	(&stream{plugin: p, id: 1}).carryOut(gate.Verdict{Respond: &gate.Respond{Status: 403}, Forward: &gate.Forward{Watch: &gate.Watch{}}})
	(&stream{plugin: p, id: 2}).carryOut(gate.Verdict{Forward: &gate.Forward{}})
	if p.watched.first != nil {
		t.Error("a stream is watched")
	}
}

func TestStreamsLeaveTheListInAnyOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}} {
		var l watchlist
		streams := []*stream{{id: 0}, {id: 1}, {id: 2}}
		for _, s := range streams {
			l.add(s, &gate.Watch{})
		}
		left := map[*stream]bool{streams[0]: true, streams[1]: true, streams[2]: true}
		for _, i := range order {
			l.remove(streams[i])
			l.remove(streams[i]) // a second time is nothing
			delete(left, streams[i])
			n := 0
			for s := l.first; s != nil; s = s.after {
				if !left[s] {
					t.Errorf("in the order %v stream %d is still there", order, s.id)
				}
				n++
			}
			if n != len(left) {
				t.Errorf("in the order %v there are %d streams, not %d", order, n, len(left))
			}
		}
	}
}
