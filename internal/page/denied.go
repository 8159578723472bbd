package page

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// DeniedPage tells somebody who is signed in why they may not pass.
type DeniedPage struct {
	Reason     string // of the first thing that is missing: a stable code in snake_case
	Rule       string // the rule that said no
	RequestID  string
	SignedInAs string // a name or an e-mail address; "" where none is known
	Provider   string // the display name of the provider that said so
	Missing    []Need // all that is missing
	Again      string // where to sign in again, which may bring it; "" for nowhere
	Switch     string // where to sign in as someone else; "" for nowhere
	Back       string // where to go back to; "" for nowhere
	Tried      bool   // a login asked for what is missing, and it did not come
}

var (
	//go:embed html/denied.html
	deniedHTML markup
	//go:embed html/mark_lock.svg
	lockMark markup
)

const (
	whoHTML     markup = "<p class=\"who\"><span>{as}</span> <b><bdi>{name}</bdi></b>{with}</p>\n"
	whoWithHTML markup = " <span>{with} <bdi>{provider}</bdi></span>"
	missingHTML markup = "<h2 id=\"missing\">{heading}</h2>\n<ul class=\"needs\" role=\"list\" aria-labelledby=\"missing\">\n{needs}</ul>\n"
	needHTML    markup = "<li><p><b>{what}{claim}</b>{which}</p>{inner}</li>\n"
	claimHTML   markup = " <bdi>{claim}</bdi>"
	whichHTML   markup = ", {which}"
	valuesHTML  markup = "\n<ul class=\"values\" role=\"list\">\n{values}</ul>\n"
	valueHTML   markup = "<li><bdi>{value}</bdi></li>\n"
	prefixHTML  markup = "<li>{beginning} <bdi>{value}</bdi></li>\n"
	nestedHTML  markup = "\n<ul class=\"nested\" role=\"list\">\n{needs}</ul>\n"
	moreHTML    markup = "<li class=\"more\">{more}</li>\n"
	actionsHTML markup = "<div class=\"actions\">\n{actions}</div>\n"
	furtherHTML markup = "<a class=\"{class}\" href=\"{url}\"><span>{name}</span></a>\n"
)

// Denied writes the page that says no to somebody who is signed in: what is
// missing, whom they are signed in as, and how to be someone else.
func (s *Pages) Denied(accept string, p DeniedPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	e := t.refusal(&p)
	again := t.signInAgain
	if p.Tried {
		again = t.tryAgain
	}
	content := fill(deniedHTML, text("lead", e.detail), text("advice", e.advice),
		part("who", t.who(p.SignedInAs, p.Provider)),
		part("missing", t.missingList(p.Missing)),
		part("actions", t.ways(way{p.Again, again}, way{p.Switch, t.signInOther}, way{p.Back, t.goBack})),
		part("details", details(
			label{t.rule, plain(p.Rule, maxValue)},
			label{t.reason, plain(p.Reason, maxValue)},
			label{t.requestID, shorten(p.RequestID)},
		)))
	return document(frame{t: t, heading: e.title, site: s.Title, logo: s.Logo, mark: lockMark}, content), headers()
}

// who says whom one is signed in as, as far as that is known.
func (l *language) who(name, provider string) markup {
	name, provider = plain(name, maxValue), plain(provider, maxValue)
	switch {
	case name == "" && provider == "":
		return ""
	case name == "":
		return fill(whoHTML, text("as", l.signedInWith), text("name", provider))
	case provider == "":
		return fill(whoHTML, text("as", l.signedInAs), text("name", name))
	}
	with := fill(whoWithHTML, text("with", l.with), text("provider", provider))
	return fill(whoHTML, text("as", l.signedInAs), text("name", name), part("with", with))
}

func (l *language) missingList(needs []Need) markup {
	if len(needs) == 0 {
		return ""
	}
	lacks, more := shown(needs)
	return fill(missingHTML, text("heading", l.missing), part("needs", l.needs(lacks, more)))
}

func (l *language) needs(lacks []lack, more int) (list markup) {
	for i := range lacks {
		list += l.need(&lacks[i])
	}
	return list + l.more(more)
}

func (l *language) need(n *lack) markup {
	var claim, which, inner markup
	if n.Claim != "" {
		claim = fill(claimHTML, text("claim", n.Claim))
	}
	if s := l.which(n); s != "" {
		which = fill(whichHTML, text("which", s))
	}
	if nested := append(n.Any, n.All...); len(nested) > 0 { // only one of both is there
		inner = fill(nestedHTML, part("needs", l.needs(nested, n.More)))
	} else if values := l.values(n); values != "" {
		inner = fill(valuesHTML, part("values", values))
	}
	return fill(needHTML, text("what", l.what(n)), part("claim", claim), part("which", which), part("inner", inner))
}

// what is missing, in one word or a few.
func (l *language) what(n *lack) string {
	if n.reason == "login_too_old" && n.MaxAge > 0 {
		return strings.Replace(l.maxAge, "{age}", l.duration(n.MaxAge), 1)
	}
	if what, ok := l.byNeed.of(n.reason); ok {
		return what
	}
	return n.Requirement
}

// which of the values that follow are needed.
func (l *language) which(n *lack) string {
	all := len(n.Values) + len(n.Prefixes) + n.More
	switch {
	case n.silent || n.reason == "none_met" || n.reason == "all_missing":
		return ""
	case n.reason == "claim_missing" && all == 0:
		return l.anyValue
	case all < 2:
		return ""
	case n.reason == "scope_missing":
		return l.allOf
	}
	return l.oneOf
}

func (l *language) values(n *lack) (list markup) {
	for _, v := range n.Values {
		list += fill(valueHTML, text("value", v))
	}
	for _, v := range n.Prefixes {
		list += fill(prefixHTML, text("beginning", l.beginning), text("value", v))
	}
	return list + l.more(n.More)
}

// more says that there is more than is shown.
func (l *language) more(n int) markup {
	if n == 0 {
		return ""
	}
	return fill(moreHTML, text("more", strings.Replace(l.andMore, "{n}", strconv.Itoa(n), 1)))
}

// way is where a person can go on.
type way struct{ url, name string }

// ways are the ways that lead somewhere, the first of them set off.
func (l *language) ways(all ...way) (list markup) {
	class := "button"
	for _, w := range all {
		if w.url != "" {
			list += fill(furtherHTML, text("class", class), text("url", link(w.url)), text("name", w.name))
			class = "button second"
		}
	}
	if list == "" {
		return ""
	}
	return fill(actionsHTML, part("actions", list))
}
