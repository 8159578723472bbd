package gate

import (
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/session"
)

// A redirect to where somebody signs in loses what only the browser has: the
// fragment of the address that they wanted, and a form that they sent. Where it
// can be kept, a page comes in the redirect's place that has the browser keep it.

// keep answers a navigation that has to sign in by such a page, if there may be
// something to keep. A login with something of its own to bring is at the party;
// any other is where signIn would have it.
func (g *Gate) keep(q *request, p *party, step session.Step) (v Verdict, rest Flow, kept bool) {
	switch {
	case g.keepsForm(q):
		v, rest = g.keepForm(q, p, step)
		return v, rest, true
	case g.keepsFragment(q):
		return g.keepPage(q, p, step), nil, true
	}
	return Verdict{}, nil, false
}

// keepsFragment reports whether a request is one to whose address a fragment may
// belong: a browser says that it opens a document in a window of its own. What
// does not say so gets the redirect that it expects.
func (g *Gate) keepsFragment(q *request) bool {
	return g.settings.SignIn.KeepFragment && q.Method == "GET" && opensDocument(q) && says(q, "sec-fetch-mode", "navigate")
}

// opensDocument reports whether a browser says that it opens a document in a
// window, and not in a frame, where no page of ours is shown.
func opensDocument(q *request) bool { return says(q, "sec-fetch-dest", "document") }

func says(q *request, name, value string) bool {
	said, once := q.Header.Only(name)
	return once && said == value
}

// keepPage keeps the fragment, if there is one. Its status is that of somebody
// who is not signed in: a worker or a cache of the application would take 200 for
// the page that was asked for.
func (g *Gate) keepPage(q *request, p *party, step session.Step) Verdict {
	wanted := q.wanted()
	ways, err := g.waysTo(q, p, step, wanted, resuming(g.paths.resume, wanted))
	if err != nil {
		return g.internal(q)
	}
	body, header := g.pages.Keep(q.language(), page.KeepPage{Plain: ways[0], Kept: ways[1], Link: g.startURL(wanted)})
	return g.keeping(q, body, header, "keep_fragment")
}

// keeping is the answer of a page that has a browser keep something.
func (g *Gate) keeping(q *request, body []byte, header httpmsg.Fields, reason string) Verdict {
	header = append(header, g.challenges(q, &failure{})...)
	return Verdict{Respond: &Respond{Status: 401, Header: header, Body: body, Reason: reason}}
}

// waysTo are the addresses at which a login begins, to return to each of the given
// ones.
func (g *Gate) waysTo(q *request, p *party, step session.Step, addresses ...string) (ways []string, err error) {
	if p == nil && g.settings.SignIn.Page != "always" {
		p = g.choose(q, g.offered(q.need.Providers))
	}
	for _, rd := range addresses {
		way, err := g.wayTo(q, p, step, rd)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	return ways, nil
}

func (g *Gate) wayTo(q *request, p *party, step session.Step, rd string) (string, error) {
	if p == nil { // the person has to choose: no more than a redirect comes of that
		v, _ := g.signInTo(q, step, rd)
		way, _ := v.Respond.Header.Get("location")
		return way, nil
	}
	return g.sealedStart(session.Start{Return: rd, Provider: p.Name(), Step: step})
}
