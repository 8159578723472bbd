package page

import (
	"slices"
	"strconv"
	"strings"
)

// language holds every word that pages say in one language. A translation is
// another value of it.
type language struct {
	tag, dir string // BCP 47 tag; ltr or rtl

	signIn, signInOne, signInMany, signInNone      string
	continueWith, continueTo                       string
	signOut, signOutAsk, signOutLead, staySignedIn string
	signedOut, signedOutLead, signInAgain          string
	signedOutAtProvider                            string
	onward, onwardLead, onwardNow                  string
	tryAgain, reason, cause, requestID, rule       string

	signedInAs, signedInWith, with string // {name} follows each
	missing                        string
	signInOther, goBack            string
	oneOf, allOf, anyValue         string // which of the values that follow
	beginning                      string // a prefix follows
	andMore                        string // {n} is how many
	maxAge                         string // {age} is how long ago
	byNeed                         terms  // what is missing, by reason
	units                          []unit // of time, the longest first, seconds last

	figures terms // what figures are called

	// words are found by a reason, by a reason, colon and cause, by what a reason
	// begins with, up to and with the first underscore, and by a status.
	words map[string]explanation
	alike [][]string // what has the words of the first of its list
	other explanation
	tried explanation // a login asked for what is missing, in vain
}

// explanation is what a page says about an error: what happened, why, and
// what to do about it.
type explanation struct{ title, detail, advice string }

// terms are what things are called. It is a list, for the code that makes a map
// weighs more than looking through it takes.
type terms []struct{ key, name string }

func (t terms) of(key string) (name string, ok bool) {
	for i := range t {
		if t[i].key == key {
			return t[i].name, true
		}
	}
	return "", false
}

// unit is a unit of time.
type unit struct {
	seconds   int64
	one, many string
}

// duration says how many seconds something is, in the longest unit of which it
// is a whole number.
func (l *language) duration(seconds int64) string {
	for _, u := range l.units {
		switch {
		case seconds == u.seconds:
			return "1 " + u.one
		case seconds%u.seconds == 0:
			return strconv.FormatInt(seconds/u.seconds, 10) + " " + u.many
		}
	}
	return ""
}

// figure is what something that was counted is called.
func (l *language) figure(key string) string {
	if name, ok := l.figures.of(key); ok {
		return name
	}
	return key
}

// explain finds the words for a reason and its cause; where there are none,
// those for the reason, then those for the family of reasons, then those for
// the status.
func (l *language) explain(status int, reason, cause string) explanation {
	family := reason[:strings.IndexByte(reason, '_')+1]
	for _, key := range [...]string{reason + ":" + cause, reason, family, strconv.Itoa(status)} {
		if e, ok := l.find(key); ok {
			return e
		}
	}
	return l.other
}

func (l *language) find(key string) (e explanation, ok bool) {
	for _, list := range l.alike {
		if slices.Contains(list, key) {
			key = list[0]
			break
		}
	}
	e, ok = l.words[key]
	return e, ok
}

// refusal finds the words for somebody who is signed in and may not pass. Where
// several things are missing, those of the first would promise too much.
func (l *language) refusal(p *DeniedPage) explanation {
	alone := len(p.Missing) < 2
	switch e, ok := l.find(p.Reason + ":tried"); {
	case p.Tried && ok && alone:
		return e
	case p.Tried:
		return l.tried
	case alone:
		return l.explain(403, p.Reason, "")
	}
	return l.explain(403, "something_missing", "")
}
