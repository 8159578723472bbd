package plugin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// reader notes what its body was, and answers 204.
type reader struct {
	times int
	body  string
	err   error
}

func (r *reader) then(body []byte, err error) (gate.Verdict, gate.Flow) {
	r.times, r.body, r.err = r.times+1, string(body), err
	return gate.Verdict{Respond: &gate.Respond{Status: 204, Reason: "read"}}, nil
}

// awaiting is stream 2, which waits for its body.
func awaiting(p *plugin, then func([]byte, error) (gate.Verdict, gate.Flow), end bool) (*stream, types.Action) {
	s := &stream{plugin: p, id: 2}
	return s, s.awaitBody(&httpmsg.Request{}, &gate.Body{Limit: 8, Then: then}, end)
}

func TestABodyIsReadWhereTheGateNeedsIt(t *testing.T) {
	h, p := plain(t)
	r := &reader{}
	s, action := awaiting(p, r.then, false)
	if action != abi.ActionAwaitBody || r.times != 0 || len(p.reading) != 1 {
		t.Fatalf("action %d, asked %d times, %d waiting", action, r.times, len(p.reading))
	}
	if s.OnHttpRequestBody(3, false) != types.ActionPause || r.times != 0 {
		t.Error("a part of the body was enough")
	}
	h.Buffers[abi.RequestBody] = []byte("12345678")
	if s.OnHttpRequestBody(8, true) != types.ActionPause {
		t.Error("the body passes")
	}
	if r.times != 1 || r.body != "12345678" || r.err != nil {
		t.Errorf("told %d times: %q, %v", r.times, r.body, r.err)
	}
	if len(h.Responses) != 1 || h.Responses[0].Status != 204 || len(h.Continued) != 0 || len(p.reading) != 0 {
		t.Errorf("answered %v, continued %v, %d waiting", h.Responses, h.Continued, len(p.reading))
	}
}

func TestABodyThatTrailersEndIsReadAsWell(t *testing.T) {
	h, p := plain(t)
	r := &reader{}
	s, _ := awaiting(p, r.then, false)
	h.Buffers[abi.RequestBody] = []byte("1234")
	s.OnHttpRequestBody(4, false)
	if s.OnHttpRequestTrailers(1) != types.ActionPause || r.times != 1 || r.body != "1234" {
		t.Errorf("told %d times: %q", r.times, r.body)
	}
}

func TestARequestWithoutABodyHasAnEmptyOne(t *testing.T) {
	h, p := plain(t)
	r := &reader{}
	_, action := awaiting(p, r.then, true)
	if action != types.ActionPause || r.times != 1 || r.body != "" || r.err != nil || len(h.Responses) != 1 {
		t.Errorf("action %d, told %d times: %q, %v", action, r.times, r.body, r.err)
	}
}

func TestABodyOverTheLimitIsNotAwaited(t *testing.T) {
	for name, size := range map[string]int{"that the gate sets": 9, "that we set": maxBody + 1} {
		t.Run(name, func(t *testing.T) {
			_, p := plain(t)
			r := &reader{}
			s, _ := awaiting(p, r.then, false)
			if size > maxBody {
				s.reading.body.Limit = 1 << 30
			}
			s.OnHttpRequestBody(size, false)
			s.OnHttpRequestBody(size+1, true)
			if r.times != 1 || !errors.Is(r.err, gate.ErrBodyTooLarge) {
				t.Errorf("told %d times: %v", r.times, r.err)
			}
		})
	}
}

func TestABodyThatDoesNotComeIsTheHostsFaultUntilOneCame(t *testing.T) {
	for name, test := range map[string]struct {
		came bool
		want error
	}{
		"a host that lets none through": {false, gate.ErrNoBody},
		"a client that takes its time":  {true, gate.ErrBodySlow},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := plain(t)
			if test.came {
				other, _ := awaiting(p, (&reader{}).then, false)
				other.OnHttpRequestBody(1, false)
				other.OnHttpStreamDone()
			}
			r := &reader{}
			s := &stream{plugin: p, id: 1} // a context that lives
			s.awaitBody(&httpmsg.Request{}, &gate.Body{Limit: 8, Then: r.then}, false)
			h.Time = h.Time.Add(bodyTime - time.Second)
			p.OnTick()
			if r.times != 0 {
				t.Fatal("told too early")
			}
			h.Time = h.Time.Add(time.Second)
			p.OnTick()
			p.OnTick()
			if r.times != 1 || !errors.Is(r.err, test.want) || len(h.Responses) != 1 || h.Responses[0].Stream != 1 {
				t.Errorf("told %d times: %v; answered %v", r.times, r.err, h.Responses)
			}
		})
	}
}

func TestWhatAskedForItsBodyNeverGoesOn(t *testing.T) {
	forward := gate.Verdict{Forward: &gate.Forward{}}
	for name, then := range map[string]func([]byte, error) (gate.Verdict, gate.Flow){
		"at once": func([]byte, error) (gate.Verdict, gate.Flow) { return forward, nil },
		"after a call": func([]byte, error) (gate.Verdict, gate.Flow) {
			return gate.Verdict{}, func(flow.Env) gate.Verdict { return forward }
		},
		"asking once more": func([]byte, error) (gate.Verdict, gate.Flow) {
			return gate.Verdict{Body: &gate.Body{}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := plain(t)
			s := &stream{plugin: p, id: 1}
			s.awaitBody(&httpmsg.Request{}, &gate.Body{Limit: 8, Then: then}, false)
			s.OnHttpRequestBody(0, true)
			if s.state != responded || len(h.Continued) != 0 || len(h.Responses) != 1 || h.Responses[0].Status != 503 {
				t.Errorf("state %d, continued %v, answered %v", s.state, h.Continued, h.Responses)
			}
		})
	}
}

func TestAFlowCannotAskForTheBodyAnyMore(t *testing.T) {
	h, p := plain(t)
	s := &stream{plugin: p, id: 1}
	s.run(&httpmsg.Request{}, func(flow.Env) gate.Verdict {
		return gate.Verdict{Body: &gate.Body{}, Forward: &gate.Forward{}}
	})
	if s.state != responded || len(h.Responses) != 1 || h.Responses[0].Status != 503 {
		t.Errorf("state %d, answered %v", s.state, h.Responses)
	}
}

func TestOfSoManyThatWaitForTheirBodiesTheLongestGivesWay(t *testing.T) {
	h, run := started(t, settings)
	p := NewVM().NewPluginContext(1).(*plugin)
	p.OnPluginStart(0)
	p.OnTick()
	p.bodies = true
	wait := func(id uint32) (*stream, *reader, types.Action) {
		h.Time = h.Time.Add(time.Millisecond)
		s, r := &stream{plugin: p, id: id}, &reader{}
		run.ContextCreate(id, 1)
		return s, r, s.awaitBody(&httpmsg.Request{}, &gate.Body{Limit: 8, Then: r.then}, false)
	}
	var slow []*reader
	for i := range uint32(maxReading) {
		_, r, _ := wait(100 + i)
		slow = append(slow, r)
	}
	s, r, action := wait(2)
	if action != abi.ActionAwaitBody || len(h.Responses) != 0 || h.Tick != nearTick {
		t.Errorf("action %d, answered %v, ticks of %s", action, h.Responses, h.Tick)
	}
	wait(3)
	h.Time = h.Time.Add(nearTick)
	p.OnTick()
	if len(p.reading) != maxReading || h.Tick == nearTick {
		t.Errorf("%d wait, ticks of %s", len(p.reading), h.Tick)
	}
	for i, r := range slow {
		if gone := i < 2; gone != (r.times == 1) || gone && !errors.Is(r.err, gate.ErrBodySlow) {
			t.Errorf("number %d was told %d times: %v", i, r.times, r.err)
		}
	}
	h.Buffers[abi.RequestBody] = []byte("1234")
	s.OnHttpRequestBody(4, true)
	if r.times != 1 || r.body != "1234" || r.err != nil {
		t.Errorf("the last but one was told %d times: %q, %v", r.times, r.body, r.err)
	}
}

func TestOnlySoManyWaitForTheirBodies(t *testing.T) {
	h, p := plain(t)
	r := &reader{}
	for i := range mostReading {
		p.reading[uint32(100+i)] = &stream{}
	}
	s, action := awaiting(p, r.then, false)
	if action != types.ActionPause || s.state != responded || h.Responses[0].Status != 503 {
		t.Errorf("action %d, answered %v", action, h.Responses)
	}
	s.OnHttpRequestBody(1, true)
	if r.times != 0 || len(h.Responses) != 1 {
		t.Error("it was read all the same")
	}
}

func TestAClientThatLeavesIsNotReadOn(t *testing.T) {
	h, p := plain(t)
	r := &reader{}
	s, _ := awaiting(p, r.then, false)
	s.OnHttpStreamDone()
	if len(p.reading) != 0 {
		t.Error("it still waits")
	}
	h.Time = h.Time.Add(time.Minute)
	p.OnTick()
	if r.times != 0 || len(h.Responses) != 0 {
		t.Errorf("told %d times, answered %v", r.times, h.Responses)
	}
}

func TestABodyThatTheHostDoesNotGiveDenies(t *testing.T) {
	h, p := plain(t)
	_, restore := abi.UseHost(bodyless{h})
	defer restore()
	r := &reader{}
	s, _ := awaiting(p, r.then, false)
	s.OnHttpRequestBody(1, true)
	if r.times != 0 || s.state != responded || len(p.reading) != 0 || !strings.Contains(strings.Join(h.Lines, "\n"), "proxy_get_buffer_bytes") {
		t.Errorf("told %d times, state %d, log %q", r.times, s.state, h.Lines)
	}
}

// bodyless is a host that fails to give a body.
type bodyless struct{ abi.Host }

func (bodyless) BufferBytes(abi.BufferType, int, int) ([]byte, abi.Status) {
	return nil, abi.StatusInternalFailure
}
