package gate

// usedLogins remembers logins whose callback was seen, so that a callback that
// comes again is known for one. It is bounded: when the young half is full,
// the old half is forgotten. What it forgets, the provider still refuses: a
// code is good once (RFC 6749, section 4.1.2).
type usedLogins struct{ young, old map[[16]byte]struct{} }

// maxUsedLogins is how many logins one half holds.
const maxUsedLogins = 8192

func newUsedLogins() *usedLogins {
	return &usedLogins{young: map[[16]byte]struct{}{}}
}

// has reports whether a login was used.
func (u *usedLogins) has(id []byte) bool {
	k := [16]byte(id)
	if _, ok := u.young[k]; ok {
		return true
	}
	_, ok := u.old[k]
	return ok
}

// add marks a login as used.
func (u *usedLogins) add(id []byte) {
	if len(u.young) >= maxUsedLogins {
		u.old, u.young = u.young, map[[16]byte]struct{}{}
	}
	u.young[[16]byte(id)] = struct{}{}
}
