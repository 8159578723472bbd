package gate

import (
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/bearer"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/policy"
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

// requirement is what the demands come to.
func (d *demands) requirement() config.Require {
	r := config.Require{Groups: d.groups, Emails: d.emails, EmailDomains: d.domains}
	for _, roles := range d.roles {
		r.All = append(r.All, config.Require{Roles: roles})
	}
	for _, scopes := range d.scopes {
		one := config.Require{Scopes: scopes}
		if len(scopes) > 1 {
			one = config.Require{}
			for _, scope := range scopes {
				one.Any = append(one.Any, config.Require{Scopes: []string{scope}})
			}
		}
		r.All = append(r.All, one)
	}
	return r
}

// serveAuth answers another proxy's subrequest: by a status, without a redirect.
// Behind Envoy's ext_authz the path of the request itself follows, and its query
// is the application's.
func (g *Gate) serveAuth(q *request) (Verdict, Flow) {
	g.trusted(q) // now that it can be told: a flow may want to know
	if reason := g.findNeedBehind(q); reason != "" {
		g.tell(q.Request, EventRequestRefused, reason)
		return g.fail(q, failure{status: 403, reason: reason}), nil
	}
	if reason := g.demand(q); reason != "" {
		g.tell(q.Request, EventRequestRefused, reason)
		return g.fail(q, failure{status: 400, reason: reason}), nil
	}
	if q.need.Tokens {
		cred, err := bearer.Read(q.Header, "")
		if err != nil {
			return g.authToken(q, nil, err)
		}
		if cred.Token != "" {
			return g.withToken(q, cred, func(t *bearer.Caller, err error) (Verdict, Flow) { return g.authToken(q, t, err) })
		}
	}
	if q.need.NoCookie {
		return g.authSession(q, nil, nil)
	}
	o, err := g.open(q)
	several := o != nil && q.cookies.session.Sent(1)
	switch {
	case several && !g.waits(o, err, true):
		return g.authSession(q, o, err)
	case several && o.due(g.now()):
		return g.renewElsewhere(q, who{}), nil
	case !g.waits(o, err, q.open()):
		return g.authSession(q, o, err)
	}
	return Verdict{}, g.afterWait(q, o, err, q.open(), func(o *opened, err error) (Verdict, Flow) {
		return g.authSession(q, o, err)
	})
}

// demand adds what a subrequest demands itself, or says why that cannot be told.
func (g *Gate) demand(q *request) (reason string) {
	if q.target.Path != g.paths.auth {
		return "" // the query is the application's
	}
	d, reason := readDemands(q.target.Query)
	if reason == "" {
		q.need = q.need.Demand(d.requirement())
	}
	return reason
}

// findNeedBehind finds what the request must bring that another proxy asks about,
// or says why that cannot be told.
func (g *Gate) findNeedBehind(q *request) (reason string) {
	if !g.settings.AuthRequest.Rules {
		q.need.Tokens = g.tokens != nil
		return ""
	}
	if !g.trusted(q) {
		return "peer_not_trusted"
	}
	methods, addresses, once := g.askedAbout(q)
	if !once {
		return "header_repeated"
	}
	for i, address := range addresses {
		for j, method := range methods {
			need, reason := g.needBehind(q, method, address)
			if reason != "" {
				return reason
			}
			if i+j > 0 {
				need = q.need.And(need)
			}
			q.need = need
		}
	}
	return ""
}

// needBehind finds what a request must bring that another proxy names.
func (g *Gate) needBehind(q *request, method, address string) (need policy.Need, reason string) {
	r, reason := g.requestBehind(q, method, address)
	if reason != "" {
		return need, reason
	}
	need, err := g.rules.Need(r)
	if err != nil {
		return need, unclear(err)
	}
	return need, ""
}

// requestBehind reads a request that another proxy names.
func (g *Gate) requestBehind(q *request, method, address string) (r policy.Request, reason string) {
	if methodFlaw(method) || method == "CONNECT" {
		return r, "method_ambiguous"
	}
	r = policy.Request{Host: q.host, Port: q.port, Method: method, Header: q.Header}
	if _, rest, absolute := strings.Cut(address, "://"); absolute {
		host, path, _ := strings.Cut(rest, "/")
		var err error
		if r.Host, r.Port, err = httpmsg.ParseAuthority(host); err != nil {
			return r, "original_address_" + reasonOf(err)
		}
		if !g.settings.AllowsHost(r.Host, r.Port) {
			return r, "original_host_not_allowed"
		}
		address = "/" + path
	}
	target, err := httpmsg.ParseTarget(address)
	if err != nil {
		return r, "original_target_" + reasonOf(err)
	}
	r.Path = target.Path
	return r, ""
}

// authToken answers a subrequest that brings a token.
func (g *Gate) authToken(q *request, t *bearer.Caller, err error) (Verdict, Flow) {
	if err != nil {
		return g.noBehind(q, who{}, EventTokenRefused, tokenReason(err), func() Verdict { return g.tokenFailure(q, err) })
	}
	w := who{caller: t}
	if d := q.need.Check(&t.Subject, g.now(), g.providers[t.Provider].Leeway()); d != nil {
		return g.noBehind(q, w, EventAccessDenied, d.Reason, func() Verdict { return g.fail(q, tokenLacks(q.need.Rule, d)) })
	}
	return g.yesBehind(q, w, nil), nil
}

// authSession answers a subrequest that brings a session or nothing.
func (g *Gate) authSession(q *request, o *opened, err error) (Verdict, Flow) {
	w := who{opened: o}
	switch out := outageOf(err); {
	case o == nil && q.open():
		return g.yesBehind(q, w, nil), nil
	case out != nil:
		return g.noBehind(q, w, EventRequestRefused, out.reason(), func() Verdict { return g.outageFailure(q, out) })
	case o == nil:
		f := g.anonymous(q)
		if f.signIn {
			f.retry = g.startURL(g.wantedOf(q))
		}
		return g.noBehind(q, w, EventAccessDenied, f.reason, func() Verdict { return g.fail(q, f) })
	}
	if d := q.need.Check(&o.subject, g.now(), o.party.Leeway()); d != nil {
		return g.noBehind(q, w, EventAccessDenied, d.Reason, func() Verdict { return g.lacksBehind(q, o, d) })
	}
	if len(q.renewed) > 1 {
		return g.renewElsewhere(q, w), nil
	}
	var cookies httpmsg.Fields
	if !q.cookies.session.Sent(1) {
		cookies = g.freshCookies(q, o)
	}
	if len(cookies) > 1 {
		cookies = nil
	}
	return g.yesBehind(q, w, cookies), nil
}

// renewElsewhere answers a subrequest whose session takes several new cookies: the
// proxy in front hands on one cookie of an answer. What passes in any case
// passes as w meanwhile; the cookies that are replaced are good for that long.
func (g *Gate) renewElsewhere(q *request, w who) Verdict {
	if q.open() || q.need.Observe {
		return g.yesBehind(q, w, nil)
	}
	return g.curable(q, failure{status: 401, reason: "renewal_needed"}, session.Need{Renew: true})
}

// lacksBehind answers a subrequest whose session is good, and not good enough.
// The proxy in front sends to sign in on 401 only.
func (g *Gate) lacksBehind(q *request, o *opened, d *policy.Denial) Verdict {
	if d.Cure != nil && !q.need.NoSignIn {
		return g.curable(q, failure{status: 401, reason: d.Reason}, session.Need{Step: *d.Cure})
	}
	return g.fail(q, failure{status: 403, reason: d.Reason, denial: d, opened: o, rule: q.need.Rule})
}

// yesBehind answers that a request may pass, and who sent it.
func (g *Gate) yesBehind(q *request, w who, cookies httpmsg.Fields) Verdict {
	if g.settings.Log.Decisions == "all" {
		g.decided(q, EventAccessAllowed, "", w)
	}
	switch {
	case w.caller != nil:
		var spent []string
		if !g.tellings.of(q.need.Forward).takesAuthorization() {
			spent = []string{"authorization", "dpop"}
		}
		identity := g.callerIdentity(w.caller, q.need.Forward, q)
		return g.authorized(g.presentable(q, identity, g.tellings.signed), nil, spent...) // the caller has the token already
	case w.opened != nil:
		identity := g.identityFor(w.opened, q.need.Forward, q)
		return g.authorized(g.presentable(q, identity, g.tellings.secret), cookies)
	case q.need.Pass:
		return g.authorized(anonymousFields, nil)
	}
	return g.authorized(nil, nil)
}

// noBehind is no, for a request that another proxy asks about.
func (g *Gate) noBehind(q *request, w who, event, reason string, answer func() Verdict) (Verdict, Flow) {
	if q.need.Observe {
		g.observed(q, event, reason, w)
		return g.yesBehind(q, w, nil), nil
	}
	g.decided(q, event, reason, w)
	return answer(), nil
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
// peer is given fields by which others can act as somebody, because a page's
// script, which is not to have them, can ask as well.
func (g *Gate) presentable(q *request, identity httpmsg.Fields, secret []string) (shown httpmsg.Fields) {
	if len(secret) == 0 || g.trusted(q) {
		return identity
	}
	for _, f := range identity {
		if !slices.Contains(secret, f.Name) {
			shown = append(shown, f)
		}
	}
	return shown
}

// curable has an answer that a visit to where logins begin can cure carry what
// that takes in a cookie: whoever is answered makes the address.
func (g *Gate) curable(q *request, f failure, n session.Need) Verdict {
	n.Made = g.now().Unix()
	sealed, err := g.keys.SealNeed(n)
	if err != nil {
		return g.internal(q)
	}
	f.signIn = true
	if f.retry == "" {
		f.retry = g.startURL(g.wantedOf(q))
	}
	v := g.fail(q, f)
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
