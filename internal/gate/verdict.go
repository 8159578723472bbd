package gate

import (
	"errors"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Verdict is what is to happen to a request: it goes on, it is answered here,
// or its body has to be read first. The zero Verdict denies.
type Verdict struct {
	Forward *Forward
	Respond *Respond
	Body    *Body
	Note    *Note // for the host's access log; nil for nothing
}

// Note is what a host's access log may want to know of a decision.
type Note struct {
	Rule string // the rule that the request fell under; "" for an endpoint of ours
	User string // whom the application is told of; "" for nobody
}

// Body is the rest of a request's way where that needs the request's body.
type Body struct {
	Limit int // bytes
	// Then is told the body, or why there is none: ErrBodyTooLarge, ErrBodySlow
	// or ErrNoBody. What it decides never forwards the request.
	Then func(body []byte, err error) (Verdict, Flow)
}

// Reasons for a body that could not be read.
var (
	// ErrBodyTooLarge says that the body is longer than the limit.
	ErrBodyTooLarge = errors.New("gate: body too large")
	// ErrBodySlow says that the body did not come in time.
	ErrBodySlow = errors.New("gate: body did not come in time")
	// ErrNoBody says that the host does not let bodies through to us.
	ErrNoBody = errors.New("gate: host lets no body through")
)

// Forward lets a request go on to the application.
type Forward struct {
	Remove []string // header fields to take out, first
	// Set are header fields to put in, without control characters. What the
	// request had of a name goes; fields of one name that follow each other are
	// all put in.
	Set    httpmsg.Fields
	Plain  bool    // nothing else about the request and its answer is ours
	Cookie *string // what is left of the cookies, where ours were among them; "" for none

	// Response makes Set-Cookie fields for the application's own answer. It is
	// asked once, when that answer is there; nil for none.
	Response func() httpmsg.Fields
	// Watch is what ends the stream while it is open; nil for nothing.
	Watch *Watch
}

// Respond answers a request in the application's place.
type Respond struct {
	Status int
	Header httpmsg.Fields
	Body   []byte
	Reason string // in snake_case, for Envoy's response code details
	GRPC   int    // gRPC status, where the caller speaks gRPC; else 0, and Status counts whatever the caller speaks
}

// Flow is the rest of a request's way where that needs the network.
type Flow func(flow.Env) Verdict
