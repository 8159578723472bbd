package httpmsg

// Applications behind CGI, WSGI, Rack and their kin read a header field from
// a variable whose name has lost case and punctuation: X-Auth-Request-User,
// x_auth_request_user and X.Auth.Request.User are one field to them. A field
// that is to be kept from an application has to be kept from it in each of
// these spellings.

// SameSpelling reports whether an application could take the field name for
// canonical: equal but for case, and any mark that is neither letter nor
// digit standing for any other.
func SameSpelling(name, canonical string) bool {
	if len(name) != len(canonical) {
		return false
	}
	for i := 0; i < len(name); i++ {
		if name[i] != canonical[i] && foldName(name[i]) != foldName(canonical[i]) {
			return false
		}
	}
	return true
}

func foldName(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	}
	return '-'
}

// NameSet is a set of field names, some given whole and some by their
// beginning. It never changes; the zero NameSet is empty.
type NameSet struct {
	byLength [][]string
	prefixes []string
	first    [256]bool // how a spelling may begin: most names end here
}

// NewNameSet makes a set of whole names and of prefixes. An empty name or
// prefix counts for nothing: it never comes to hold every field.
func NewNameSet(names, prefixes []string) NameSet {
	var s NameSet
	for _, name := range names {
		if name == "" || s.Has(name) {
			continue
		}
		for len(s.byLength) <= len(name) {
			s.byLength = append(s.byLength, nil)
		}
		s.byLength[len(name)] = append(s.byLength[len(name)], name)
		s.begin(name[0])
	}
	for _, prefix := range prefixes {
		if prefix != "" {
			s.prefixes = append(s.prefixes, prefix)
			s.begin(prefix[0])
		}
	}
	return s
}

func (s *NameSet) begin(canonical byte) {
	for c := range s.first {
		if foldName(byte(c)) == foldName(canonical) {
			s.first[c] = true
		}
	}
}

// Has reports whether name is a spelling of a name in the set, or begins with
// a spelling of one of its prefixes.
func (s *NameSet) Has(name string) bool {
	if name == "" || !s.first[name[0]] {
		return false
	}
	if len(name) < len(s.byLength) {
		for _, canonical := range s.byLength[len(name)] {
			if SameSpelling(name, canonical) {
				return true
			}
		}
	}
	for _, prefix := range s.prefixes {
		if len(name) >= len(prefix) && SameSpelling(name[:len(prefix)], prefix) {
			return true
		}
	}
	return false
}
