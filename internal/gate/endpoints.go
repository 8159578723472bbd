package gate

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// paths are the gate's own addresses.
type paths struct {
	prefix, signIn, start, callback, ticket, signOut, signedOut, auth, userinfo, jwks, frontchannel, backchannel, resume, form string
}

func newPaths(prefix string) paths {
	return paths{
		prefix: prefix, signIn: prefix + "/sign_in", start: prefix + "/start",
		callback: prefix + "/callback", ticket: prefix + "/ticket",
		signOut: prefix + "/sign_out", signedOut: prefix + "/signed_out", auth: prefix + "/auth", userinfo: prefix + "/userinfo", jwks: prefix + "/jwks",
		frontchannel: prefix + "/frontchannel_logout", backchannel: prefix + "/backchannel_logout",
		resume: prefix + "/resume", form: prefix + "/form",
	}
}

// own reports whether a path in normal form is the gate's: the prefix itself
// or anything below it.
func (p *paths) own(path string) bool {
	return strings.HasPrefix(path, p.prefix) && (len(path) == len(p.prefix) || path[len(p.prefix)] == '/')
}

// isAuth reports whether a path is the one that other proxies ask. Behind Envoy's
// ext_authz, and only there, it goes on with the path of the request that it is
// about: whoever writes a condition behind a longer path by mistake is told so.
func (g *Gate) isAuth(path string) bool {
	rest, ok := strings.CutPrefix(path, g.paths.auth)
	return ok && (rest == "" || rest[0] == '/' && g.settings.AuthRequest.Status == 200)
}

// serve answers a request for one of the gate's own endpoints.
func (g *Gate) serve(q *request) (Verdict, Flow) {
	if g.isAuth(q.target.Path) { // by whatever method the request has that it is about
		return g.serveAuth(q)
	}
	methods, answer := g.endpoint(q.target.Path)
	if answer != nil {
		if v, ok := g.answerPreflight(q, methods); ok {
			return v, nil
		}
	}
	switch {
	case answer == nil:
		return g.fail(q, failure{status: 404, reason: "no_such_endpoint"}), nil
	case !slices.Contains(strings.Split(methods, ", "), q.Method):
		return g.wrongMethod(q, methods), nil
	}
	return answer(q)
}

// endpoint returns what answers at a path, and to which methods; nil where the
// path is none of an endpoint. What uses something up answers no HEAD.
func (g *Gate) endpoint(path string) (methods string, answer func(*request) (Verdict, Flow)) {
	const read = "GET, HEAD"
	switch path {
	case g.paths.start:
		return read, g.serveStart
	case g.paths.callback:
		return g.callbackMethods(), g.serveCallback
	case g.paths.ticket:
		return "GET", g.serveTicket
	case g.paths.signIn:
		return read, g.serveSignIn
	case g.paths.userinfo:
		return read, g.serveUserinfo
	case g.paths.jwks:
		return read, g.serveJWKS
	case g.paths.signOut:
		return read + ", POST", g.serveSignOut
	case g.paths.signedOut:
		return read, g.serveSignedOut
	case g.paths.frontchannel:
		return "GET", g.serveFrontchannelLogout
	case g.paths.backchannel:
		return "POST", g.serveBackchannelLogout
	case g.paths.form:
		return "POST", g.serveForm
	}
	if answer := g.resumes(path); answer != nil {
		return read, answer
	}
	if name, ok := strings.CutPrefix(path, g.paths.callback+"/"); ok {
		if p := g.partyNamed(name); p != nil && p.Settings().OwnCallback {
			return g.callbackMethods(), g.serveCallback
		}
	}
	return "", nil
}

// callbackMethods are the methods by which providers answer.
func (g *Gate) callbackMethods() string {
	if g.posted {
		return "GET, POST"
	}
	return "GET"
}

func (g *Gate) wrongMethod(q *request, allow string) Verdict {
	v := g.fail(q, failure{status: 405, reason: "method_not_allowed"})
	v.Respond.Header = append(v.Respond.Header, httpmsg.Field{Name: "allow", Value: allow})
	return v
}

// returnParameter reads the address that a browser wants to be sent to, from
// the rd parameter, or, without one, from a trusted peer. Where there is none,
// or where it is not safe, it is "/".
func (g *Gate) returnParameter(q *request) (rd string, given bool) {
	values, err := url.ParseQuery(q.target.Query)
	if err != nil || len(values["rd"]) == 0 {
		return g.wantedOf(q), false
	}
	rd, err = g.ownReturn(q, values.Get("rd"))
	if err != nil || len(values["rd"]) > 1 {
		g.tell(q.Request, EventRequestRefused, "return_address")
		return "/", true
	}
	return rd, true
}

// ownReturn checks a return address. One on the request's own host comes back
// as a path.
func (g *Gate) ownReturn(q *request, address string) (string, error) {
	rd, err := httpmsg.ReturnURL(address, g.allowsReturn)
	if err != nil {
		return "", err
	}
	if path, own := strings.CutPrefix(rd, g.origin(q)+"/"); own {
		rd = "/" + path
	}
	// Into endpoints of ours, here or on another of our hosts, would loop, or
	// sign out whoever signs in.
	if normal, err := httpmsg.NormalPath(pathOf(g.paths.application(rd))); err != nil || g.paths.own(normal) {
		return "/", nil
	}
	return rd, nil
}

// pathOf is the path of a return address that was checked.
func pathOf(address string) string {
	if _, rest, absolute := strings.Cut(address, "://"); absolute && address[0] != '/' {
		address = rest[strings.IndexByte(rest, '/'):]
	}
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		return address[:end]
	}
	return address
}

// returnTo checks an address that we sealed ourselves once more: the settings
// may know fewer hosts by now, or another gate with the same keys more.
func (g *Gate) returnTo(q *request, address string) string {
	if to, err := g.ownReturn(q, address); err == nil {
		return to
	}
	return "/"
}

// startURL is the address that begins a login, to return to rd: on the host that
// will have the session.
func (g *Gate) startURL(rd string) string {
	origin := ""
	if g.tickets() && !strings.HasPrefix(rd, "/") {
		origin, rd = g.splitReturn(rd)
	}
	return origin + g.paths.start + "?" + url.Values{"rd": {rd}}.Encode()
}

// serveUserinfo tells a signed-in browser who it is: the claims that the
// settings give a name, never what is known for rules alone, and never a token.
func (g *Gate) serveUserinfo(q *request) (Verdict, Flow) {
	return g.withSession(q, func(o *opened, err error) (Verdict, Flow) {
		out := outageOf(err)
		switch {
		case out != nil:
			return g.unavailable(q, out), nil
		case o == nil:
			return g.withClearedCookies(q, g.fail(q, failure{status: 401, reason: "no_session", retry: g.startURL("/")}), err), nil
		}
		claims := maps.Clone(o.session.Claims)
		maps.DeleteFunc(claims, func(name string, _ session.Claim) bool { return o.party.Settings().Claims[name] == "" })
		body, err := json.Marshal(claims)
		if err != nil {
			return g.internal(q), nil
		}
		header := httpmsg.Fields{
			{Name: "content-type", Value: "application/json"},
			{Name: "cache-control", Value: "no-store"},
			{Name: "x-content-type-options", Value: "nosniff"},
		}
		return Verdict{Respond: &Respond{Status: 200, Header: append(append(header, g.crossOrigin(q)...), g.freshCookies(q, o)...), Body: body, Reason: "userinfo"}}, nil
	})
}
