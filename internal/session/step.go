package session

import "slices"

// Step is what a login is to bring beyond a usual one.
type Step struct {
	Scopes []string `json:"s,omitempty"` // beside the settings' ones (RFC 6749, section 3.3)
	ACR    []string `json:"a,omitempty"` // the preferred level first (OpenID Connect Core, section 3.1.2.1)
	MaxAge int64    `json:"m,omitempty"` // seconds that the person's authentication may be ago; 0 for any
	Prompt string   `json:"p,omitempty"` // OpenID Connect Core, section 3.1.2.1

	// Round is which it is of such logins that came right after each other; 0 for
	// one that nothing was missing in before.
	Round int `json:"r,omitempty"`
}

// IsZero reports whether it is a usual login, whichever it is in a row.
func (s Step) IsZero() bool {
	return len(s.Scopes) == 0 && len(s.ACR) == 0 && s.MaxAge == 0 && s.Prompt == ""
}

// And returns what brings both. Of two lists of levels, those that are in both
// are asked for.
func (s Step) And(other Step) Step {
	for _, scope := range other.Scopes {
		if !slices.Contains(s.Scopes, scope) {
			s.Scopes = append(slices.Clip(s.Scopes), scope)
		}
	}
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
	s.Round = max(s.Round, other.Round)
	return s
}
