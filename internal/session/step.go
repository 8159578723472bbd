package session

import "slices"

// Step is what a login is to bring beyond a usual one.
type Step struct {
	Scopes []string `json:"s,omitempty"` // beside the settings' ones (RFC 6749, section 3.3)
	ACR    []string `json:"a,omitempty"` // the preferred level first (OpenID Connect Core, section 3.1.2.1)
	MaxAge int64    `json:"m,omitempty"` // seconds that the person's authentication may be ago; 0 for any
	Prompt string   `json:"p,omitempty"` // OpenID Connect Core, section 3.1.2.1
	Enrich []string `json:"e,omitempty"` // names of questions that rules want an answer to
	Hint   string   `json:"h,omitempty"` // who signs in, as far as they have said (login_hint, likewise)

	// Round is which it is of such logins that came right after each other; 0 for
	// one that nothing was missing in before.
	Round int `json:"r,omitempty"`
}

// IsZero reports whether it is a usual login, whichever it is in a row, and
// whoever signs in.
func (s Step) IsZero() bool {
	return len(s.Scopes) == 0 && len(s.ACR) == 0 && s.MaxAge == 0 && s.Prompt == "" && len(s.Enrich) == 0
}

// Asked is what a session keeps of what its login was to bring.
func (s Step) Asked() Step {
	s.Hint = ""
	return s
}

// And returns what brings both. Of two lists of levels, those that are in both
// are asked for.
func (s Step) And(other Step) Step {
	s.Scopes = union(s.Scopes, other.Scopes)
	s.Enrich = union(s.Enrich, other.Enrich)
	switch {
	case s.ACR == nil:
		s.ACR = other.ACR
	case other.ACR != nil:
		s.ACR = slices.DeleteFunc(slices.Clone(s.ACR), func(acr string) bool { return !slices.Contains(other.ACR, acr) })
	}
	if s.MaxAge == 0 || other.MaxAge != 0 && other.MaxAge < s.MaxAge {
		s.MaxAge = other.MaxAge
	}
	if s.Prompt == "" {
		s.Prompt = other.Prompt
	}
	if s.Hint == "" {
		s.Hint = other.Hint
	}
	s.Round = max(s.Round, other.Round)
	return s
}

// union returns a with what b has beside.
func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(slices.Clip(a), s)
		}
	}
	return a
}
