package page

import "strings"

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
	tryAgain, reason, cause, requestID             string

	figures map[string]string // what figures are called

	byReason map[string]explanation // by reason, and by reason, colon and cause
	byPrefix map[string]explanation // by what a reason begins with, up to and with the first underscore
	byStatus map[int]explanation
	other    explanation
}

// explanation is what a page says about an error: what happened, why, and
// what to do about it.
type explanation struct{ title, detail, advice string }

// figure is what something that was counted is called.
func (l *language) figure(key string) string {
	if name, ok := l.figures[key]; ok {
		return name
	}
	return key
}

// explain finds the words for a reason and its cause; where there are none,
// those for the reason, then those for the family of reasons, then those for
// the status.
func (l *language) explain(status int, reason, cause string) explanation {
	if e, ok := l.byReason[reason+":"+cause]; ok {
		return e
	}
	if e, ok := l.byReason[reason]; ok {
		return e
	}
	if i := strings.IndexByte(reason, '_'); i > 0 {
		if e, ok := l.byPrefix[reason[:i+1]]; ok {
			return e
		}
	}
	if e, ok := l.byStatus[status]; ok {
		return e
	}
	return l.other
}
