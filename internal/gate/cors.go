package gate

import (
	"slices"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// foreignOrigin returns the site whose page sent a request, if the settings let
// its pages read our answers (Fetch, section 3.2).
func (g *Gate) foreignOrigin(q *request) (origin string, allowed bool) {
	if len(g.settings.CORS.Origins) == 0 {
		return "", false
	}
	origin, once := q.Header.Only("origin")
	return origin, once && slices.Contains(g.settings.CORS.Origins, origin)
}

// crossOrigin are the fields by which a page of another site may read an answer
// of ours. Whether it may is said per site, so that caches must tell them apart.
func (g *Gate) crossOrigin(q *request) httpmsg.Fields {
	if len(g.settings.CORS.Origins) == 0 {
		return nil
	}
	vary := httpmsg.Field{Name: "vary", Value: "origin"}
	origin, allowed := g.foreignOrigin(q)
	if !allowed {
		return httpmsg.Fields{vary}
	}
	return httpmsg.Fields{
		vary,
		{Name: "access-control-allow-origin", Value: origin},
		{Name: "access-control-allow-credentials", Value: "true"},
		{Name: "access-control-expose-headers", Value: "www-authenticate, dpop-nonce, retry-after"},
	}
}

// preflight reports whether a request asks on behalf of a page of another site
// whether it may send another one (Fetch, section 3.2.2).
func preflight(q *request) bool {
	if q.Method != "OPTIONS" {
		return false
	}
	_, asks := q.Header.Get("access-control-request-method")
	_, from := q.Header.Get("origin")
	return asks && from
}

// passesPreflight reports whether a preflight may go on to the application.
func (g *Gate) passesPreflight(q *request) bool {
	if !g.settings.CORS.ForwardPreflights || !preflight(q) || brings(q.Header) {
		return false
	}
	_, allowed := g.foreignOrigin(q)
	return allowed
}

// methodOverrides are fields by which frameworks take a request's method for
// another one.
var methodOverrides = httpmsg.NewNameSet([]string{"x-http-method-override", "x-method-override", "x-http-method"}, nil)

// brings reports whether a request has what no browser sends with a preflight
// (Fetch, section 4.8), and what the application could act on: credentials, a
// body, another method.
func brings(h httpmsg.Fields) bool {
	return slices.ContainsFunc(h, func(f httpmsg.Field) bool {
		switch f.Name {
		case "cookie", "authorization", "transfer-encoding":
			return true
		case "content-length":
			return f.Value != "0"
		}
		return methodOverrides.Has(f.Name)
	})
}

// answerPreflight answers a preflight for one of our own endpoints.
func (g *Gate) answerPreflight(q *request, methods string) (Verdict, bool) {
	if _, allowed := g.foreignOrigin(q); !allowed || !preflight(q) {
		return Verdict{}, false
	}
	header := append(httpmsg.Fields{
		{Name: "access-control-allow-methods", Value: methods},
		{Name: "access-control-allow-headers", Value: "authorization, dpop, x-requested-with"},
		{Name: "access-control-max-age", Value: "600"},
		{Name: "cache-control", Value: "no-store"},
	}, g.crossOrigin(q)...)
	return Verdict{Respond: &Respond{Status: 204, Header: header, Reason: "preflight"}}, true
}
