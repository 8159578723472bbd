package policy

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// state is whether a requirement is met. Of claims that were picked under other
// settings, and of those that a question brings which found no answer, that cannot
// be told: so there are three (Kleene's logic), in this order.
type state uint8

const (
	unmet state = iota
	unknown
	met
)

// check is whoever asks at a moment.
type check struct {
	subject *Subject
	now     int64 // seconds since 1970
	leeway  int64 // seconds
}

func newCheck(s *Subject, now time.Time, leeway time.Duration) check {
	return check{s, now.Unix(), int64(leeway / time.Second)}
}

// of returns the state of a requirement: of all its tests.
func (c *check) of(r *requirement) state {
	least := met
	for i := range r.tests {
		if least = min(least, c.ofTest(&r.tests[i])); least == unmet {
			break
		}
	}
	return least
}

func (c *check) ofTest(t *test) state {
	switch t.kind {
	case ofClaim, ofEmail, ofDomain:
		if c.subject.Outdated || c.subject.unanswered(t.claim) != "" {
			return unknown
		}
		return stateOf(c.claims(t))
	case ofAll:
		least := met
		for _, part := range t.parts {
			least = min(least, c.of(part))
		}
		return least
	case ofAny:
		most := unmet
		for _, part := range t.parts {
			most = max(most, c.of(part))
		}
		return most
	case ofNot:
		return met - c.of(t.parts[0])
	}
	return stateOf(c.login(t))
}

func stateOf(ok bool) state {
	if ok {
		return met
	}
	return unmet
}

// claims holds claims against a test.
func (c *check) claims(t *test) bool {
	switch t.kind {
	case ofEmail, ofDomain:
		return !c.subject.Unverified && c.address(t)
	}
	for _, v := range c.subject.Claims[t.claim].Values {
		if v != "" && (t.anyValue || t.words.hasWord(v) || beginsWithOne(v, t.prefixes)) {
			return true
		}
	}
	return false
}

func beginsWithOne(v string, prefixes []string) bool {
	for _, p := range prefixes {
		if p != "" && strings.HasPrefix(v, p) {
			return true
		}
	}
	return false
}

// address holds the e-mail address against a test. One with several at signs is
// in no domain: readers differ about where its domain begins (RFC 5321, section
// 4.1.2).
func (c *check) address(t *test) bool {
	var room [320]byte
	address := appendLower(room[:0], c.subject.Claims[t.claim].First())
	if t.kind == ofEmail {
		return t.words.has(address)
	}
	local, domain, ok := bytes.Cut(address, []byte{'@'})
	if !ok || len(local) == 0 || len(domain) == 0 || bytes.IndexByte(domain, '@') >= 0 {
		return false
	}
	if t.anyValue || t.itself.has(domain) {
		return true
	}
	for i := 1; i < len(domain); i++ {
		if domain[i] == '.' && t.below.has(domain[i+1:]) {
			return true
		}
	}
	return false
}

// login holds against a test what is known of the login, or of the token.
func (c *check) login(t *test) bool {
	s := c.subject
	switch t.kind {
	case ofScopes:
		for _, scope := range t.words.list {
			if !slices.Contains(s.Scopes, scope) {
				return false
			}
		}
		return len(t.words.list) > 0
	case ofClient:
		return t.words.hasWord(s.ClientID)
	case ofACR:
		return t.words.hasWord(s.ACR)
	case ofAMR:
		return slices.ContainsFunc(s.AMR, t.words.hasWord)
	case ofProvider:
		return t.words.hasWord(s.Provider)
	case ofMaxAge:
		return c.recent(t, c.now)
	}
	return false
}

// recent reports whether the person had proved who they are recently enough at a
// given time.
func (c *check) recent(t *test, at int64) bool {
	age := at - c.subject.AuthTime
	return c.subject.AuthTime > 0 && -c.leeway <= age && age <= t.maxAge+c.leeway
}
