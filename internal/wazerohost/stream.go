package wazerohost

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Kind is what has become of a request.
type Kind int

const (
	// Pending waits for the module.
	Pending Kind = iota
	// Forwarded went on to the application.
	Forwarded
	// Replied was answered by the filter, or by the host in its stead.
	Replied
	// Reset was cut.
	Reset
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"pending", "forwarded", "replied", "reset"}[k]
}

// Outcome is where a stream stands.
type Outcome struct {
	Kind    Kind
	Status  int         // of a reply
	Headers [][2]string // the request as forwarded, or the reply's fields without :status
	Body    []byte      // of a reply, or of the request as far as it was forwarded
	Details string      // response code details of a reply
	// WasForwarded tells a reply that came after the request had gone on.
	WasForwarded bool
}

// Header is the outcome's first value under a name.
func (o Outcome) Header(name string) string {
	return (&headerMap{pairs: o.Headers}).value(name)
}

// Values are all values under a name, in order.
func (o Outcome) Values(name string) []string { return values(o.Headers, name) }

func values(pairs [][2]string, name string) []string {
	var found []string
	for _, p := range pairs {
		if strings.EqualFold(p[0], name) {
			found = append(found, p[1])
		}
	}
	return found
}

// Response is what the client has been sent.
type Response struct {
	Status   int
	Headers  [][2]string
	Body     []byte
	Trailers [][2]string
	Started  bool
	Complete bool
}

// Values are all values under a name, in order.
func (r Response) Values(name string) []string { return values(r.Headers, name) }

// Stream is one request with its response. Its exported methods may be called
// from any goroutine but the worker's own.
type Stream struct {
	host   *Host
	worker *worker
	vm     *vm
	root   *rootContext
	ctx    *moduleContext // nil where no VM serves

	request, response direction
	protocol          string
	peer              Peer
	filterState       map[string][]byte

	replyQueued bool // send_local_response was called
	replied     bool
	closing     bool // close_stream was called
	gone        bool // ended, one way or another
	failed      bool // the VM died under it

	mu       sync.Mutex
	cond     *sync.Cond
	wasReset bool   // under mu
	isReply  bool   // under mu
	reason   string // under mu
	holding  bool   // under mu: the request is stopped as a whole
}

func (w *worker) newStream() *Stream {
	s := &Stream{host: w.host, worker: w, protocol: "HTTP/1.1"}
	s.cond = sync.NewCond(&s.mu)
	for _, d := range []*direction{&s.request, &s.response} {
		d.s, d.out = s, &message{mu: &s.mu, cond: s.cond}
	}
	s.response.response = true
	return s
}

// ID is the module's number for the stream.
func (s *Stream) ID() uint32 {
	if s.ctx == nil {
		return 0
	}
	return s.ctx.id
}

// Outcome tells where the stream stands now.
func (s *Stream) Outcome() Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outcome()
}

func (s *Stream) outcome() Outcome {
	up, down := s.request.out, s.response.out
	switch {
	case s.wasReset:
		return Outcome{Kind: Reset, WasForwarded: up.started}
	case s.isReply && down.ended:
		status, headers := splitStatus(down.headers)
		return Outcome{Kind: Replied, Status: status, Headers: headers,
			Body: slices.Clone(down.body), Details: s.reason, WasForwarded: up.started}
	case up.started && !s.isReply:
		return Outcome{Kind: Forwarded, Headers: slices.Clone(up.headers),
			Body: slices.Clone(up.body), WasForwarded: true}
	}
	return Outcome{Kind: Pending, WasForwarded: up.started}
}

func splitStatus(pairs [][2]string) (int, [][2]string) {
	status, _ := strconv.Atoi((&headerMap{pairs: pairs}).value(":status"))
	return status, slices.DeleteFunc(slices.Clone(pairs), func(p [2]string) bool { return p[0] == ":status" })
}

// Wait blocks until the stream is no longer pending, or the context ends.
func (s *Stream) Wait(ctx context.Context) Outcome {
	stop := context.AfterFunc(ctx, s.cond.Broadcast)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.outcome().Kind == Pending && ctx.Err() == nil {
		s.cond.Wait()
	}
	return s.outcome()
}

// Response is what the client has got so far.
func (s *Stream) Response() Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.response.out
	status, headers := splitStatus(m.headers)
	return Response{Status: status, Headers: headers, Body: slices.Clone(m.body),
		Trailers: slices.Clone(m.trailers), Started: m.started, Complete: m.ended}
}

// RequestComplete tells whether the whole request went on to the application.
func (s *Stream) RequestComplete() bool { return s.request.out.isEnded() }

// SendBody is the client's next part of the request body.
func (s *Stream) SendBody(part []byte, end bool) {
	s.do(&s.request, func(d *direction) { d.data(slices.Clone(part), end) })
}

// SendTrailers ends the request with trailers.
func (s *Stream) SendTrailers(trailers [][2]string) {
	s.do(&s.request, func(d *direction) { d.finish(newHeaderMap(trailers)) })
}

// Respond is the application's response headers; they include :status.
func (s *Stream) Respond(headers [][2]string, end bool) {
	s.do(&s.response, func(d *direction) {
		if d.phase == phaseIdle {
			d.start(newHeaderMap(headers), end)
		}
	})
}

// RespondBody is the application's next part of the response body.
func (s *Stream) RespondBody(part []byte, end bool) {
	s.do(&s.response, func(d *direction) { d.data(slices.Clone(part), end) })
}

// RespondTrailers ends the response with trailers.
func (s *Stream) RespondTrailers(trailers [][2]string) {
	s.do(&s.response, func(d *direction) { d.finish(newHeaderMap(trailers)) })
}

// Close is the client going away.
func (s *Stream) Close() { s.worker.loop.do(s.end) }

// do runs a step of the direction on the loop, unless the stream is over for it.
func (s *Stream) do(d *direction, step func(*direction)) {
	s.worker.loop.do(func() {
		if s.gone || s.replied { // a reply leaves no room for either side's message
			return
		}
		step(d)
		s.noteHolding()
	})
}

// noteHolding tells the reader of the client's body whether to go on.
func (s *Stream) noteHolding() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = s.request.phase == phaseStoppedAll
	s.cond.Broadcast()
}
