package session

import "time"

// Need is what a session lacks for a request that another proxy asked about,
// and what the next visit to where logins begin has to bring.
type Need struct {
	Step  Step  `json:"x"`           // a login that brings this
	Renew bool  `json:"n,omitempty"` // the session is due, and takes several cookies
	Made  int64 `json:"t"`           // seconds since 1970
}

const (
	// NeedLifetime is how long a browser has to get there.
	NeedLifetime = 5 * time.Minute
	maxNeed      = 2048
)

// SealNeed returns the value of the cookie that carries a need.
func (r *Keyring) SealNeed(n Need) (string, error) {
	sealed, err := r.sealJSON(PurposeNeed, &n, false)
	if err == nil && len(sealed) > maxNeed {
		return "", ErrTooLarge
	}
	return sealed, err
}

// OpenNeed opens what SealNeed returned, while it is good.
func (r *Keyring) OpenNeed(sealed string, now time.Time) (n Need, err error) {
	if _, err := r.openJSON(PurposeNeed, sealed, maxNeed, &n); err != nil {
		return Need{}, err
	}
	if !within(now, n.Made, NeedLifetime) {
		return Need{}, ErrSealed
	}
	return n, nil
}
