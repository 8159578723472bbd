package plugin

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/metric"
)

// maxAnswer is the largest answer to a call that is copied out of the host, in
// bytes, whatever the call allows.
const maxAnswer = 512 << 10

// tracing are the fields of a request that go along with the calls that are made
// for it, so that a provider's log and a trace have them in common. What a client
// says there is its own word, as it is to the application.
var tracing = []string{
	"x-request-id", "traceparent", "tracestate", "b3",
	"x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags",
}

// maxTracing bounds each of these, in bytes (W3C Trace Context, section 3.3.1.5,
// for the longest).
const maxTracing = 512

// traceOf is what goes along with the calls for a request: one field of each name.
// A client could send so many that the provider refuses the call, of which others
// wait for the answer, too.
func traceOf(r *httpmsg.Request) (trace httpmsg.Fields) {
	for _, f := range r.Header {
		if _, there := trace.Get(f.Name); !there && slices.Contains(tracing, f.Name) && traceable(f.Value) {
			trace = append(trace, httpmsg.Field{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)})
		}
	}
	if _, there := trace.Get(tracing[0]); !there {
		trace = append(trace, requestID())
	}
	return trace
}

// traceable reports whether a field may go along: no provider is to refuse a call
// for bytes that only some take in a field (RFC 9110, section 5.5).
func traceable(value string) bool {
	return len(value) <= maxTracing && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}

// requestID is one for calls that are made for no request (RFC 9562, section 5.4).
func requestID() httpmsg.Field {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return httpmsg.Field{Name: tracing[0], Value: h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]}
}

// called measures a call.
func (p *plugin) called(c *flow.Call, r *flow.Response, err error, took time.Duration) {
	outcome := "unavailable"
	switch {
	case errors.Is(err, flow.ErrNotSent):
		outcome = "not_sent"
	case err == nil && 100 <= r.Status && r.Status <= 599:
		outcome = string(rune('0'+r.Status/100)) + "xx"
	}
	step := strings.ReplaceAll(c.Step, " ", "_")
	p.meters.Add(metric.ProviderCalls, 1, c.Provider, step, outcome)
	if outcome != "not_sent" {
		p.meters.Record(metric.ProviderCallTime, uint64(max(0, took.Milliseconds())), c.Provider, step)
	}
}

// dispatch sends a flow's call. It fails with flow.ErrNotSent: what is
// wrong with a cluster is for the operator to see, in the log.
func dispatch(c flow.Call) (uint32, error) {
	header := make([][2]string, 0, 4+len(c.Header))
	header = append(header,
		[2]string{":method", c.Method}, [2]string{":scheme", c.Scheme},
		[2]string{":authority", c.Authority}, [2]string{":path", c.Path})
	for _, f := range c.Header {
		header = append(header, [2]string{f.Name, f.Value})
	}
	id, err := abi.DispatchCall(c.Cluster, header, c.Body, c.Timeout)
	if err != nil {
		abi.Log(abi.LevelError, "postern: no call through cluster "+strconv.Quote(c.Cluster)+": "+err.Error())
		return 0, flow.ErrNotSent
	}
	return id, nil
}

// OnHttpCallResponse implements abi.CallReceiver.
func (p *plugin) OnHttpCallResponse(id uint32, _, _, _ int) {
	p.exact()
	defer p.hastenTick()
	header, body, err := abi.CallResponse(maxAnswer)
	if err != nil {
		p.flows.Deliver(id, flow.Response{}, callError(err))
		return
	}
	r := flow.Response{Body: body}
	for _, f := range header {
		if f[0] == ":status" {
			r.Status, _ = strconv.Atoi(f[1])
			continue
		}
		r.Header = append(r.Header, httpmsg.Field{Name: f[0], Value: f[1]})
	}
	p.flows.Deliver(id, r, nil)
}

func callError(err error) error {
	if err == abi.ErrTooLarge {
		return flow.ErrTooLarge
	}
	return flow.ErrUnavailable
}
