package config

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// HostPattern is a set of hosts: one host, the hosts below a domain, or both.
// The zero pattern is the empty set.
type HostPattern struct {
	host  string // in lower case; an IPv6 address without its brackets
	scope scope
	port  string // "" is the scheme's default port, "*" any port
}

// scope says which hosts around the one that is named belong to a pattern.
type scope uint8

const (
	itself      scope = iota // app.example.com
	onlyBelow                // *.example.com
	itselfBelow              // .example.com
)

// Match says whether the pattern holds the host (in lower case, without a
// port) at the port ("" where none was named) of an https or http address.
func (p HostPattern) Match(host, port string, https bool) bool {
	if p.host == "" || !p.matchPort(port, https) {
		return false
	}
	if host != "" && host[0] == '[' {
		host = strings.TrimSuffix(host[1:], "]")
	}
	if host == p.host {
		return p.scope != onlyBelow
	}
	return p.scope != itself && under(host, p.host)
}

// Holds is Match at any port, unless the pattern names one: whoever sends a
// request chooses the port in its authority, and many applications do not look
// at it.
func (p HostPattern) Holds(host, port string) bool {
	if p.port == "" {
		port = ""
	}
	return p.Match(host, port, true) || p.Match(host, port, false)
}

func (p HostPattern) matchPort(port string, https bool) bool {
	usual := "80"
	if https {
		usual = "443"
	}
	switch {
	case p.port == "*" || p.port == port:
		return true
	case p.port == "":
		return port == usual
	}
	return port == "" && p.port == usual
}

// under says whether host is a host below domain, of which it may not be a
// mere ending: badexample.com is not below example.com.
func under(host, domain string) bool {
	prefix, ok := strings.CutSuffix(host, domain)
	return ok && len(prefix) > 1 && prefix[len(prefix)-1] == '.'
}

// Name returns the host that the pattern names, an IPv6 address without its
// brackets: it is in the pattern if own, and those below it are if below.
func (p HostPattern) Name() (host string, own, below bool) {
	return p.host, p.scope != onlyBelow, p.scope != itself
}

// Covers says whether every host of other, at whichever port, is one of p's.
func (p HostPattern) Covers(other HostPattern) bool {
	switch {
	case p.host == "" || other.host == "" || p.port != "" && p.port != "*" && p.port != other.port:
		return false
	case p.host == other.host:
		return p.scope == other.scope || p.scope == itselfBelow
	}
	return p.scope != itself && under(other.host, p.host)
}

// String returns the pattern as it is written in settings.
func (p HostPattern) String() string {
	host := p.host
	switch {
	case p.scope == onlyBelow:
		host = "*." + host
	case p.scope == itselfBelow:
		host = "." + host
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	if p.port != "" {
		host += ":" + p.port
	}
	return host
}

// MarshalText writes the pattern as it is read.
func (p HostPattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Loopback says whether every host of the pattern is on this machine.
func (p HostPattern) Loopback() bool { return Loopback(p.host) }

// Loopback says whether a host, without port and brackets, is on this machine
// (RFC 6761, section 6.3; RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).
func Loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || under(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() && !a.Is4In6()
}

// within says whether every host of the pattern is the domain or below it.
func (p HostPattern) within(domain string) bool { return p.host == domain || under(p.host, domain) }

func (p *HostPattern) decode(r *reader, path string, n *node) {
	s, ok := r.text(path, n)
	if !ok {
		return
	}
	parsed, flaw := parseHostPattern(s)
	if flaw != "" {
		r.problem(path, "%s %s", quote(s), flaw)
		return
	}
	*p = parsed
}

// parseHostPattern returns the pattern that s spells, or what is wrong with it.
func parseHostPattern(s string) (p HostPattern, flaw string) {
	host, port, flaw := splitPort(s, true)
	if flaw != "" {
		return p, flaw
	}
	if host == "*" {
		return p, `would be every host there is; name a domain, such as "*.example.com"`
	}
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		host, p.scope = rest, onlyBelow
	} else if rest, ok := strings.CutPrefix(host, "."); ok {
		host, p.scope = rest, itselfBelow
	}
	host, address, flaw := parseHost(host)
	if flaw == "" && address && p.scope != itself {
		flaw = "is an address, below which there are no hosts"
	}
	if flaw != "" {
		return HostPattern{}, flaw
	}
	p.host, p.port = host, port
	return p, ""
}

// splitPort divides host and port. A port of "*" is accepted where the caller
// says so.
func splitPort(s string, anyPort bool) (host, port, flaw string) {
	if strings.Contains(s, "/") {
		return "", "", `is not a host alone, such as "app.example.com" or "localhost:8080"`
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, "", ""
	}
	host, port = s[:i], s[i+1:]
	if port == "*" && anyPort {
		return host, port, ""
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || port != strconv.Itoa(n) {
		return "", "", "has a port that is not a number from 1 to 65535"
	}
	return host, port, ""
}

// parseHost returns a host in lower case, an IPv6 address without brackets,
// and says whether it is an address. What requests may be made to is what
// httpmsg accepts; everything before that only finds better words.
func parseHost(s string) (host string, address bool, flaw string) {
	switch {
	case strings.HasSuffix(s, "."):
		return "", false, "ends in a dot; write it without"
	case strings.Contains(s, "*"):
		return "", false, `has a "*" elsewhere than in front, as in "*.example.com"`
	case strings.ContainsFunc(s, func(c rune) bool { return c > '~' }):
		return "", false, `is not in ASCII; write international names in their "xn--" form`
	case strings.Contains(s, ":") && !strings.HasPrefix(s, "["):
		return "", false, "has a colon too many; an IPv6 address is written in brackets"
	}
	host, port, err := httpmsg.ParseAuthority(s)
	if err != nil || port != "" {
		return "", false, `is not a host, such as "app.example.com" or "127.0.0.1"`
	}
	host = strings.Trim(host, "[]")
	_, err = netip.ParseAddr(host)
	return host, err == nil, ""
}
