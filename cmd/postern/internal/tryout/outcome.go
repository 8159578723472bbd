package tryout

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/gate"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// Kinds of outcomes, beside the status of an answer that says no.
const (
	Pass   = "pass"    // the application gets the request
	Login  = "login"   // a browser is sent to sign in
	StepUp = "step_up" // a browser is sent to sign in anew, for what its session lacks
	Own    = "own"     // an endpoint of the gate's answers
)

// Unmatched stands for the rule of a request that none matches, as in the log.
const Unmatched = gate.NoRule

// Outcome is what becomes of a request.
type Outcome struct {
	Kind   string `json:"outcome"` // one of the kinds, or a status such as "403"
	Status int    `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	Rule   string `json:"rule,omitempty"` // that decided, or Unmatched; "" where none was looked at

	SigningIn bool `json:"signing_in,omitempty"` // nobody got as far as the request: this is what became of the login

	Asked     *Asked   `json:"asked,omitempty"`     // of the provider, of Login and StepUp
	Again     *Outcome `json:"again,omitempty"`     // of StepUp: what becomes of it if the provider then says the same
	Challenge []string `json:"challenge,omitempty"` // www-authenticate
	GRPC      int      `json:"grpc_status,omitempty"`

	Headers []Header `json:"headers,omitempty"` // that the application is given, of Pass, or that the answer carries
	Removed []string `json:"removed,omitempty"` // that it is not given, although the request has them

	// Answered says that another proxy asked, and that its request may pass: then
	// this is Own, and Rule is the one of the request that it asked about.
	Answered bool `json:"answered,omitempty"`

	// Observed says that the request passes only because of insecure_observe, and
	// Without what became of it otherwise.
	Observed bool     `json:"observed,omitempty"`
	Without  *Outcome `json:"without_observe,omitempty"`

	Seen gate.Explanation `json:"-"`
}

// Asked is what a provider is asked for.
type Asked struct {
	Page     bool     `json:"sign_in_page,omitempty"` // the person is asked first
	Provider string   `json:"provider,omitempty"`
	Scopes   []string `json:"scopes,omitempty"` // beside the settings' ones
	ACR      []string `json:"acr_values,omitempty"`
	MaxAge   string   `json:"max_age,omitempty"` // seconds
	Prompt   string   `json:"prompt,omitempty"`
}

// Header is a header field that the application is given.
type Header struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden,omitempty"` // the value only says what is there
}

// outcomeOf reads a verdict, and what was logged about it.
func (w *world) outcomeOf(v gate.Verdict) *Outcome {
	o := &Outcome{}
	for _, e := range w.events {
		if e.Rule != "" {
			o.Rule = e.Rule
		}
		if e.Reason != "" {
			o.Reason = e.Reason
		}
		o.Observed = o.Observed || e.Event == gate.EventAccessObserved
	}
	switch {
	case v.Forward != nil:
		o.Kind = Pass
		o.Headers, o.Removed = w.headers(v.Forward.Set), v.Forward.Remove
	case v.Respond != nil:
		w.answered(o, v.Respond)
	default: // it reads the request's body first
		o.Kind = Own
	}
	return o
}

func (w *world) answered(o *Outcome, r *gate.Respond) {
	o.Kind, o.Status, o.GRPC = strconv.Itoa(r.Status), r.Status, r.GRPC
	if o.Reason == "" {
		o.Reason = r.Reason
	}
	for _, f := range r.Header {
		if f.Name == "www-authenticate" {
			o.Challenge = append(o.Challenge, f.Value)
		}
	}
}

// headers are header fields without the tokens among them.
func (w *world) headers(set httpmsg.Fields) (headers []Header) {
	for _, f := range set {
		h := Header{Name: f.Name, Value: f.Value}
		switch token, assertion := w.gate.Secret(f.Name); {
		case token, f.Name == "authorization":
			h.Value, h.Hidden = "the access token", true
			if scheme, _, two := strings.Cut(f.Value, " "); two {
				h.Value = scheme + " and the access token"
			}
		case assertion:
			h.Value, h.Hidden = "a signed assertion", true
		}
		headers = append(headers, h)
	}
	return headers
}

// examine adds what the gate sees in a request before it decides.
func (w *world) examine(o *Outcome, r *httpmsg.Request) {
	if slices.ContainsFunc(w.events, func(e gate.Event) bool { return e.Event == gate.EventTokenRefused }) {
		r = withoutToken(r) // it makes nobody known
	}
	o.Seen = w.gate.Explain(r)
	if !o.Seen.Own {
		return
	}
	o.Kind = Own
	if len(o.Seen.Readings) == 0 {
		o.Rule = ""
	}
}

// answer adds what another proxy is told of a request that may pass, but for what
// makes that answer one that nobody keeps.
func (w *world) answer(o *Outcome, r *gate.Respond) {
	if o.Answered = o.Seen.Asked && r != nil && r.Status == w.settings.AuthRequest.Status; !o.Answered {
		return
	}
	var told httpmsg.Fields
	for _, f := range r.Header {
		switch f.Name {
		case "cache-control":
		case "set-cookie":
			name, _, _ := strings.Cut(f.Value, "=")
			o.Headers = append(o.Headers, Header{f.Name, "the cookie " + name, true})
		case "x-envoy-auth-headers-to-remove":
			o.Removed = strings.Split(f.Value, ",")
		default:
			told = append(told, f)
		}
	}
	o.Headers = append(w.headers(told), o.Headers...)
}

func withoutToken(r *httpmsg.Request) *httpmsg.Request {
	without := *r
	without.Header = slices.DeleteFunc(slices.Clone(r.Header), func(f httpmsg.Field) bool { return f.Name == "authorization" })
	return &without
}

// follow goes where a browser is sent, up to the provider, to see what that is
// asked for; and, where it is a step up, past it and back.
func (w *world) follow(o *Outcome, c *Case, b *browser, v gate.Verdict) error {
	o.Kind, o.Status = StepUp, 0
	if o.Reason == gate.ReasonNoSession {
		o.Kind = Login
	}
	here := &url.URL{Scheme: c.URL.Scheme, Host: c.URL.Authority, Path: "/"}
	b.take(c.URL.Host(), v.Respond.Header)
	location, _ := v.Respond.Header.Get("location")
	to, err := here.Parse(location)
	if err != nil {
		return err
	}
	last, asked, err := w.open(b, to, o.Kind == StepUp)
	if err != nil {
		return err
	}
	o.Asked = askedBy(asked, last)
	if o.Kind == Login || asked == nil {
		return nil
	}
	if last.Respond != nil && last.Respond.Status >= 400 {
		o.Again = w.outcomeOf(last)
		o.Again.SigningIn = true
		return nil
	}
	o.Again, err = w.ask(c, b)
	return err
}

// ask puts a request to the gate again.
func (w *world) ask(c *Case, b *browser) (*Outcome, error) {
	w.events = nil
	v, err := w.handle(b.dress(c))
	if err != nil {
		return nil, err
	}
	o := w.outcomeOf(v)
	if o.Status == 303 {
		o.Kind, o.Status = StepUp, 0
	}
	return o, nil
}

// askedBy reads an authentication request (OpenID Connect Core, section 3.1.2.1).
// There is none where the person is asked first.
func askedBy(i *inquiry, last gate.Verdict) *Asked {
	if i == nil {
		if last.Respond != nil && last.Respond.Reason == "sign_in_page" {
			return &Asked{Page: true}
		}
		return nil
	}
	q := i.query
	a := &Asked{
		Provider: i.provider.Name, ACR: strings.Fields(q.Get("acr_values")), MaxAge: q.Get("max_age"), Prompt: q.Get("prompt"),
	}
	for _, scope := range strings.Fields(q.Get("scope")) {
		if !slices.Contains(i.provider.Scopes, scope) {
			a.Scopes = append(a.Scopes, scope)
		}
	}
	return a
}
