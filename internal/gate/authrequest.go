package gate

import (
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// demands are what a subrequest demands beside a session or a token, in its
// query, as oauth2-proxy's and EasyAuth's users write it: one of each list.
type demands struct {
	groups, emails, domains []string
	roles, scopes           [][]string
}

// readDemands reads a subrequest's query. A parameter that is not known is
// refused: a restriction that nobody enforces is none.
func readDemands(query string) (d demands, reason string) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return d, "query_malformed"
	}
	for name, given := range values {
		switch name {
		case "allowed_groups":
			d.groups = listed(given)
		case "allowed_emails":
			d.emails = listed(given)
		case "allowed_email_domains":
			d.domains = listed(given)
		case "role":
			d.roles = alternatives(given)
		case "scope":
			d.scopes = alternatives(given)
			if slices.ContainsFunc(d.scopes, func(some []string) bool { return slices.ContainsFunc(some, noScope) }) {
				return d, "scope_malformed"
			}
		default:
			return d, "parameter_unknown"
		}
	}
	return d, ""
}

// listed reads lists that are separated by commas. One that was given and is
// empty is not nil: nobody is in it.
func listed(given []string) []string {
	all := []string{}
	for _, one := range given {
		for _, word := range strings.Split(one, ",") {
			if word = strings.TrimSpace(word); word != "" {
				all = append(all, word)
			}
		}
	}
	return all
}

// alternatives reads values with a bar between what may stand for each other.
func alternatives(given []string) (all [][]string) {
	for _, one := range given {
		all = append(all, strings.Split(one, "|"))
	}
	return all
}

// noScope reports whether a word is none of RFC 6749, section 3.3. Scopes that
// are missing are repeated in a challenge, and asked for at the provider.
func noScope(s string) bool {
	return s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
}

// lacks returns why the demands are not met, or "". Where scopes are all that is
// missing, they are returned too.
func (d *demands) lacks(claims map[string]session.Claim, granted []string) (reason string, scopes []string) {
	email := lower(claims["email"].First())
	switch {
	case d.groups != nil && !anyOf(d.groups, claims["groups"].Values):
		return "group_missing", nil
	case d.emails != nil && !slices.ContainsFunc(d.emails, func(e string) bool { return email != "" && lower(e) == email }):
		return "email_not_allowed", nil
	case d.domains != nil && !inDomain(d.domains, email):
		return "email_domain_not_allowed", nil
	}
	for _, roles := range d.roles {
		if !anyOf(roles, claims["roles"].Values) {
			return "role_missing", nil
		}
	}
	for _, some := range d.scopes {
		if !anyOf(some, granted) {
			scopes = append(scopes, some[0])
		}
	}
	if scopes != nil {
		return "scope_missing", scopes
	}
	return "", nil
}

func anyOf(wanted, have []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return w != "" && slices.Contains(have, w) })
}

// lower returns a text with the letters of ASCII in lower case, and leaves all
// others: a Kelvin sign in lower case would be a k.
func lower(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + ('a' - 'A')
		}
		return c
	}, s)
}

// inDomain reports whether an address, in lower case, is in one of the domains;
// ".example.com" and "*.example.com" stand for those below it. An address with
// several at signs is in none: readers differ about where its domain begins.
func inDomain(domains []string, email string) bool {
	local, domain, ok := strings.Cut(email, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") {
		return false
	}
	return slices.ContainsFunc(domains, func(d string) bool {
		d = lower(strings.TrimPrefix(d, "*"))
		if strings.HasPrefix(d, ".") {
			return strings.HasSuffix(domain, d) && len(domain) > len(d)
		}
		return d == "" || domain == d // "" was "*"
	})
}

// serveAuth answers another proxy's subrequest: by a status, without a redirect.
// Behind Envoy's ext_authz the path of the request itself follows, and its query
// is the application's.
func (g *Gate) serveAuth(q *request) (Verdict, Flow) {
	g.trusted(q) // now that it can be told: a flow may want to know
	var d demands
	if q.target.Path == g.paths.auth {
		var reason string
		if d, reason = readDemands(q.target.Query); reason != "" {
			g.tell(q.Request, EventRequestRefused, reason)
			return g.fail(q, failure{status: 400, reason: reason}), nil
		}
	}
	if g.tokens != nil {
		cred, err := bearer.Read(q.Header, "")
		if err != nil {
			return g.refuseToken(q, err), nil
		}
		if cred.Token != "" {
			return g.withToken(q, cred, func(t *bearer.Caller, err error) (Verdict, Flow) {
				return g.answerForToken(q, &d, t, err), nil
			})
		}
	}
	o, err := g.open(q)
	several := o != nil && q.cookies.session.Sent(1)
	switch {
	case several && !g.waits(o, err, true):
		return g.answerForSession(q, &d, o, err), nil
	case several && o.due(g.now()):
		return g.curable(q, "renewal_needed", session.Need{Renew: true}), nil
	case !g.waits(o, err, false):
		return g.answerForSession(q, &d, o, err), nil
	}
	return Verdict{}, g.afterWait(q, o, err, false, func(o *opened, err error) (Verdict, Flow) {
		return g.answerForSession(q, &d, o, err), nil
	})
}

// answerForToken answers a subrequest that brings a token.
func (g *Gate) answerForToken(q *request, d *demands, t *bearer.Caller, err error) Verdict {
	if err != nil {
		return g.refuseToken(q, err)
	}
	reason, scopes := d.lacks(t.Claims, t.Token.Scopes)
	switch {
	case scopes != nil:
		g.tell(q.Request, EventRequestRefused, reason)
		return g.fail(q, failure{status: 403, reason: reason, code: bearer.InsufficientScope, scope: strings.Join(scopes, " ")})
	case reason != "":
		return g.forbidden(q, reason)
	}
	var spent []string
	if !g.forwardsToken {
		spent = []string{"authorization", "dpop"}
	}
	return g.authorized(t.Identity, nil, spent...) // the caller has the token already
}

// answerForSession answers a subrequest that brings a session or nothing.
func (g *Gate) answerForSession(q *request, d *demands, o *opened, err error) Verdict {
	if out := outageOf(err); out != nil {
		return g.unavailable(q, out)
	}
	if o == nil {
		return g.fail(q, failure{status: 401, reason: "no_session", retry: g.startURL(g.wantedOf(q)), signIn: true})
	}
	reason, scopes := d.lacks(o.session.Claims, g.granted(o.session))
	switch {
	case scopes != nil && !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(o.session.Asked.Scopes, s) }):
		return g.curable(q, reason, session.Need{Step: session.Step{Scopes: scopes}})
	case reason != "":
		return g.forbidden(q, reason)
	case len(q.renewed) > 1:
		// The proxy in front hands on one cookie of an answer.
		return g.curable(q, "renewal_needed", session.Need{Renew: true})
	}
	var cookies httpmsg.Fields
	if !q.cookies.session.Sent(1) {
		cookies = g.freshCookies(q, o)
	}
	if len(cookies) > 1 {
		cookies = nil
	}
	return g.authorized(g.presentable(q, o.identity), cookies)
}

// authorized lets a request pass that another proxy asks about. Envoy's
// ext_authz, unlike nginx with a configuration of ours, hands on what the client
// claims to be wherever the answer says nothing: it is told what to take out,
// and what of the request is spent.
func (g *Gate) authorized(identity, cookies httpmsg.Fields, spent ...string) Verdict {
	header := httpmsg.Fields{{Name: "cache-control", Value: "no-store"}}
	if g.settings.AuthRequest.Status == 200 {
		names := append(g.untold(identity), spent...)
		header = append(header, httpmsg.Field{Name: "x-envoy-auth-headers-to-remove", Value: strings.Join(names, ",")})
	}
	header = append(append(header, identity...), cookies...)
	return Verdict{Respond: &Respond{Status: g.settings.AuthRequest.Status, Header: header, Reason: "authorized"}}
}

// untold are the names of the fields that are ours to set, and not in an
// identity.
func (g *Gate) untold(identity httpmsg.Fields) []string {
	return slices.DeleteFunc(slices.Clone(g.tells), func(name string) bool {
		return slices.ContainsFunc(identity, func(f httpmsg.Field) bool { return f.Name == name })
	})
}

// presentable is what of an identity may be shown to whoever asks: only a trusted
// peer is given a session's access token, because a page's script, which is not
// to have it, can ask as well.
func (g *Gate) presentable(q *request, identity httpmsg.Fields) (shown httpmsg.Fields) {
	if len(g.settings.Forward.AccessToken) == 0 || g.trusted(q) {
		return identity
	}
	for _, f := range identity {
		if !slices.Contains(g.settings.Forward.AccessToken, f.Name) {
			shown = append(shown, f)
		}
	}
	return shown
}

// forbidden is a no that no login can cure.
func (g *Gate) forbidden(q *request, reason string) Verdict {
	g.tell(q.Request, EventRequestRefused, reason)
	return g.fail(q, failure{status: 403, reason: reason})
}

// curable is a no that another visit to where logins begin can cure: what it
// takes is in a cookie, because the proxy in front makes the address.
func (g *Gate) curable(q *request, reason string, n session.Need) Verdict {
	n.Made = g.now().Unix()
	sealed, err := g.keys.SealNeed(n)
	if err != nil {
		return g.internal(q)
	}
	v := g.fail(q, failure{status: 401, reason: reason, retry: g.startURL(g.wantedOf(q)), signIn: true})
	v.Respond.Header = append(v.Respond.Header, g.setNeed(sealed, session.NeedLifetime))
	return v
}

// wantedOf is where the browser behind a subrequest wanted to go, if that is
// known.
func (g *Gate) wantedOf(q *request) string {
	if rd, err := g.ownReturn(q, g.originalAddress(q)); err == nil {
		return rd
	}
	return "/"
}

// takeNeed returns what a subrequest found missing, and the field that clears
// the cookie that said so.
func (g *Gate) takeNeed(q *request) (n session.Need, clear httpmsg.Fields) {
	if q.cookies.need == "" {
		return n, nil
	}
	clear = httpmsg.Fields{g.setNeed("", -1)}
	n, err := g.keys.OpenNeed(q.cookies.need, g.now())
	if err != nil || q.cookies.needs != 1 {
		return session.Need{}, clear
	}
	return n, clear
}

// renewAndReturn renews the session that a browser brings and sends it back,
// with all its cookies; a session that cannot be renewed begins anew.
func (g *Gate) renewAndReturn(q *request, rd string, clear httpmsg.Fields, begin func() (Verdict, Flow)) (Verdict, Flow) {
	return g.withSession(q, func(o *opened, err error) (Verdict, Flow) {
		out := outageOf(err)
		switch {
		case out != nil:
			return g.unavailable(q, out), nil
		case o == nil:
			return begin()
		}
		return redirect(rd, "session_renewed", append(g.freshCookies(q, o), clear...)), nil
	})
}
