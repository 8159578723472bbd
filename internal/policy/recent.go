package policy

import "strings"

// recent remembers, of requests that come more than once, which rules they fall
// under: to look for them costs more than all the rest of a decision. Request
// fields are no part of what is remembered; they are looked at each time. A
// request that comes once costs it a hash.
type recent struct{ slots [recentSlots]slot }

// slot remembers one request.
type slot struct {
	seen                     uint32 // the hash of the last request that came by
	known                    bool
	host, port, path, method string
	rules                    []int // in ascending order; only the last one looks at no field
}

const (
	recentSlots = 256
	maxRecent   = 128 // bytes of a path
)

// rulesFor returns the rules that match a request but for its fields, up to the
// first that looks at none. Without ok they have to be looked for.
func (rc *recent) rulesFor(rs *Rules, r *Request) (rules []int, ok bool) {
	if len(r.Path) > maxRecent {
		return nil, false
	}
	hash := hashOf(r)
	p := &rc.slots[hash%recentSlots]
	switch {
	case p.known && p.path == r.Path && p.method == r.Method && p.host == r.Host && p.port == r.Port:
		return p.rules, true
	case p.seen != hash:
		p.seen = hash // worth remembering if it comes again
		return nil, false
	}
	*p = slot{
		seen: hash, known: true, host: strings.Clone(r.Host), port: strings.Clone(r.Port),
		path: strings.Clone(r.Path), method: strings.Clone(r.Method), rules: rs.index.matching(rs.rules, r),
	}
	return p.rules, true
}

// hashOf is FNV-1a of what differs most between requests. Whoever makes two of
// one hash has one of them looked for.
func hashOf(r *Request) uint32 {
	hash := uint32(2166136261)
	for i := range len(r.Path) {
		hash = (hash ^ uint32(r.Path[i])) * 16777619
	}
	return (hash ^ uint32(len(r.Method)) ^ uint32(len(r.Host))<<8) * 16777619
}
