package migrate

import (
	"net/url"
	"strings"
)

// upstreams tells what Envoy needs for the applications: routing is its business.
func (p *proxy) upstreams() {
	var flags []string
	for _, given := range p.many("upstream") {
		u, err := url.Parse(given)
		switch {
		case err != nil:
			p.tell(ToDo, "upstream", "", "one of them is no address, and was left out.")
		case u.Scheme == "static":
			p.tell(ToDo, "upstream", "auth_request", "static:// says that another proxy asks at /oauth2/auth: see docs/nginx.md, and `trusted_peers`.")
		case u.Scheme == "file" || u.Scheme == "unix":
			p.tell(ToDo, "upstream", "", u.Scheme+":// has no counterpart in settings: a web server serves files; Envoy's cluster can have a `pipe`.")
		case u.Host != "":
			flags = append(flags, "--upstream "+upstreamFlag(u))
			if u.Path != "" && u.Path != "/" {
				p.tell(ToDo, "upstream", "", "a path ("+quote(u.Path)+") is a route of Envoy's, to be written by hand.")
			}
		}
	}
	if len(flags) > 0 {
		p.tell(ToDo, "upstream", "", "Envoy routes, by a cluster and a route for each: `postern render envoy -c FILE "+strings.Join(flags, " ")+"` writes them for one application, or for several hosts with HOST= in front of each.")
	}
}

// upstreamFlag is an address as render takes it.
func upstreamFlag(u *url.URL) string {
	host := u.Host
	if u.Port() == "" {
		host += map[bool]string{true: ":443", false: ":80"}[u.Scheme == "https"]
	}
	if u.Scheme == "https" {
		return "https://" + host
	}
	return host
}
