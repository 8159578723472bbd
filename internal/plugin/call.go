package plugin

import (
	"strconv"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// maxAnswer is the largest answer to a call that is copied out of the host, in
// bytes, whatever the call allows.
const maxAnswer = 512 << 10

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
