package idp

import (
	"slices"
	"time"
)

// Levels of authentication (`acr`), the lowest first. Whoever signs in is at the
// first; whoever proves it once more, because a client asks for the second, is
// there.
var levels = []string{"bronze", "gold"}

// proof is how and when a person proved who they are, as one login saw it: later
// tokens of that login say the same (OpenID Connect Core, section 12.2).
type proof struct {
	time time.Time
	acr  string
}

// wantedLevel is the lowest that the client would have.
func (a *authorization) wantedLevel() int {
	wanted := -1
	for _, acr := range a.acrValues {
		if i := slices.Index(levels, acr); i >= 0 && (wanted < 0 || i < wanted) {
			wanted = i
		}
	}
	return max(wanted, 0)
}

// proofFor names the best of the levels asked for that was reached, or else the
// one that was: acr_values is a wish (OpenID Connect Core, section 3.1.2.1).
func (s *session) proofFor(a *authorization) proof {
	for i := s.level; i >= 0; i-- {
		if slices.Contains(a.acrValues, levels[i]) {
			return proof{s.authTime, levels[i]}
		}
	}
	return proof{s.authTime, levels[s.level]}
}

// addTo adds what RFC 9470, section 6, and OpenID Connect Core, section 2, name.
func (p proof) addTo(claims map[string]any) {
	if p.acr != "" {
		claims["acr"], claims["auth_time"] = p.acr, p.time.Unix()
	}
}

func (u *User) highestLevel() int {
	if u.HighestLevel == "" {
		return len(levels) - 1
	}
	return slices.Index(levels, u.HighestLevel)
}

// granted are the scopes that a person may give. The others are left out, which
// the answer's scope tells (RFC 6749, section 3.3).
func (u *User) granted(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return slices.Contains(u.WithheldScopes, scope) })
}
