package httpmsg

import (
	"net/netip"
	"strings"
)

// ForwardedFor returns the n-th address of the X-Forwarded-For fields, counted
// from the end: the first is the one that the hop before us added. It is in
// normal form and without a port. ok is false where there are fewer, or where
// that one is not an address. Which of them is to be believed is for the
// settings to say: all before those were written by whoever sent the request.
func ForwardedFor(f Fields, n int) (address string, ok bool) {
	if n < 1 {
		return "", false
	}
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].Name != "x-forwarded-for" {
			continue
		}
		for rest, more := f[i].Value, true; more; n-- {
			var last string
			rest, last, more = cutLast(rest)
			if n == 1 {
				addr, ok := parseAddress(last)
				return addr.text(), ok
			}
		}
	}
	return "", false
}

// cutLast returns the last of a list's members, and the list before it.
func cutLast(list string) (before, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// SameAddress reports whether two IP addresses are the same, however they are
// written: with a port or without, in brackets, an IPv4 address as it is or as
// an IPv6 one. What is not an address is the same as nothing.
func SameAddress(a, b string) bool {
	x, ok := parseAddress(a)
	if !ok {
		return false
	}
	y, ok := parseAddress(b)
	return ok && x == y
}

// address is an IP address in normal form.
type address netip.Addr

func (a address) text() string {
	if addr := netip.Addr(a); addr.IsValid() {
		return addr.String()
	}
	return ""
}

// maxAddress is the longest that an address with brackets and port can be.
const maxAddress = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535")

func parseAddress(s string) (address, bool) {
	s = strings.Trim(s, " \t")
	if len(s) > maxAddress {
		return address{}, false
	}
	if host, ok := cutPort(s); ok {
		s = host
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return address{}, false
	}
	return address(addr.Unmap()), true
}

// cutPort returns the address without brackets and port. ok is false where it
// has neither.
func cutPort(s string) (host string, ok bool) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && (s[end+1] != ':' || !validPort(s[end+2:])) || strings.IndexByte(s[:end], ':') < 0 {
			return "", true // nothing that is an address
		}
		return s[1:end], true
	}
	host, port, ok := strings.Cut(s, ":")
	if ok = ok && validPort(port); !ok {
		return "", false // an IPv6 address has more colons
	}
	return host, true
}
