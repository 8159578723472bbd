package gate

import (
	"cmp"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/policy"
)

// failure is an answer that says no.
type failure struct {
	status     int
	reason     string // in snake_case, for the caller, the log and Envoy's details
	retry      string // where a person may try again; "" for nowhere
	retryAfter int    // seconds; 0 to say nothing
	other      string // where a person may choose another way to sign in; "" for nowhere
	final      bool   // trying again does not help

	code   string // the error code for whoever sent a token (RFC 6750, section 3.1); "" for none
	scope  string // the scopes that it takes
	acr    string // the levels of authentication that it takes (RFC 9470, section 3)
	maxAge int64  // and how old it may be, in seconds; 0 for any
	signIn bool   // a session would do: pages of scripts are told where one begins

	denial *policy.Denial // what is missing; nil where it is nothing of a rule's
	rule   string         // that demands it
	opened *opened        // whose session lacks it

	logged  string        // the reason for the log, where the caller is not told it
	cause   string        // what the reason comes of, in snake_case; "" where it says all
	figures []page.Figure // what was counted, for the page
}

// forLog is the reason as the log gives it.
func (f *failure) forLog() string {
	if f.logged != "" {
		return f.logged
	}
	return f.reason
}

// retryAfter is when we ask callers back while a provider is away, in seconds.
const retryAfter = 5

// fail answers with a page, or with a JSON problem (RFC 9457) where the caller
// is no person who opens a page. It logs nothing.
func (g *Gate) fail(q *request, f failure) Verdict {
	r := &Respond{Status: f.status, Reason: f.reason}
	switch {
	case httpmsg.GRPC(q.Request) && !g.forOurs(q):
		r = g.failGRPC(q, f)
	case f.denial != nil && httpmsg.Navigation(q.Request):
		r.Body, r.Header = g.deniedPage(q, &f)
	case httpmsg.Navigation(q.Request):
		r.Body, r.Header = g.pages.Error(q.language(), page.ErrorPage{Status: f.status, Reason: f.reason, RequestID: q.ID(), Retry: f.retry, Other: f.other,
			Cause: f.cause, Figures: f.figures,
		})
	default:
		p := page.ProblemDetails{
			Status: f.status, Reason: f.reason, RequestID: q.ID(), Cause: f.cause, Figures: f.figures,
			Rule: f.rule, Extra: g.signInExtra(q, &f),
		}
		if f.denial != nil {
			p.Missing = needsOf(f.denial.Missing)
		}
		r.Body, r.Header = page.Problem(p)
	}
	if f.status == 401 || f.code != "" {
		// RFC 9110, section 15.5.2: a 401 names a way to authenticate; RFC
		// 6750, section 3: without an error code where nothing was sent.
		r.Header = append(r.Header, g.challenges(q, &f)...)
	}
	r.Header = append(r.Header, g.crossOrigin(q)...)
	if f.retryAfter > 0 {
		r.Header = append(r.Header, httpmsg.Field{Name: "retry-after", Value: strconv.Itoa(f.retryAfter)})
	}
	return Verdict{Respond: r}
}

// forOurs reports whether a request is for an address of ours, understood or
// not. None of them speaks gRPC, whose refusals have the status 200: another
// proxy that asks by a subrequest hands on the content type of the request that
// it is about, and would take that status for a yes.
func (g *Gate) forOurs(q *request) bool {
	return g.paths.own(q.target.Path) || strings.HasPrefix(q.Target, g.paths.prefix)
}

// signInExtra tells a script where a person can sign in, to return to the page
// that it belongs to. Where a login was in vain, that has another name: scripts
// follow the first one unasked, and would do so in circles.
func (g *Gate) signInExtra(q *request, f *failure) map[string]string {
	name := "sign_in_url"
	switch {
	case !q.authority.ours:
		return nil
	case f.opened != nil && f.denial.Tried:
		name = "try_again_url"
	case !f.signIn:
		return nil
	}
	at := g.origin(q) + g.paths.start
	if from, once := q.Header.Only("referer"); once {
		if rd, err := g.ownReturn(q, from); err == nil {
			at += "?" + url.Values{"rd": {rd}}.Encode()
		}
	}
	return map[string]string{name: at}
}

// refuseLogin answers a login that cannot go on, and logs why. Where the page
// that was wanted is not known, trying again leads to the first one.
func (g *Gate) refuseLogin(q *request, f failure) Verdict {
	if f.retry == "" && !f.final {
		f.retry = g.startURL("/")
	}
	if len(g.parties) > 1 && !f.final {
		f.other = g.signInURL(q, cmp.Or(q.destination, "/"))
	}
	g.happened(Event{Event: EventLoginRefused, Reason: f.forLog(), Cause: f.cause, Provider: g.about(q), RequestID: q.ID()})
	return g.fail(q, f)
}

// providerRefused answers a login that a provider's answer, or the lack of
// one, brought to an end.
func (g *Gate) providerRefused(q *request, err error, rd string) Verdict {
	if errors.Is(err, flow.ErrCanceled) {
		return Verdict{} // nobody is there to be answered
	}
	g.failureOf(q.party.Provider, q.ID(), err)
	f := failure{status: 502, reason: oidc.Reason(err), retry: g.startURL(rd)}
	if oidc.Temporary(err) {
		f.status, f.retryAfter = 503, retryAfter
	}
	if f.status == 502 && (strings.HasPrefix(f.reason, "provider_") && !ourFault[f.reason] || strings.HasSuffix(f.reason, "_not_allowed")) {
		f.status = 403 // the provider understood and said no, or the person is none of ours
	}
	return g.refuseLogin(q, f)
}

// ourFault are the provider's errors that no person can cure: the settings and
// the client's registration do not fit together.
var ourFault = map[string]bool{
	"provider_invalid_client": true, "provider_unauthorized_client": true,
	"provider_unsupported_grant_type": true, "provider_invalid_scope": true,
}

func (g *Gate) failureOf(p *oidc.Provider, requestID string, err error) {
	e := Event{Event: EventProviderFailure, Reason: oidc.Reason(err), Provider: p.Name(), RequestID: requestID}
	var f *oidc.Failure
	if errors.As(err, &f) {
		e.Step = f.Step
	}
	g.happened(e)
}

// Busy answers a request that needs the network while too many others do.
func (g *Gate) Busy(r *httpmsg.Request) Verdict {
	g.tell(r, EventRequestRefused, "too_many_flows")
	return g.fail(&request{Request: r}, failure{status: 503, reason: "too_many_flows", retryAfter: retryAfter})
}

// unavailable answers a request for an endpoint of ours whose session cannot be
// renewed or looked up now, and may be soon: it is kept.
func (g *Gate) unavailable(q *request, o *outage) Verdict {
	g.tell(q.Request, EventRequestRefused, o.reason())
	return g.outageFailure(q, o)
}

func (g *Gate) outageFailure(q *request, o *outage) Verdict {
	wait := int((o.again.Sub(g.now()) + time.Second - 1) / time.Second)
	f := failure{status: 503, reason: o.reason(), retryAfter: max(1, wait)}
	if !strings.HasPrefix(q.target.Path, g.settings.PathPrefix+"/") { // a callback is for one use
		f.retry = q.wanted()
	}
	return g.fail(q, f)
}

func (g *Gate) internal(q *request) Verdict {
	g.tell(q.Request, EventRequestRefused, "internal")
	return g.fail(q, failure{status: 500, reason: "internal"})
}

// redirect sends a browser elsewhere. 303, so that it gets there by GET
// whatever it came with (RFC 9700, section 4.12).
func redirect(to, reason string, header httpmsg.Fields) Verdict {
	fields := append(httpmsg.Fields{
		{Name: "location", Value: to},
		{Name: "cache-control", Value: "no-store"},
		{Name: "referrer-policy", Value: "no-referrer"},
	}, header...)
	return Verdict{Respond: &Respond{Status: 303, Header: fields, Reason: reason}}
}
