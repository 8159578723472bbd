package gate

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// Where there are several providers, a person chooses one on the sign-in page,
// which is on the callback host where there is one: so the choice is remembered
// for all hosts. The choice leads to the start of a login on the host that will
// have the session.

// signIn answers a navigation without a session: by the page that lets the
// person choose, or by a login at once.
func (g *Gate) signIn(q *request, step session.Step) (Verdict, Flow) {
	if v, rest, kept := g.keep(q, nil, step); kept {
		return v, rest
	}
	return g.signInTo(q, step, q.wanted())
}

// signInTo is signIn, to return to rd.
func (g *Gate) signInTo(q *request, step session.Step, rd string) (Verdict, Flow) {
	of := g.offered(q.need.Providers)
	if g.settings.SignIn.Page == "always" {
		return g.toSignIn(q, rd), nil
	}
	if p := g.choose(q, of); p != nil {
		return g.begin(q, p, session.Login{Return: rd, Step: step})
	}
	if g.elsewhere(q) {
		return g.toRemembered(q, step, rd), nil
	}
	return g.toSignIn(q, rd), nil
}

// toRemembered sends a browser to the host on which a choice may be remembered, with
// what the login is to bring.
func (g *Gate) toRemembered(q *request, step session.Step, rd string) Verdict {
	rd = g.origin(q) + rd
	to := g.paths.start + "?" + url.Values{"rd": {rd}}.Encode()
	if !step.IsZero() {
		var err error
		if to, err = g.sealedStart(session.Start{Return: rd, Step: step}); err != nil {
			return g.internal(q)
		}
	}
	return redirect(g.callback+to, "sign_in", nil)
}

// choose chooses among the providers that are offered, or returns nil where the
// person has to.
func (g *Gate) choose(q *request, of []*party) *party {
	if p := g.remembered(q, of); p != nil {
		return p
	}
	if len(of) == 1 || g.settings.SignIn.Page == "never" {
		return of[0]
	}
	return nil
}

// startAt begins a login to return to rd at a provider, or where the person
// chooses if that is nil. What was chosen is remembered, and such a login brings
// what the address needs. Others have to be asked for that, so that what was asked
// for in vain can be tried again.
func (g *Gate) startAt(q *request, p *party, rd string, step session.Step, chosen bool) (Verdict, Flow) {
	need := g.needOf(q, rd)
	if p == nil {
		if p = g.choose(q, g.offered(need.Providers)); p == nil {
			return g.toSignIn(q, rd), nil
		}
	}
	var fields httpmsg.Fields
	if chosen {
		step = step.And(need.Step())
	}
	if chosen && !g.elsewhere(q) {
		fields = g.remember(p)
	}
	if len(g.parties) > 1 && g.tickets() && !strings.HasPrefix(rd, "/") {
		return withFields(fields)(g.startThere(q, p, rd, step), nil)
	}
	return withFields(fields)(g.begin(q, p, session.Login{Return: rd, Step: step}))
}

// startThere sends the browser to the host that will have the session, to begin
// the login there.
func (g *Gate) startThere(q *request, p *party, rd string, step session.Step) Verdict {
	to, err := g.sealedStart(session.Start{Return: rd, Provider: p.Name(), Step: step})
	if err != nil {
		return g.internal(q)
	}
	origin, _ := g.splitReturn(rd)
	return redirect(origin+to, "sign_in", nil)
}

// toSignIn sends a browser to the page on which the person chooses.
func (g *Gate) toSignIn(q *request, rd string) Verdict {
	return redirect(g.signInURL(q, rd), "sign_in", nil)
}

// signInURL is the address of the page on which a person chooses how to sign in, to
// return to rd.
func (g *Gate) signInURL(q *request, rd string) string {
	origin := ""
	if g.choosesElsewhere(q) {
		origin = g.callback
		if strings.HasPrefix(rd, "/") {
			rd = g.origin(q) + rd
		}
	}
	return origin + g.paths.signIn + "?" + url.Values{"rd": {rd}}.Encode()
}

// choosesElsewhere reports whether the choice is made, and remembered, on another
// host.
func (g *Gate) choosesElsewhere(q *request) bool { return len(g.parties) > 1 && g.elsewhere(q) }

// remembered returns the provider that this browser signed in at before, if it is
// one of those offered and the person has not signed out since; else nil.
func (g *Gate) remembered(q *request, of []*party) *party {
	if p, stands := g.chosen(q); stands && slices.Contains(of, p) {
		return p
	}
	return nil
}

// signedOutOf begins a choice that is shown, and not taken without asking.
const signedOutOf = "-"

// chosen returns the provider that this browser signed in at before, or nil, and
// whether the choice still stands. What a browser says is a preference and
// nothing more.
func (g *Gate) chosen(q *request) (p *party, stands bool) {
	if q.cookies.choices != 1 || g.settings.SignIn.Remember == 0 {
		return nil, false
	}
	name, over := strings.CutPrefix(q.cookies.choice, signedOutOf)
	p = g.partyNamed(name)
	return p, p != nil && !over
}

// remember has the browser remember a choice.
func (g *Gate) remember(p *party) httpmsg.Fields {
	lifetime := g.settings.SignIn.Remember.Std()
	if lifetime == 0 || len(g.parties) < 2 {
		return nil
	}
	return httpmsg.Fields{g.setOwn(g.choiceName(), p.Name(), lifetime)}
}

// forgo has the browser ask the next time.
func (g *Gate) forgo(q *request) httpmsg.Fields {
	p, stands := g.chosen(q)
	if !stands {
		return nil
	}
	return httpmsg.Fields{g.setOwn(g.choiceName(), signedOutOf+p.Name(), g.settings.SignIn.Remember.Std())}
}

// choiceName is the name of the cookie that remembers the choice.
func (g *Gate) choiceName() string {
	if g.settings.InsecureHTTPCookies {
		return "postern-provider"
	}
	return "__Host-postern-provider"
}

// serveSignIn shows the page on which a person chooses how to sign in, or leads on
// from the e-mail address that they typed there.
func (g *Gate) serveSignIn(q *request) (Verdict, Flow) {
	rd, _ := g.returnParameter(q)
	if g.choosesElsewhere(q) {
		return g.toSignIn(q, rd), nil
	}
	of := g.offered(g.needOf(q, rd).Providers)
	values, _ := url.ParseQuery(q.target.Query)
	typed, switches := "", values.Has("switch")
	if len(values["email"]) == 1 && asksEmail(of) {
		typed = values.Get("email")
	}
	if p := byEmail(of, typed); p != nil {
		return g.leadOn(q, p, rd, strings.TrimSpace(typed), switches)
	}
	return g.signInPage(q, of, rd, typed, switches)
}

// signInPage shows the providers that are offered. What was typed is an e-mail
// address of none of them.
func (g *Gate) signInPage(q *request, of []*party, rd, typed string, switches bool) (Verdict, Flow) {
	return g.withBrought(q, func(o *opened, _ error) (Verdict, Flow) {
		p := page.SignInPage{Destination: destination(rd)}
		last, _ := g.chosen(q)
		for _, party := range of {
			choice := g.choice(party, rd, party == last && len(of) > 1)
			if switches || isAt(o, party) {
				choice.URL += switching
			}
			p.Choices = append(p.Choices, choice)
		}
		if asksEmail(of) {
			p.Email = &page.EmailForm{Action: g.paths.signIn, Return: rd, Value: cut(typed, maxEmail), Unknown: typed != "", Switch: switches}
		}
		if o != nil {
			p.SignedInAs, p.Stay, p.SignOut = personOf(o.session), rd, g.paths.signOut
		}
		body, header := g.pages.SignIn(q.language(), p)
		return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "sign_in_page"}}, nil
	})
}

// isAt reports whether a session is of a provider: whoever goes there once more
// wants to be somebody else.
func isAt(o *opened, p *party) bool { return o != nil && o.party == p }

// choice is a button of the sign-in page.
func (g *Gate) choice(p *party, rd string, last bool) page.Choice {
	set := p.Settings()
	to := g.startURL(rd)
	if len(g.parties) > 1 {
		to = g.paths.start + "?" + url.Values{"provider": {p.Name()}, "rd": {rd}}.Encode()
	}
	return page.Choice{Name: p.displayName(), URL: to, Kind: set.Type, Logo: set.Logo, Color: set.Color, Last: last}
}

// destination is the host of a return address that is not the one shown in the
// browser already.
func destination(rd string) string {
	_, host, _ := strings.Cut(originIn(rd), "://")
	return host
}

// leadOn begins the login of somebody who has typed their address. A redirect
// would not do: see page.OnwardPage.
func (g *Gate) leadOn(q *request, p *party, rd, email string, switches bool) (Verdict, Flow) {
	return g.withBrought(q, func(o *opened, _ error) (Verdict, Flow) {
		step := session.Step{Hint: email}
		if switches || isAt(o, p) {
			step.Prompt = p.Settings().SwitchPrompt()
		}
		to, err := g.sealedStart(session.Start{Return: rd, Provider: p.Name(), Chosen: true, Step: step})
		if err != nil {
			return g.internal(q), nil
		}
		body, header := g.pages.Onward(q.language(), page.OnwardPage{URL: to})
		return Verdict{Respond: &Respond{Status: 200, Header: header, Body: body, Reason: "sign_in"}}, nil
	})
}

// maxEmail is the longest address that can be a person's, in bytes (RFC 5321,
// section 4.5.3.1.3).
const maxEmail = 254

func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

func asksEmail(of []*party) bool {
	for _, p := range of {
		if len(p.Settings().EmailDomains) > 0 {
			return true
		}
	}
	return false
}

// byEmail returns the provider of those who have an address, or nil. Whoever
// typed it is nobody for that: the provider says who they are.
func byEmail(of []*party, email string) *party {
	email = strings.TrimSpace(email)
	name, domain, found := strings.Cut(email, "@")
	if !found || name == "" || domain == "" || len(email) > maxEmail || strings.ContainsAny(email, "\x00\r\n\t \"\\,;<>") || strings.ContainsFunc(domain, notInDomains) {
		return nil
	}
	for _, p := range of {
		for _, pattern := range p.Settings().EmailDomains {
			if inDomain(domain, pattern) {
				return p
			}
		}
	}
	return nil
}

// notInDomains is of whatever no domain in an address has: a second @, and letters
// beyond ASCII, of which some are the same as others to strings.EqualFold.
func notInDomains(r rune) bool { return r == '@' || r > unicode.MaxASCII }

// inDomain reports whether a domain fits a pattern: itself, or, below "*.", any
// domain below it.
func inDomain(domain, pattern string) bool {
	if above, below := strings.CutPrefix(pattern, "*"); below {
		return len(domain) > len(above) && strings.EqualFold(domain[len(domain)-len(above):], above)
	}
	return strings.EqualFold(domain, pattern)
}

// needOf is what a return address will need, as far as its host and path tell:
// nothing where it cannot be told.
func (g *Gate) needOf(q *request, rd string) (need policy.Need) {
	r, reason := g.requestBehind(q, "GET", g.paths.application(rd))
	if reason != "" {
		return need
	}
	need, err := g.rules.Need(r)
	if err != nil {
		return policy.Need{}
	}
	return need
}
