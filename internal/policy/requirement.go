package policy

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
)

// requirement is what must be true of whoever asks: all of its tests.
type requirement struct{ tests []test }

// test is one key of a requirement in the settings.
type test struct {
	kind     kind
	key      string // how the settings call it
	reason   string // where it is not met
	claim    string // whose values are looked at
	words    words  // of which one must be there, or all of ofScopes
	prefixes []string
	anyValue bool  // of ofClaim: any value will do
	itself   words // of ofDomain: the domains,
	below    words // and those that others are below
	maxAge   int64 // of ofMaxAge: seconds
	parts    []*requirement
}

type kind uint8

const (
	ofClaim kind = iota
	ofEmail
	ofDomain
	ofScopes
	ofClient
	ofACR
	ofMaxAge
	ofAMR
	ofProvider
	ofAll
	ofAny
	ofNot
)

// newRequirement compiles a requirement. A list that is given and empty is met
// by nobody, except of a claim, of which any value will do then.
func newRequirement(c config.Require) *requirement {
	r := &requirement{}
	r.list(test{kind: ofClaim, key: "groups", reason: ReasonGroup, claim: "groups"}, c.Groups)
	r.list(test{kind: ofClaim, key: "roles", reason: ReasonRole, claim: "roles"}, c.Roles)
	r.list(test{kind: ofScopes, key: "scopes", reason: ReasonScope}, c.Scopes)
	r.list(test{kind: ofEmail, key: "emails", reason: ReasonEmail, claim: "email"}, lowered(c.Emails))
	r.domains(c.EmailDomains)
	r.list(test{kind: ofClient, key: "client_ids", reason: ReasonClient}, c.ClientIDs)
	for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
		t := c.Claims[name]
		r.tests = append(r.tests, test{
			kind: ofClaim, key: "claims." + name, reason: ReasonClaim, claim: name,
			words: newWords(t.Values), prefixes: t.Prefixes, anyValue: len(t.Values) == 0 && len(t.Prefixes) == 0,
		})
	}
	r.combined(&c)
	r.list(test{kind: ofACR, key: "acr", reason: ReasonACR}, c.ACR)
	if c.MaxAge > 0 {
		r.tests = append(r.tests, test{kind: ofMaxAge, key: "max_age", reason: ReasonMaxAge, maxAge: int64(c.MaxAge.Std() / time.Second)})
	}
	r.list(test{kind: ofAMR, key: "amr", reason: ReasonAMR}, c.AMR)
	if c.Provider != "" {
		r.list(test{kind: ofProvider, key: "provider", reason: ReasonProvider}, []string{c.Provider})
	}
	return r
}

// list adds a test for values that were given.
func (r *requirement) list(t test, values []string) {
	if values != nil {
		t.words = newWords(values)
		r.tests = append(r.tests, t)
	}
}

// combined adds what is made of other requirements.
func (r *requirement) combined(c *config.Require) {
	for _, t := range []struct {
		kind   kind
		key    string
		reason string
		parts  []config.Require
	}{{ofAll, "all", "", c.All}, {ofAny, "any", ReasonAny, c.Any}} {
		if t.parts == nil {
			continue
		}
		compiled := test{kind: t.kind, key: t.key, reason: t.reason}
		for _, part := range t.parts {
			compiled.parts = append(compiled.parts, newRequirement(part))
		}
		r.tests = append(r.tests, compiled)
	}
	if c.Not != nil {
		r.tests = append(r.tests, test{kind: ofNot, key: "not", reason: ReasonNot, parts: []*requirement{newRequirement(*c.Not)}})
	}
}

// domains adds a test for domains: "example.com", "*.example.com" or
// ".example.com" for those below it, and "*" for all.
func (r *requirement) domains(given []string) {
	if given == nil {
		return
	}
	t := test{kind: ofDomain, key: "email_domains", reason: ReasonEmailDomain, claim: "email"}
	var itself, below []string
	for _, domain := range lowered(given) {
		above, any := strings.CutPrefix(domain, "*")
		above, dot := strings.CutPrefix(above, ".")
		switch {
		case any && above == "" && !dot:
			t.anyValue = true
		case dot:
			below = append(below, above)
		case !any:
			itself = append(itself, domain)
		}
	}
	t.words, t.itself, t.below = words{list: given}, newWords(itself), newWords(below)
	r.tests = append(r.tests, t)
}

// words is a set of words that is looked through where they are few.
type words struct {
	list []string
	set  map[string]struct{}
}

const few = 8

func newWords(list []string) words {
	w := words{list: list}
	if len(list) > few {
		w.set = make(map[string]struct{}, len(list))
		for _, word := range list {
			w.set[word] = struct{}{}
		}
	}
	return w
}

// has reports whether a word is in the set. The empty word is in none.
func (w *words) has(word []byte) bool {
	if w.set != nil {
		_, ok := w.set[string(word)]
		return ok && len(word) > 0
	}
	for _, have := range w.list {
		if have == string(word) {
			return have != ""
		}
	}
	return false
}

// hasWord is has for a string.
func (w *words) hasWord(word string) bool {
	if w.set != nil {
		_, ok := w.set[word]
		return ok && word != ""
	}
	return word != "" && slices.Contains(w.list, word)
}

// lowered are words with the letters of ASCII in lower case, and all others as
// they are: a Kelvin sign in lower case would be a k.
func lowered(list []string) (all []string) {
	if list == nil {
		return nil
	}
	all = make([]string, len(list))
	for i, word := range list {
		all[i] = string(appendLower(nil, word))
	}
	return all
}

func appendLower(to []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		to = append(to, c)
	}
	return to
}
