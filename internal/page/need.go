package page

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Need is something that a rule demands and that was not there. What it is, its
// Reason says; the rest depends on that.
type Need struct {
	Reason   string        // a stable code in snake_case
	Claim    string        // of claim_missing: the claim's name or path
	Values   []string      // what would do: one of these, or all of scope_missing
	Prefixes []string      // of claim_missing: beginnings of which one would do
	MaxAge   time.Duration // of login_too_old
	Any      []Need        // of none_met: what is missing in each alternative
	All      []Need        // of all_missing: an alternative in which several things are
}

// The bounds of what is shown of needs. A rule may have hundreds of groups, and
// who reads the page has to find the button below them.
const (
	maxListed = 12   // values of one need, or needs of one list
	maxNested = 3    // lists of needs within each other
	maxValue  = 96   // characters of a value
	maxNeeds  = 5000 // bytes of all needs together, as HTML, about
)

// lack is what is shown of a Need, to persons and to programs alike.
type lack struct {
	Requirement string   `json:"requirement"` // as the settings call it
	Claim       string   `json:"claim,omitempty"`
	Values      []string `json:"values,omitempty"`
	Prefixes    []string `json:"prefixes,omitempty"`
	MaxAge      int64    `json:"max_age,omitempty"` // seconds
	Any         []lack   `json:"any,omitempty"`
	All         []lack   `json:"all,omitempty"`
	More        int      `json:"more,omitempty"` // values, prefixes and alternatives that are not shown

	reason string
	silent bool // what would do is not told
}

// requirements is how the settings call what a reason says is missing.
var requirements = terms{
	{"group_missing", "groups"},
	{"role_missing", "roles"},
	{"scope_missing", "scopes"},
	{"email_not_allowed", "emails"},
	{"email_domain_not_allowed", "email_domains"},
	{"email_not_verified", "email_verified"},
	{"client_not_allowed", "client_ids"},
	{"claim_missing", "claims"},
	{"acr_insufficient", "acr"},
	{"login_too_old", "max_age"},
	{"amr_missing", "amr"},
	{"provider_not_allowed", "provider"},
	{"none_met", "any"},
	{"all_missing", "all"},
	{"excluded", "not"},
	{"claims_outdated", "current_claims"},
	{"enrich_missing", "enrich"},
}

// shown picks what is shown of needs, and counts how many are not.
func shown(needs []Need) (lacks []lack, more int) {
	s := selection{room: maxNeeds}
	return s.list(needs, 1)
}

// selection is what is being picked, within the room that is left.
type selection struct{ room int }

func (s *selection) list(needs []Need, depth int) (lacks []lack, more int) {
	for i := range needs {
		if len(lacks) == maxListed || depth > maxNested || !s.take(150, needs[i].Claim) {
			return lacks, len(needs) - i
		}
		lacks = append(lacks, s.need(&needs[i], depth))
	}
	return lacks, 0
}

func (s *selection) need(n *Need, depth int) lack {
	requirement, known := requirements.of(n.Reason)
	if !known {
		requirement = plain(n.Reason, maxValue)
	}
	l := lack{Requirement: requirement, reason: n.Reason, silent: untold(n)}
	switch n.Reason {
	case "none_met":
		l.Any, l.More = s.list(n.Any, depth+1)
		return l
	case "all_missing":
		l.All, l.More = s.list(n.All, depth+1)
		return l
	case "login_too_old":
		l.MaxAge = max(0, int64(n.MaxAge/time.Second))
	case "claim_missing":
		l.Claim = plain(n.Claim, maxValue)
	}
	if !l.silent {
		var values, prefixes int
		l.Values, values = s.values(n.Values, maxListed)
		l.Prefixes, prefixes = s.values(n.Prefixes, maxListed-len(l.Values))
		l.More = values + prefixes
	}
	return l
}

func (s *selection) values(all []string, most int) (picked []string, more int) {
	for i, v := range all {
		if i == most || !s.take(30, v) {
			return picked, len(all) - i
		}
		picked = append(picked, plain(v, maxValue))
	}
	return picked, 0
}

// take takes room for a text and what is around it.
func (s *selection) take(around int, text string) bool {
	cost := around
	for _, r := range plain(text, maxValue) {
		if r < utf8.RuneSelf && strings.ContainsRune("&<>\"'`", r) {
			cost += len("&#34;")
		} else {
			cost += utf8.RuneLen(r)
		}
	}
	if cost > s.room {
		return false
	}
	s.room -= cost
	return true
}

// untold reports whether what would do is kept back: a list of persons is not
// for everybody who is turned away, and to say what excludes somebody is to say
// what to get rid of.
func untold(n *Need) bool {
	switch n.Reason {
	case "email_not_allowed", "excluded":
		return true
	case "claim_missing":
		return slices.Contains(personal, n.Claim[strings.LastIndexByte(n.Claim, '.')+1:])
	}
	return false
}

// personal are claims whose values stand for one person each: those of OpenID
// Connect Core, section 5.1, what some providers call the same, and how the
// settings call it. Of a path it is the last name that counts.
var personal = []string{
	"sub", "user", "preferred_username", "nickname", "email", "phone_number", "upn", "unique_name", "oid",
}

// plain is a text from outside as it may be shown: cut, and without characters
// that change the order of what is around them, break its line, or show nothing
// at all, by which one value could pass for another.
func plain(s string, most int) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(s) {
		if most--; most < 0 {
			b.WriteString("\u2026")
			break
		}
		if unseen(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unseen reports whether a character has no business in a name. The joiners and
// the marks of direction are left: some scripts need them, and they do not reach
// beyond their element.
func unseen(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0: // control characters
	case r == 0xad, r == 0x200b, r == 0x3164, r == 0xfeff, r == 0xffa0: // soft hyphen, fillers, zero widths
	case r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f: // separators, embeddings, overrides, isolates
	case r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe0fff: // annotations, tags
	default:
		return false
	}
	return true
}
