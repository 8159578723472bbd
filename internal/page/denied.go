package page

import (
	_ "embed"
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
	whoHTML     markup = "<p class=\"who\">{who}</p>\n"
	missingHTML markup = "<h2 id=\"missing\">{heading}</h2>\n<ul class=\"needs\" role=\"list\" aria-labelledby=\"missing\">\n{needs}</ul>\n"
	needHTML    markup = "<li><p>{what}</p>{inner}</li>\n"
	whatHTML    markup = "<b>{what}{claim}</b>"
	claimHTML   markup = " <bdi>{claim}</bdi>"
	valuesHTML  markup = "\n<ul class=\"values\" role=\"list\">\n{values}</ul>\n"
	valueHTML   markup = "<li>{value}</li>\n"
	nestedHTML  markup = "\n<ul class=\"nested\" role=\"list\">\n{needs}</ul>\n"
	moreHTML    markup = "<li class=\"more\">{more}</li>\n"
)

// Denied writes the page that says no to somebody who is signed in: what is
// missing, whom they are signed in as, and how to be someone else.
func (s *Pages) Denied(accept string, p DeniedPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	e := t.refusal(&p)
	again := "sign_in_again"
	if p.Tried {
		again = "try_again"
	}
	f := frame{t: t, kind: "denied", heading: e.title, mark: lockMark}
	return s.write(f, deniedHTML, text("lead", e.detail), text("advice", e.advice),
		part("who", t.who(p.SignedInAs, p.Provider)),
		part("missing", t.missingList(p.Missing)),
		part("actions", t.ways(way{p.Again, again}, way{p.Switch, "sign_in_other"}, way{p.Back, "go_back"})),
		part("details", details(
			label{t.say("rule"), plain(p.Rule, maxValue)},
			label{t.say("reason"), plain(p.Reason, maxValue)},
			label{t.say("request"), shorten(p.RequestID)},
		)), text("reason", plain(p.Reason, maxValue)), text("request_id", shorten(p.RequestID)))
}

// who says whom one is signed in as, as far as that is known.
func (l *language) who(name, provider string) markup {
	name, provider = plain(name, maxValue), plain(provider, maxValue)
	var who markup
	switch {
	case name == "" && provider == "":
		return ""
	case name == "":
		who = l.tell("signed_in_with", part("provider", fill(boldHTML, text("value", provider))))
	case provider == "":
		who = l.tell("signed_in_as", part("name", fill(boldHTML, text("value", name))))
	default:
		who = l.tell("signed_in_as_with", part("name", fill(boldHTML, text("value", name))), apart("provider", provider))
	}
	return fill(whoHTML, part("who", who))
}

func (l *language) missingList(needs []Need) markup {
	if len(needs) == 0 {
		return ""
	}
	lacks, more := shown(needs)
	return fill(missingHTML, text("heading", l.say("missing")), part("needs", l.needs(lacks, more)))
}

func (l *language) needs(lacks []lack, more int) (list markup) {
	for i := range lacks {
		list += l.need(&lacks[i])
	}
	return list + l.more(more)
}

func (l *language) need(n *lack) markup {
	var claim, inner markup
	if n.Claim != "" {
		claim = fill(claimHTML, text("claim", n.Claim))
	}
	what := fill(whatHTML, text("what", l.what(n)), part("claim", claim))
	if which := l.which(n); which != "" {
		what = l.tell("need_which", part("what", what), text("which", l.say(which)))
	}
	if nested := append(n.Any, n.All...); len(nested) > 0 { // only one of both is there
		inner = fill(nestedHTML, part("needs", l.needs(nested, n.More)))
	} else if values := l.values(n); values != "" {
		inner = fill(valuesHTML, part("values", values))
	}
	return fill(needHTML, part("what", what), part("inner", inner))
}

// what is missing, in one word or a few.
func (l *language) what(n *lack) string {
	if n.reason == "login_too_old" && n.MaxAge > 0 {
		return strings.Replace(l.say("max_age"), "{age}", l.duration(n.MaxAge), 1)
	}
	if what, ok := l.terms().of("need." + n.reason); ok {
		return what
	}
	return n.Requirement
}

// which of the values that follow are needed: what the text about it is called.
func (l *language) which(n *lack) string {
	all := len(n.Values) + len(n.Prefixes) + n.More
	switch {
	case n.silent || n.reason == "none_met" || n.reason == "all_missing":
		return ""
	case n.reason == "claim_missing" && all == 0:
		return "any_value"
	case all < 2:
		return ""
	case n.reason == "scope_missing":
		return "all_of"
	}
	return "one_of"
}

func (l *language) values(n *lack) (list markup) {
	for _, v := range n.Values {
		list += fill(valueHTML, apart("value", v))
	}
	for _, v := range n.Prefixes {
		list += fill(valueHTML, part("value", l.tell("beginning", apart("value", v))))
	}
	return list + l.more(n.More)
}

// more says that there is more than is shown.
func (l *language) more(n int) markup {
	if n == 0 {
		return ""
	}
	return fill(moreHTML, text("more", l.number("and_more", int64(n))))
}

// way is where a person can go on, and what the text about it is called.
type way struct{ url, name string }

// ways are the ways that lead somewhere, the first of them set off.
func (l *language) ways(all ...way) markup { return l.waysOf("button", all...) }

// waysOf are ways of which the first is a button of a class.
func (l *language) waysOf(class string, all ...way) (list markup) {
	for _, w := range all {
		if w.url != "" {
			list += fill(furtherHTML, text("class", class), text("url", link(w.url)), text("name", l.say(w.name)))
			class = "button second"
		}
	}
	if list == "" {
		return ""
	}
	return fill(actionsHTML, part("actions", list))
}
