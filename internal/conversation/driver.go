package conversation

import (
	"errors"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// Driver plays scripts on one kind of gate.
type Driver interface {
	Name() string
	// Start begins a gate. Settings that it refuses are an error.
	Start(Setup) (Gate, error)
	// Close ends what gates share.
	Close() error
}

// Setup is what a gate begins with.
type Setup struct {
	Settings []byte
	// Auto answers a call that the script leaves to the provider, or says that
	// the script answers it. It may be called from any goroutine.
	Auto func(Call) (Reply, bool)
	// Log is told of every line that the gate logs. It may be called from any
	// goroutine.
	Log func(string)
	Now time.Time // what a clock that can be set shows at first

	Workers  int  // of each gate; they share what the workers of one Envoy share
	Replicas int  // gates with the same settings that share nothing
	NoBodies bool // the host lets no request's body through

	Direction string // inbound or outbound; "" where the listener does not say
}

// single reports whether the set-up is what one Envoy with one worker is.
func (s *Setup) single() bool {
	return s.Workers <= 1 && s.Replicas <= 1 && !s.NoBodies && s.Direction == ""
}

// Gate is one gate under test. It is used from one goroutine.
type Gate interface {
	// Send sends a request and returns once the gate has seen it, or before.
	Send(Request) (Exchange, error)
	// Waiting returns the calls that wait for an answer. It waits for as many as
	// are named, where they may still come.
	Waiting(many int) ([]*Call, error)
	// Calls returns how many calls wait at this moment.
	Calls() int
	// Reply answers a call.
	Reply(*Call, Reply) error
	// HandBack answers calls that wait and that Auto now answers.
	HandBack()
	// Application sets what the application answers from now on.
	Application(Reply)
	// Provider says whether any host of a provider is healthy: of the one that is
	// reached through the cluster, or of all for "".
	Provider(cluster string, up bool) error
	// Now is the gate's time.
	Now() time.Time
	// Advance lets time pass.
	Advance(time.Duration) error
	// Settle returns once everything that was logged so far has reached Log.
	Settle() error
	// Stop ends the gate. It returns what the gate did that no gate should.
	Stop() error
}

// Exchange is a request under way.
type Exchange interface {
	// Done reports whether there is an answer.
	Done() bool
	// Outcome is what became of the request. It waits for an answer where one
	// may still come.
	Outcome() (Outcome, error)
	// Leave ends the request from the browser's side. It returns once the gate
	// knows.
	Leave() error
	// Open reports whether the application's answer, which does not end by
	// itself, has not been cut so far.
	Open() bool
	// Cut waits for the gate to cut it. That it does not is an error.
	Cut() error
}

var errNotCut = errors.New("the stream is still open")

var errNoAnswer = errors.New("there is no answer: the request waits")

// waitFor lets the time of a clock that can be set pass until something has
// happened, as a real clock does by itself.
func waitFor(g Gate, happened func() bool) error {
	for waited := time.Duration(0); waited < answerLimit && !happened(); waited += waitStep {
		if err := g.Advance(waitStep); err != nil {
			return err
		}
	}
	return nil
}

const (
	waitStep    = 100 * time.Millisecond
	answerLimit = 20 * time.Second // for whatever should come at once
)

// Request is a request as a browser sends it.
type Request struct {
	Method    string
	Authority string
	Target    string
	Header    httpmsg.Fields
	Body      string

	Peer            *Peer // nil for nobody in particular
	Replica, Worker int   // who serves it, from 0
	Stream          bool  // the application's answer stays open
}

// Outcome is what became of a request.
type Outcome struct {
	Forwarded *Forwarded // what the application received; nil if nothing
	Status    int
	Reason    string // the gate's, for its own answers
	Header    httpmsg.Fields
	Body      string
}

// Forwarded is a request as the application received it.
type Forwarded struct {
	Method, Authority, Target string
	Header                    httpmsg.Fields
}

// Call is a request that the gate makes to its provider.
type Call struct {
	Method, URL string
	Header      httpmsg.Fields
	Body        string

	handle any // the driver's
}

// Reply is an answer of the provider or of the application.
type Reply struct {
	Status int
	Header httpmsg.Fields
	Body   string
	Never  bool // no answer in time
	Cut    bool // the connection is closed instead
}

// What Envoy answers in the place of a server that does not.
var (
	replyTimeout = Reply{Status: 504, Body: "upstream request timeout",
		Header: httpmsg.Fields{{Name: "content-type", Value: "text/plain"}}}
	replyCut = Reply{Status: 503, Body: "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
		Header: httpmsg.Fields{{Name: "content-type", Value: "text/plain"}}}
)

// reason takes the gate's own word out of Envoy's response code details.
func reason(details string) string {
	_, own, ok := strings.Cut(details, "postern_")
	if !ok {
		return ""
	}
	return strings.TrimRight(own, "}_")
}
