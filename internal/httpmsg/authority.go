package httpmsg

import (
	"net/netip"
	"strings"
)

const (
	maxHost  = 253 // RFC 1035 section 2.3.4, as text
	maxLabel = 63
)

// AuthorityError says why an authority is refused, without repeating it.
type AuthorityError struct{ Reason string }

func (e *AuthorityError) Error() string { return "httpmsg: authority refused: " + e.Reason }

var (
	errHostEmpty  = &AuthorityError{"empty"}
	errHostLong   = &AuthorityError{"too_long"}
	errHostUser   = &AuthorityError{"userinfo"}
	errHostColons = &AuthorityError{"several_colons"}
	errHostLabel  = &AuthorityError{"bad_label"}
	errHostDot    = &AuthorityError{"trailing_dot"}
	errHostIP     = &AuthorityError{"bad_address"}
	errHostPort   = &AuthorityError{"bad_port"}
)

// ParseAuthority reads a host with an optional port, as :authority and Host
// carry it (RFC 9110 section 7.2). The host comes back in lower case, an IPv6
// address in its brackets and shortest form; port is "" where there is none.
//
// Only host names of letters, digits and hyphens and plain IP addresses pass.
// A trailing dot, a user name, an address in octal or hexadecimal or an
// underscore is refused with an *AuthorityError: each is a second spelling of
// some host, or none.
func ParseAuthority(s string) (host, port string, err error) {
	if s == "" {
		return "", "", errHostEmpty
	}
	if len(s) > maxHost+len(":65535") {
		return "", "", errHostLong
	}
	if strings.IndexByte(s, '@') >= 0 {
		return "", "", errHostUser
	}
	if s[0] == '[' {
		host, port, err = splitIPv6(s)
	} else {
		host, port, err = splitName(s)
	}
	if err != nil {
		return "", "", err
	}
	return host, port, nil
}

func splitName(s string) (host, port string, err error) {
	host = s
	if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
		if strings.IndexByte(port, ':') >= 0 {
			return "", "", errHostColons
		}
		if !validPort(port) {
			return "", "", errHostPort
		}
	}
	if err := checkName(host); err != nil {
		return "", "", err
	}
	return strings.ToLower(host), port, nil
}

func splitIPv6(s string) (host, port string, err error) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return "", "", errHostIP
	}
	if rest := s[end+1:]; rest != "" {
		if port = rest[1:]; rest[0] != ':' || !validPort(port) {
			return "", "", errHostPort
		}
	}
	addr, perr := netip.ParseAddr(s[1:end])
	if perr != nil || !addr.Is6() || addr.Zone() != "" {
		return "", "", errHostIP
	}
	return "[" + addr.String() + "]", port, nil
}

func checkName(host string) error {
	switch {
	case host == "":
		return errHostEmpty
	case len(host) > maxHost:
		return errHostLong
	case host[len(host)-1] == '.':
		return errHostDot
	}
	last, rest := "", host
	for more := true; more; {
		last, rest, more = strings.Cut(rest, ".")
		if !validLabel(last) {
			return errHostLabel
		}
	}
	if numeric(last) {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return errHostIP
		}
	}
	return nil
}

func validLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !alphanumeric(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// numeric reports whether browsers would take a last label for part of an
// IPv4 address: they read 0x7f and 0177 as numbers too.
func numeric(label string) bool {
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		return true
	}
	for i := 0; i < len(label); i++ {
		if label[i] < '0' || label[i] > '9' {
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
