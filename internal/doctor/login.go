package doctor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// maxSteps is how many redirects are followed.
const maxSteps = 10

// logins begins a login at each provider, as a browser would, up to the page where
// somebody would say who they are.
func (v *visit) logins(prefix string, front *url.URL) {
	for i, p := range v.signsIn() {
		l := login{visit: v, provider: p, path: "provider"}
		l.jar, _ = cookiejar.New(nil) // without options it never fails
		address := prefix + "/start?rd=%2F"
		if p != nil {
			l.path += " " + p.Name
			address += "&provider=" + url.QueryEscape(p.Name)
			l.callback = callbackOf(v.host.Config, p, prefix)
		}
		answer, err := l.open(address)
		if err != nil {
			v.add(found("login_not_begun", l.path, "%s", told(err.Error())))
			continue
		}
		if i == 0 {
			v.cookies(answer, front)
		}
		l.begin(answer)
	}
}

// callbackOf is where a provider sends people back to.
func callbackOf(c *config.Config, p *config.Provider, prefix string) string {
	if c.PublicURL != "" {
		prefix = strings.TrimSuffix(c.PublicURL, "/") + c.PathPrefix
	}
	if p.OwnCallback {
		return prefix + "/callback/" + p.Name
	}
	return prefix + "/callback"
}

// login is one that is begun.
type login struct {
	*visit
	provider *config.Provider
	path     string
	callback string
	jar      *cookiejar.Jar
	from     *url.URL // the page that led here
}

// open fetches a page as a browser does that somebody moves about in.
func (l *login) open(address string) (*page, error) {
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("it leads to what is no address")
	}
	if l.from != nil && strays(l.from, req.URL) {
		return nil, errStrays
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5")
	req.Header.Set("User-Agent", "Mozilla/5.0 (postern doctor)")
	for _, c := range l.jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	p, err := l.do(req, maxBody)
	if err == nil {
		l.jar.SetCookies(req.URL, (&http.Response{Header: p.header}).Cookies())
		l.from = p.at
	}
	return p, err
}

// begin follows Postern's own redirects until one leads to the provider.
func (l *login) begin(p *page) {
	for range maxSteps {
		to := p.location()
		switch {
		case to == nil && p.status == http.StatusOK && l.provider == nil:
			l.add(found("login_not_begun", l.path, "people choose where to sign in: --config names the settings that say where they can").as(Note))
			return
		case to == nil:
			l.add(found("login_not_begun", l.path, "%s answers with status %d%s", p.at.Path, p.status, because(reasonOf(p))))
			return
		case to.Query().Has("client_id"):
			l.authorize(to)
			return
		}
		var err error
		if p, err = l.open(to.String()); err != nil {
			l.add(found("login_not_begun", l.path, "%s://%s%s: %s", to.Scheme, to.Host, to.Path, told(err.Error())))
			return
		}
	}
	l.add(found("login_not_begun", l.path, "it goes round in circles"))
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + told(reason) + ")"
}

// location is where an answer leads to, or nil.
func (p *page) location() *url.URL {
	if p.status < 300 || p.status > 399 {
		return nil
	}
	to, err := p.at.Parse(p.header.Get("Location"))
	if err != nil || to.Host == "" || p.header.Get("Location") == "" {
		return nil
	}
	return to
}

// reasonOf is what Postern says of why it answers as it does: in its problem
// documents, which have a field for it.
func reasonOf(p *page) string {
	var problem struct{ Type, Reason string }
	if json.Unmarshal(p.body, &problem) != nil || problem.Type == "" {
		return ""
	}
	return problem.Reason
}

// authorize asks the provider, and looks whether it answers with a page where
// one signs in.
func (l *login) authorize(to *url.URL) {
	if asked := to.Query().Get("redirect_uri"); asked != "" {
		l.callback = asked
	}
	place := to.Scheme + "://" + to.Host + to.Path
	for range maxSteps {
		if code, back := l.back(to); back {
			l.judgeCode(code)
			return
		}
		p, err := l.open(to.String())
		if err != nil {
			l.unreachable(place, told(err.Error()))
			return
		}
		if to = p.location(); to == nil {
			l.judge(p)
			return
		}
	}
	l.add(found("authorization_refused", l.path, "%s goes round in circles", place))
}

// unreachable tells of a page that does not answer, unless the whole provider was
// found not to.
func (l *login) unreachable(place, why string) {
	if !slices.ContainsFunc(l.findings, func(f Finding) bool {
		return f.Code == "discovery_unreachable" && f.Severity != OK && f.Path == l.path
	}) {
		l.add(found("authorization_unreachable", l.path, "from here, %s: %s", place, why))
	}
}

// back says whether an address is one at which Postern takes a provider's
// answer, and which error stands there. A provider that does not take this one may
// send its answer to another one that is registered.
func (l *login) back(to *url.URL) (code string, back bool) {
	address, q := to.Scheme+"://"+to.Host+to.Path, to.Query()
	return q.Get("error"), l.callback != "" && address == l.callback || q.Has("error") && q.Has("state")
}

// judgeCode looks at an answer that came back at once (RFC 6749, section 4.1.2.1;
// OpenID Connect Core, section 3.1.2.6). That somebody must sign in is no error.
func (l *login) judgeCode(code string) {
	switch code {
	case "", "login_required", "interaction_required", "account_selection_required", "consent_required":
		l.accepted()
	case "redirect_uri_mismatch":
		l.add(found("redirect_refused", l.path, "it refuses %s (%s)", l.callback, code))
	default:
		l.add(found("authorization_refused", l.path, "it answers with the error %q", told(code)))
	}
}

// late are the types of providers that look at the address only when they know
// who signs in.
var late = []string{"github", "entra"}

func (l *login) accepted() {
	if l.provider != nil && slices.Contains(late, l.provider.Type) {
		l.add(found("redirect_unseen", l.path, "it shows its login page; the address is %s", l.callback))
		return
	}
	l.add(well("redirect_refused", l.path, "it takes %s for an address to send people back to", l.callback))
}

var (
	aboutRedirects = regexp.MustCompile(`(?i)redirect[ _-]?ur[il]|redirect address|callback[ _-]?url|AADSTS50011|AADSTS500113|redirect_uri_mismatch`)
	entraErrors    = regexp.MustCompile(`AADSTS\d{5,7}`)
	errorPages     = regexp.MustCompile(`(?i)/(oauth/)?error(/|$)`)
)

// judge looks at the page that a provider shows at last.
func (l *login) judge(p *page) {
	text := string(p.body)
	refused := p.status >= 400 || errorPages.MatchString(p.at.Path) || entraErrors.MatchString(text) || strings.Contains(text, "redirect_uri_mismatch")
	switch {
	case p.status >= 500:
		l.unreachable(p.at.Scheme+"://"+p.at.Host+p.at.Path, fmt.Sprintf("it answers with status %d: it has a failure of its own", p.status))
	case !refused:
		l.accepted()
	case aboutRedirects.MatchString(text) || aboutRedirects.MatchString(p.at.RawQuery):
		l.add(found("redirect_refused", l.path, "it refuses %s (status %d%s)", l.callback, p.status, because(entraErrors.FindString(text))))
	default:
		l.add(found("authorization_refused", l.path, "it answers with status %d%s", p.status, because(entraErrors.FindString(text))))
	}
}
