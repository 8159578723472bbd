package page

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// language is one in which pages speak. Its texts are read when the first page
// in it is written: a proxy that starts pays for none of them.
type language struct {
	tag, name, dir string            // BCP 47 tag; what it calls itself; ltr or rtl
	file           string            // name, colon, text; one to a line
	own            map[string]string // texts that the settings say otherwise

	once sync.Once
	all  terms
}

// terms are texts and their names. It is a list, for the code that makes a map
// weighs more than looking through it takes.
type terms []struct{ key, text string }

func (t terms) of(key string) (text string, ok bool) {
	for i := range t {
		if t[i].key == key {
			return t[i].text, true
		}
	}
	return "", false
}

// readTerms reads lines of a name, a colon and a text.
func readTerms(file string) (all terms) {
	all = make(terms, 0, strings.Count(file, "\n"))
	for line := range strings.SplitSeq(file, "\n") {
		if key, text, ok := strings.Cut(line, ": "); ok {
			all = append(all, struct{ key, text string }{key, text})
		}
	}
	return all
}

func (l *language) terms() terms {
	l.once.Do(func() {
		l.all = readTerms(l.file)
		for i := range l.all {
			if own, ok := l.own[l.all[i].key]; ok {
				l.all[i].text = own
			}
		}
	})
	return l.all
}

// say is a text without placeholders.
func (l *language) say(name string) string {
	text, _ := l.terms().of(name)
	return text
}

// tell is a text with what belongs into its placeholders.
func (l *language) tell(name string, slots ...slot) markup {
	return fill(escaped(l.say(name)), slots...)
}

// number is a text with a number in it.
func (l *language) number(name string, n int64) string {
	return strings.Replace(l.say(name), "{n}", strconv.FormatInt(n, 10), 1)
}

// units are units of time, the longest first. The texts about one and about
// several of each are called so.
var units = [...]struct {
	seconds   int64
	one, many string
}{{86400, "day", "days"}, {3600, "hour", "hours"}, {60, "minute", "minutes"}, {1, "second", "seconds"}}

// duration says how many seconds something is, in the longest unit of which it
// is a whole number.
func (l *language) duration(seconds int64) string {
	for _, u := range units {
		switch {
		case seconds == u.seconds:
			return l.number(u.one, 1)
		case seconds%u.seconds == 0:
			return l.number(u.many, seconds/u.seconds)
		}
	}
	return ""
}

// figure is what something that was counted is called.
func (l *language) figure(key string) string {
	if name, ok := l.terms().of("figure." + key); ok {
		return name
	}
	return key
}

// explanation is what a page says about an error: what happened, why, and
// what to do about it.
type explanation struct{ title, detail, advice string }

// parts separates them in a text.
const parts = " | "

func explained(text string) (e explanation) {
	e.title, text, _ = strings.Cut(text, parts)
	e.detail, e.advice, _ = strings.Cut(text, parts)
	return e
}

// explain finds the words for a reason and its cause; where there are none,
// those for the reason, then those for the family of reasons, then those for
// the status.
func (l *language) explain(status int, reason, cause string) explanation {
	family := reason[:strings.IndexByte(reason, '_')+1]
	for _, key := range [...]string{reason + "." + cause, reason, family, strconv.Itoa(status), "other"} {
		if e, ok := l.find(key); ok {
			return e
		}
	}
	return explanation{}
}

func (l *language) find(key string) (e explanation, ok bool) {
	for _, list := range alike {
		if slices.Contains(list, key) {
			key = list[0]
			break
		}
	}
	text, ok := l.terms().of("error." + key)
	return explained(text), ok
}

// refusal finds the words for somebody who is signed in and may not pass. Where
// several things are missing, those of the first would promise too much.
func (l *language) refusal(p *DeniedPage) explanation {
	alone := len(p.Missing) < 2
	switch e, ok := l.find(p.Reason + ".tried"); {
	case p.Tried && ok && alone:
		return e
	case p.Tried:
		return explained(l.say("error.tried"))
	case alone:
		return l.explain(403, p.Reason, "")
	}
	return l.explain(403, "something_missing", "")
}

// alike are reasons, families of reasons and statuses that have the words of the
// first of their list.
var alike = [...][]string{
	{"query_malformed", "state_", "code_", "error_"},
	{"provider_answer_refused", "iss_", "502"},
	{"no_answer", "answer_too_large", "answer_encoded", "answer_not_json", "answer_malformed",
		"provider_temporarily_unavailable", "provider_server_error", "status_", "503", "504"},
	{"expired", "iat_in_future", "not_valid_yet"},
	{"too_many_flows", "too_many_waiting"},
	{"no_session", "not_signed_in", "401"},
	{"host_not_allowed", "421"},
	{"method_not_allowed", "405"},
	{"internal", "500"},
	{"step_up", "step_", "enrich_missing"},
	{"acr_insufficient", "insufficient_user_authentication"},
	{"something_missing", "group_missing", "role_missing", "email_not_allowed", "email_domain_not_allowed",
		"client_not_allowed", "claim_missing", "amr_missing", "none_met", "all_missing"},
}
