package doctor

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// front looks at what browsers see.
func (v *visit) front() {
	u, err := url.Parse(v.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		v.add(found("front_unreachable", v.URL, "it is not an address such as https://app.example.com/"))
		return
	}
	origin := u.Scheme + "://" + u.Host
	prefix := "/oauth2"
	if v.host != nil {
		prefix = v.host.Config.PathPrefix
	}
	plainAnswer, err := v.get(origin+prefix+"/userinfo", maxBody)
	if err != nil {
		v.unreachable(origin, err)
		return
	}
	if u.Scheme == "http" && !config.Loopback(u.Hostname()) {
		v.add(found("front_plain_http", origin, "its address is http"))
	}
	if !v.gateAt(origin, plainAnswer) {
		return
	}
	v.logins(origin+prefix, u)
	v.headers(origin+prefix, plainAnswer)
	v.bodies(origin + prefix)
}

func (v *visit) unreachable(origin string, err error) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var bad x509.CertificateInvalidError
	if errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &bad) {
		v.add(found("front_certificate", origin, "%s", told(err.Error())))
		return
	}
	v.add(found("front_unreachable", origin, "%s", told(err.Error())))
}

// gateAt says whether an answer to a request for /userinfo is Postern's: without
// a session that is 401, with what Postern says of itself as JSON.
func (v *visit) gateAt(origin string, p *page) bool {
	reason := reasonOf(p)
	switch {
	case p.status == http.StatusMisdirectedRequest:
		v.add(found("host_unknown", origin, "it answers with status 421"))
	case reason == "":
		v.add(found("gate_not_in_front", origin, "%s answers with status %d, and not as Postern does", p.at.Path, p.status))
	default:
		v.add(well("gate_not_in_front", origin, "Postern answers"))
		return true
	}
	return false
}

// headers sends as many cookies as a session may have.
func (v *visit) headers(prefix string, without *page) {
	most := 12288
	if v.host != nil {
		most = v.host.Config.Session.MaxBytes
	}
	req, err := http.NewRequestWithContext(v.ctx, http.MethodGet, prefix+"/userinfo", nil)
	if err != nil {
		return
	}
	var cookies []string
	for left := most; left > 0; left -= 3800 {
		cookies = append(cookies, "doctor"+string(rune('a'+len(cookies)))+"="+filler(min(left, 3800)))
	}
	req.Header.Set("Cookie", strings.Join(cookies, "; "))
	p, err := v.do(req, maxBody)
	switch {
	case err != nil:
		v.add(found("headers_refused", prefix, "cookies of %d bytes: %s", most, told(err.Error())))
	case p.status != without.status:
		v.add(found("headers_refused", prefix, "cookies of %d bytes are answered with status %d; without them it is %d", most, p.status, without.status))
	default:
		v.add(well("headers_refused", prefix, "cookies of %d bytes are let through", most))
	}
}

// bodies sends a logout token that is none. Postern says so if it can read it.
func (v *visit) bodies(prefix string) {
	body := strings.NewReader("doctor=1")
	req, err := http.NewRequestWithContext(v.ctx, http.MethodPost, prefix+"/backchannel_logout", body)
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p, err := v.do(req, maxBody)
	if err != nil {
		v.add(found("backchannel_unreachable", prefix, "%s", told(err.Error())))
		return
	}
	switch reason := reasonOf(p); {
	case reason == "bodies_not_let_through":
		severity, what := Warning, "back-channel logout is not to be had"
		if v.host != nil {
			severity, what = bodiesNeeded(v.host.Config)
		}
		v.add(found("bodies_not_let_through", prefix, "a body did not arrive; %s", what).as(severity))
	case reason == "logout_token_missing":
		v.add(well("bodies_not_let_through", prefix, "a body arrives"))
	default:
		v.add(found("backchannel_unreachable", prefix, "it answers with status %d", p.status))
	}
}

// cookies looks at those that begin a login.
func (v *visit) cookies(p *page, front *url.URL) {
	for _, c := range (&http.Response{Header: p.header}).Cookies() {
		switch local := config.Loopback(front.Hostname()); {
		case c.Secure && front.Scheme == "http" && !local:
			v.add(found("cookie_dropped", front.Host, "%s is Secure", told(c.Name)))
		case c.Secure && front.Scheme == "http":
			v.add(found("cookie_dropped", front.Host, "%s is Secure, which some browsers take from this machine over http, and some do not", told(c.Name)).as(Warning))
		case !c.Secure && front.Scheme == "https":
			v.add(found("cookie_not_secure", front.Host, "%s is not Secure", told(c.Name)))
		default:
			v.add(well("cookie_dropped", front.Host, "%s comes back over %s", told(c.Name), front.Scheme))
		}
	}
}

// signsIn are the providers at which a login is tried, by their names; "" where
// nobody says what there are.
func (v *visit) signsIn() []*config.Provider {
	if v.host == nil {
		return []*config.Provider{nil}
	}
	var all []*config.Provider
	for i := range v.host.Config.Providers {
		if p := &v.host.Config.Providers[i]; p.SignsIn() && len(all) < maxLogins {
			all = append(all, p)
		}
	}
	return all
}

// maxLogins is how many providers are tried.
const maxLogins = 8
