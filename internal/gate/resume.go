package gate

import (
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
)

// Somebody for whom something was kept returns, once they are signed in, to an
// address of ours that ends in the one that they wanted: <prefix>/resume, or
// <prefix>/form, and the path and query behind it. So it is cut like any other
// where it is too long, and it names what the login is for.

// behind returns the address of the application that an address of ours resumes,
// or "" for any other address. None resumes an address of ours: that would lead
// in circles, or sign out whoever signs in.
func (p *paths) behind(address string) string {
	for _, resumes := range [...]string{p.resume, p.form} {
		to, ok := strings.CutPrefix(address, resumes)
		if normal, err := httpmsg.NormalPath(pathOf(to)); ok && err == nil && !p.own(normal) {
			return to
		}
	}
	return ""
}

// resuming is the address of ours that resumes one of the application's, as much
// of it as a return address may hold.
func resuming(ours, address string) string {
	for _, shorter := range [...]string{address, pathOf(address)} {
		if len(ours)+len(shorter) <= httpmsg.MaxReturn {
			return ours + shorter
		}
	}
	return ours + "/"
}

// application is a return address, of this host or another, without our own before
// it.
func (p *paths) application(address string) string {
	origin := originIn(address)
	if to := p.behind(address[len(origin):]); to != "" {
		return origin + to
	}
	return address
}

// originIn is the origin that an address begins with, or "".
func originIn(address string) string {
	if strings.HasPrefix(address, "/") || !strings.Contains(address, "://") {
		return ""
	}
	return originOf(address)
}

// resumes is what answers at a path that resumes another one; nil for any other.
func (g *Gate) resumes(path string) func(*request) (Verdict, Flow) {
	switch {
	case strings.HasPrefix(path, g.paths.resume+"/"):
		return g.serveResume
	case strings.HasPrefix(path, g.paths.form+"/"):
		return g.serveKeptForm
	}
	return nil
}

// serveResume leads on to the address that was wanted, with what the browser kept
// of it. It needs no session: there is nothing here but an address that came from
// the browser.
func (g *Gate) serveResume(q *request) (Verdict, Flow) {
	to, err := g.ownReturn(q, g.paths.behind(q.Target))
	if err != nil {
		g.tell(q.Request, EventRequestRefused, "return_address")
		to = "/"
	}
	body, header := g.pages.Resume(q.language(), page.ResumePage{URL: to})
	return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "resume"}}, nil
}
