package render

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// address is a host, or an address, and a port.
type address struct {
	Host string
	Port int
}

func (a address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// isName reports whether the host has to be looked up.
func (a address) isName() bool {
	_, err := netip.ParseAddr(a.Host)
	return err != nil
}

// loopback reports whether only this machine reaches the address.
func (a address) loopback() bool {
	ip, err := netip.ParseAddr(a.Host)
	return err == nil && ip.IsLoopback() || a.Host == "localhost"
}

// parseAddress reads host:port. What is asked for names it in errors.
func parseAddress(what, text string) (address, error) {
	host, port, err := net.SplitHostPort(text)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil || n < 1 || n > 65535 || host == "" || !hostLike(host) {
		return address{}, wrong("%s: %q is not host:port, such as 127.0.0.1:8080", what, text)
	}
	return address{strings.ToLower(host), n}, nil
}

// hostLike reports whether a text has only the characters of hosts and addresses.
func hostLike(host string) bool {
	return strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-:_") == ""
}

// upstream is an application, or a service that is called.
type upstream struct {
	host string // of requests that go there; "" for those that no other is for
	address
	tls bool
}

// parseUpstream reads [HOST=][http://|https://]ADDRESS.
func parseUpstream(text string) (u upstream, err error) {
	host, to, named := strings.Cut(text, "=")
	if !named {
		host, to = "", text
	}
	if named && (host == "" || !hostLike(host)) {
		return u, wrong("upstream: %q is not a host", host)
	}
	u.host = strings.ToLower(host)
	scheme, rest, there := strings.Cut(to, "://")
	if there {
		if to = strings.TrimSuffix(rest, "/"); scheme != "http" && scheme != "https" {
			return u, wrong("upstream: %q is neither http nor https", scheme)
		}
		u.tls = scheme == "https"
	}
	if u.tls && !strings.Contains(strings.TrimRight(to, "0123456789"), ":") {
		to += ":443"
	}
	u.address, err = parseAddress("upstream", to)
	return u, err
}
