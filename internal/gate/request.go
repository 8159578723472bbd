package gate

import (
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// request is a request whose target, authority and cookies are understood.
type request struct {
	*httpmsg.Request
	authority
	target    httpmsg.Target
	cookies   cookies
	began     time.Time
	renewed   []string // the session's new cookies, for the browser
	trusted   *bool    // see Gate.trusted; nil until it is asked
	party     *party   // the one that it is about, as far as that is known; else nil
	waited    bool     // its session was waited for, so that its body is not to be had
	refused   error    // … and this is what came of that; nil for a session
	spoofed   []string // names of fields that the application is not to see
	oneMethod bool     // no field may name another one
	need      policy.Need
	who       who // whom the decision was about; neither where there was none

	destination string // where a login leads to, as far as that is known
}

// authority is an authority that was understood. Most requests come with the
// one that the last request came with.
type authority struct {
	text       string
	host, port string
	ours       bool // it is in the settings' hosts
}

// cookies are a request's cookies, read in one pass: a session's are long, and
// every look at them costs.
type cookies struct {
	session  session.Reader
	binding  string
	bindings int    // how many cookies of the binding's name came
	need     string // what a subrequest found missing
	needs    int
	choice   string // the provider that was chosen before
	choices  int
	rest     string // the application's, as one field value
	ours     bool   // some were ours, so that only the rest goes on
}

func (g *Gate) readCookies(f httpmsg.Fields) (c cookies) {
	c.session = g.jar.Reader()
	c.rest, c.ours = httpmsg.WithoutCookies(f, func(name, value string) bool {
		if name == g.bindingName() {
			c.binding, c.bindings = value, c.bindings+1
			return true
		}
		if name == g.needName() {
			c.need, c.needs = value, c.needs+1
			return true
		}
		if name == g.choiceName() {
			c.choice, c.choices = value, c.choices+1
			return true
		}
		return c.session.Take(name, value)
	})
	return c
}

// read understands a request, or says why not.
func (g *Gate) read(r *httpmsg.Request) (q request, reason string) {
	q.Request, q.began, q.cookies = r, g.now(), g.readCookies(r.Header)
	switch {
	case r.Method == "CONNECT":
		return q, "connect"
	case methodFlaw(r.Method):
		return q, "method_ambiguous"
	}
	var err error
	if q.target, err = httpmsg.ParseTarget(r.Target); err != nil {
		return q, "target_" + reasonOf(err)
	}
	if r.Authority == "" || r.Authority != g.authority.text {
		host, port, err := httpmsg.ParseAuthority(r.Authority)
		if err != nil {
			return q, "authority_" + reasonOf(err)
		}
		text := strings.Clone(r.Authority)
		g.authority = authority{text, strings.Clone(host), strings.Clone(port), g.settings.AllowsHost(host, port)}
	}
	q.authority = g.authority
	g.look(&q)
	return q, ""
}

func reasonOf(err error) string {
	switch e := err.(type) {
	case *httpmsg.TargetError:
		return e.Reason
	case *httpmsg.AuthorityError:
		return e.Reason
	}
	return "refused"
}

// language is what the browser says of its reader's languages.
func (q *request) language() string {
	accept, _ := q.Header.Get("accept-language")
	return accept
}

// look looks at each field of a request once, and notes which of them the
// application is not to see, because it might believe them, and whether one may
// name another method.
func (g *Gate) look(q *request) {
	q.oneMethod = true
	for i := range q.Header {
		switch name := q.Header[i].Name; {
		case !g.notable.Has(name):
		case g.strip.Has(name), rewriting.Has(name) && !g.trusted(q):
			q.spoofed = append(q.spoofed, name)
		case !rewriting.Has(name):
			q.oneMethod = false
		}
	}
}
