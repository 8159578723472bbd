package plugin

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

func TestAShortWaitMakesTicksComeSooner(t *testing.T) {
	h, p := plain(t)
	p.OnTick()
	if h.Tick != tick {
		t.Fatalf("the tick is %s", h.Tick)
	}
	h.Time = h.Time.Add(900 * time.Millisecond) // the clock of the last tick is old
	var waited time.Duration
	s := &stream{plugin: p, id: 1}
	s.run(&httpmsg.Request{}, func(env flow.Env) gate.Verdict {
		began := h.Time
		if err := flow.Pause(env, 100*time.Millisecond); err != nil {
			t.Error(err)
		}
		waited = h.Time.Sub(began)
		return gate.Verdict{}
	})
	if h.Tick != nearTick {
		t.Fatalf("while a flow waits the tick is %s", h.Tick)
	}
	for range 8 {
		h.Time = h.Time.Add(nearTick)
		p.OnTick()
	}
	if waited != 100*time.Millisecond {
		t.Errorf("waited %s", waited)
	}
	if h.Tick != tick {
		t.Errorf("afterwards the tick is %s", h.Tick)
	}
}

func TestALongWaitLeavesTheTickUntilItsEndIsNear(t *testing.T) {
	h, p := plain(t)
	p.OnTick()
	s := &stream{plugin: p, id: 1}
	s.run(&httpmsg.Request{}, func(env flow.Env) gate.Verdict {
		_ = flow.Pause(env, 2500*time.Millisecond)
		return gate.Verdict{}
	})
	var ticks []time.Duration
	for range 3 {
		ticks = append(ticks, h.Tick)
		h.Time = h.Time.Add(h.Tick)
		p.OnTick()
	}
	if ticks[0] != tick || ticks[1] != tick || ticks[2] != nearTick {
		t.Errorf("ticks %v", ticks)
	}
}

func TestOnlyATickMakesTicksRarer(t *testing.T) {
	h, p := plain(t)
	p.OnTick()
	s := &stream{plugin: p, id: 1}
	s.run(&httpmsg.Request{}, func(env flow.Env) gate.Verdict {
		_ = flow.Pause(env, 50*time.Millisecond)
		return gate.Verdict{}
	})
	s.OnHttpStreamDone() // nothing waits any more
	(&stream{plugin: p, id: 1}).run(&httpmsg.Request{}, func(flow.Env) gate.Verdict { return gate.Verdict{} })
	if h.Tick != nearTick {
		t.Errorf("the tick is %s: each change begins it anew", h.Tick)
	}
	p.OnTick()
	if h.Tick != tick {
		t.Errorf("the tick is %s", h.Tick)
	}
}

func TestTheFirstTickIsNotPutOff(t *testing.T) {
	h, p := plain(t)
	(&stream{plugin: p, id: 1}).run(&httpmsg.Request{}, func(env flow.Env) gate.Verdict {
		_ = flow.Pause(env, 50*time.Millisecond)
		return gate.Verdict{}
	})
	if h.Tick != firstTick {
		t.Errorf("the tick is %s", h.Tick)
	}
}
