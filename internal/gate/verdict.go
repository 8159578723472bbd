package gate

import (
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Verdict is what is to happen to a request: it goes on, or it is answered
// here. The zero Verdict denies.
type Verdict struct {
	Forward *Forward
	Respond *Respond
}

// Forward lets a request go on to the application.
type Forward struct {
	Remove []string       // header fields to take out, first
	Set    httpmsg.Fields // header fields to put in, replacing all of the name; without control characters
	Cookie *string        // what is left of the cookies, where ours were among them; "" for none
}

// Respond answers a request in the application's place.
type Respond struct {
	Status int
	Header httpmsg.Fields
	Body   []byte
	Reason string // in snake_case, for Envoy's response code details
	GRPC   int    // gRPC status, where the caller speaks gRPC; else 0
}

// Flow is the rest of a request's way where that needs the network.
type Flow func(flow.Env) Verdict
