package session

import "time"

// SignOut says where somebody goes who signs out at the provider and comes
// back. It travels in the state parameter (RP-Initiated Logout 1.0, section 2).
type SignOut struct {
	Return string `json:"r"`
	Made   int64  `json:"t"` // seconds since 1970
}

// Limits of a sign-out on its way.
const (
	signOutLifetime = time.Hour
	maxSignOut      = 4096
)

// SealSignOut returns the value of the state parameter.
func (r *Keyring) SealSignOut(s SignOut) (string, error) {
	return r.sealJSON(PurposeSignOut, &s, false)
}

// OpenSignOut opens what SealSignOut returned, while it is young.
func (r *Keyring) OpenSignOut(sealed string, now time.Time) (SignOut, error) {
	var s SignOut
	if _, err := r.openJSON(PurposeSignOut, sealed, maxSignOut, &s); err != nil {
		return SignOut{}, err
	}
	if !within(now, s.Made, signOutLifetime) {
		return SignOut{}, ErrSealed
	}
	return s, nil
}
