package gate

import (
	"cmp"
	"time"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/page"
	"github.com/postern-auth/postern/internal/policy"
	"github.com/postern-auth/postern/internal/session"
)

// deniedPage tells a person what they lack, as whom they are signed in, and where
// to be somebody else.
func (g *Gate) deniedPage(q *request, f *failure) (body []byte, header httpmsg.Fields) {
	p := page.DeniedPage{Reason: f.reason, Rule: f.rule, RequestID: q.ID(),
		Missing: needsOf(f.denial.Missing), Tried: f.denial.Tried, Back: g.backFrom(q),
	}
	if f.opened != nil {
		s := f.opened.session
		p.SignedInAs = personOf(s)
		p.Provider = f.opened.party.displayName()
		start := g.startURL(g.deniedAddress(q))
		p.Switch = start + switching
		if f.loginHelps() {
			p.Again = start
		}
	}
	return g.pages.Denied(q.language(), p)
}

// personOf is what somebody is called who is signed in.
func personOf(s *session.Session) string {
	return cmp.Or(s.Claims["user"].First(), s.Claims["email"].First(), s.Subject)
}

// loginHelps reports whether another login may bring what is missing. One that
// was asked for it in vain is no reason to give up for good: whoever begins one
// themselves has a session of which nothing was asked, and the rule asks anew. One
// at the provider that a rule demands is a login at another one.
func (f *failure) loginHelps() bool {
	return f.denial.Cure != nil || f.denial.Tried || f.denial.Reason == "provider_not_allowed"
}

// deniedAddress is what was asked for and denied, to come back to: of another
// proxy's subrequest not its own address.
func (g *Gate) deniedAddress(q *request) string {
	if g.paths.own(q.target.Path) {
		return g.wantedOf(q)
	}
	return q.wanted()
}

// backFrom is where a browser came from, if that is another page of this host.
func (g *Gate) backFrom(q *request) string {
	from, once := q.Header.Only("referer")
	if !once {
		return ""
	}
	back, err := g.ownReturn(q, from)
	if err != nil || back == q.wanted() || back[0] != '/' {
		return ""
	}
	return back
}

// needsOf are what is missing, as pages and problems tell it.
func needsOf(missing []policy.Missing) (needs []page.Need) {
	for _, m := range missing {
		need := page.Need{
			Reason: m.Reason, Claim: m.Claim, Values: m.Wanted, Prefixes: m.Prefix,
			MaxAge: time.Duration(m.MaxAge) * time.Second, Any: needsOf(m.Any),
		}
		if len(m.Beside) > 0 {
			need = page.Need{Reason: "all_missing", All: append([]page.Need{need}, needsOf(m.Beside)...)}
		}
		needs = append(needs, need)
	}
	return needs
}
