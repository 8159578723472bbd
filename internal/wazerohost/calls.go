package wazerohost

import (
	"slices"
	"strconv"
	"time"
)

// Call is a call that the module dispatched to a cluster. A scripted one waits
// for Reply, TimeOut or Reset; the first of them counts.
type Call struct {
	Worker   int
	Token    uint32
	Cluster  string
	Headers  [][2]string
	Body     []byte
	Trailers [][2]string
	Timeout  time.Duration

	root      *rootContext
	finished  bool // loop only
	stopTimer func()
	cancel    func() // of a transport
}

// callAnswer is what a callback can read.
type callAnswer struct {
	headers  *headerMap
	trailers *headerMap
	body     []byte
}

// Header is the call's first value under a name.
func (c *Call) Header(name string) string {
	return (&headerMap{pairs: c.Headers}).value(name)
}

// dispatch checks a call as Envoy does and starts it.
func (r *rootContext) dispatch(c *Call) status {
	h := r.vm.host
	cluster, ok := h.cluster(c.Cluster)
	request := newHeaderMap(c.Headers)
	for _, name := range []string{":method", ":path", ":authority"} {
		if request.value(name) == "" {
			ok = false
		}
	}
	switch {
	case !ok || r.gone:
		return statusBadArgument
	case cluster.Down:
		return statusInternalFailure // inline, and no callback follows
	}
	if len(c.Body) > 0 {
		request.set("content-length", strconv.Itoa(len(c.Body)))
	}
	c.Headers = request.pairs
	c.Token = r.newToken()
	r.calls[c.Token] = c
	if r.vm.canary {
		h.misuse("http call to " + c.Cluster + " from the canary")
		return statusOK // cancelled when the canary is thrown away
	}
	c.Worker = r.vm.worker
	c.armTimeout()
	if cluster.Transport != nil || cluster.Address != "" {
		c.send(cluster)
	} else {
		h.addPending(c)
	}
	return statusOK
}

// newToken counts per plugin; tokens in use are passed over.
func (r *rootContext) newToken() uint32 {
	for r.nextToken == 0 || r.calls[r.nextToken] != nil {
		r.nextToken++
	}
	r.nextToken++
	return r.nextToken - 1
}

func (c *Call) armTimeout() {
	if c.Timeout <= 0 {
		return
	}
	c.stopTimer = c.root.vm.host.cfg.Clock.AfterFunc(c.Timeout, c.TimeOut)
}

// Reply answers the call. The status becomes the :status field.
func (c *Call) Reply(status int, headers [][2]string, body []byte) {
	c.ReplyWithTrailers(status, headers, body, nil)
}

// ReplyWithTrailers is Reply with trailers behind the body. A body beyond the
// host's limit resets the call.
func (c *Call) ReplyWithTrailers(status int, headers [][2]string, body []byte, trailers [][2]string) {
	if len(body) > c.root.vm.host.cfg.MaxResponseBytes {
		c.Reset()
		return
	}
	m := newHeaderMap(slices.Concat([][2]string{{":status", strconv.Itoa(status)}}, headers))
	c.complete(&callAnswer{headers: m, body: body, trailers: newHeaderMap(trailers)}, "")
}

// TimeOut answers as Envoy's router does when the call took too long.
func (c *Call) TimeOut() { c.replyText(504, "upstream request timeout") }

// replyText is an answer that Envoy makes up.
func (c *Call) replyText(status int, text string) {
	c.Reply(status, [][2]string{
		{"content-length", strconv.Itoa(len(text))}, {"content-type", "text/plain"},
	}, []byte(text))
}

// Reset ends the call without an answer: the callback has no headers.
func (c *Call) Reset() { c.complete(nil, "reset") }

// complete delivers an answer on the worker and waits until the module has seen
// it.
func (c *Call) complete(a *callAnswer, message string) {
	c.root.vm.loop.do(func() { c.deliver(a, message) })
}

// deliver calls the plugin context, even when the stream that asked is gone.
func (c *Call) deliver(a *callAnswer, message string) {
	if c.finished {
		return
	}
	c.abandon()
	r := c.root
	if r.gone {
		return
	}
	r.answer, r.statusMsg = a, message
	if a == nil {
		r.vm.enter(r.moduleContext, "proxy_on_http_call_response", c.Token, 0, 0, 0)
	} else {
		r.vm.enter(r.moduleContext, "proxy_on_http_call_response", c.Token,
			uint32(a.headers.size()), uint32(len(a.body)), uint32(a.trailers.size()))
	}
	r.answer, r.statusMsg = nil, ""
	delete(r.calls, c.Token)
}

// abandon drops a call that nobody waits for any more.
func (c *Call) abandon() {
	c.finished = true
	if c.stopTimer != nil {
		c.stopTimer()
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.root.vm.host.removePending(c)
}
