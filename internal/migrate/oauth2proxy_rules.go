package migrate

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// route is what skip-auth-route says: requests that pass, by method and path.
type route struct {
	option, method, pattern string
	negated                 bool
}

// routeParts divides a route as oauth2-proxy does.
var routeParts = regexp.MustCompile("!?=")

// routes are all that are open.
func (p *proxy) routes() (all []route) {
	for _, pattern := range p.many("skip-auth-regex") {
		all = append(all, route{option: "skip-auth-regex", pattern: pattern})
	}
	for _, r := range p.many("skip-auth-route") {
		parts := routeParts.Split(r, 2)
		one := route{option: "skip-auth-route", pattern: parts[0], negated: strings.Contains(r, "!=")}
		if len(parts) == 2 {
			one.method, one.pattern = strings.ToUpper(parts[0]), parts[1]
		}
		all = append(all, one)
	}
	return all
}

// rules sets who may go where: first what is open, then what is not.
func (p *proxy) rules() {
	var open, negated []route
	for _, r := range p.routes() {
		whole, err := expression(r.pattern)
		switch {
		case r.method != "" && badSetting("methods", r.method):
			p.tell(ToDo, r.option, "", "a part before \"=\" is no method, so that the route opens nothing, there as here: left out.")
		case err != nil:
			p.tell(ToDo, r.option, "", "the expression "+quote(r.pattern)+" "+err.Error()+". It was left out: those paths need a session now.")
		case r.negated:
			negated = append(negated, route{r.option, r.method, r.pattern, true})
		default:
			open = append(open, route{r.option, r.method, whole, false})
		}
	}
	p.openRules(open)
	if p.on("skip-auth-preflight", false) {
		p.addRule(rule("preflight", NewMap().Set("methods", []string{"OPTIONS"}).Set("paths", []string{"/*"})).Set("allow", "anyone"))
		p.tell(Differs, "skip-auth-preflight", "", "")
	}
	require := p.requirement()
	opened := p.negatedRule(negated, require)
	if !opened {
		p.apiRules(require)
	}
	p.addRule(p.protected("rest", everything(), require, "login"))
}

// protected is a rule for what is not open.
func (p *proxy) protected(name string, match, require *Map, anonymous string) *Map {
	r := rule(name, match)
	if p.on("force-json-errors", false) {
		anonymous = "401"
		p.tell(Taken, "force-json-errors", "", "")
	}
	if anonymous != "login" {
		r.Set("on_anonymous", anonymous)
	}
	if require != nil {
		r.Set("require", require)
		if slices.Equal(listOf(require.Get("email_domains")), []string{nobody}) {
			r.Note("require", "TO DO: nobody passes. The report says what could not be taken over")
		}
	}
	return r
}

// openRules opens routes, those of one method in one rule.
func (p *proxy) openRules(routes []route) {
	byMethod := map[string][]string{}
	for _, r := range routes {
		byMethod[r.method] = append(byMethod[r.method], r.pattern)
		p.tell(Taken, r.option, "rules[].allow", "")
		if r.method == "GET" {
			p.tell(Differs, r.option, "rules[].match.methods", "GET stands for HEAD as well, so that HEAD is open where GET is.")
		}
		if !strings.HasPrefix(r.pattern, "/") || strings.HasSuffix(r.pattern, anything) && !strings.HasSuffix(r.pattern, "/"+anything) {
			p.tell(Differs, r.option, "rules[].match.path_regexes", quote(r.pattern)+" is as wide as it was: without ^, $ or a slash at its end it fits more than it names. Look whether it should.")
		}
	}
	for _, method := range sortedKeys(byMethod) {
		slices.Sort(byMethod[method])
		patterns := slices.Compact(byMethod[method])
		for i, chunk := range chunks(patterns) {
			match := pathsOf(chunk)
			name := "open"
			if method != "" {
				match.Set("methods", []string{method})
				name = "open-" + method
			}
			if i > 0 {
				name += "-" + strconv.Itoa(i+1)
			}
			p.addRule(rule(name, match).Set("allow", "anyone"))
			if slices.Contains(listOf(match.Get("paths")), "/*") {
				p.report.add(ToDo, "skip-auth-route", "rules[].allow", "an expression fits every path: everything is open, as it was. Is that meant?")
			}
		}
	}
}

// chunks divides what does not fit into one list.
func chunks(all []string) (lists [][]string) {
	for chunk := range slices.Chunk(all, mostEntries) {
		lists = append(lists, chunk)
	}
	return lists
}

// negatedRule opens everything but some paths, if that can be said exactly: one
// expression, of which nothing that it fitted may be missed.
func (p *proxy) negatedRule(negated []route, require *Map) bool {
	if len(negated) == 0 {
		return false
	}
	r := negated[0]
	whole, err := expression(r.pattern)
	if len(negated) > 1 || err != nil || !exact(r.pattern) {
		p.tell(ToDo, r.option, "", "routes with != open everything but a pattern. Several of them, or one with single characters that may be escaped in paths, cannot be written exactly: they were left out, and those paths need a session now.")
		return false
	}
	match, rest := pathsOf([]string{whole}), everything()
	if r.method != "" {
		match.Set("methods", []string{r.method})
		rest.Set("methods", []string{r.method})
	}
	p.addRule(p.protected("closed", match, require, "login"))
	p.addRule(rule("open-but-closed", rest).Set("allow", "anyone"))
	p.tell(Taken, r.option, "rules[].allow", "everything is open but what fits "+quote(whole)+".")
	p.tell(NotNeeded, "api-route", "", "whatever is no page that somebody opens gets 401 in any case.")
	return true
}

// apiRules answer 401 in place of sending somebody to sign in.
func (p *proxy) apiRules(require *Map) {
	var patterns []string
	for _, pattern := range p.many("api-route") {
		whole, err := expression(pattern)
		if err != nil {
			p.tell(ToDo, "api-route", "", "the expression "+quote(pattern)+" "+err.Error()+". Left out: whoever opens such a page is sent to sign in.")
			continue
		}
		patterns = append(patterns, whole)
	}
	for i, chunk := range chunks(patterns) {
		name := "api"
		if i > 0 {
			name += "-" + strconv.Itoa(i+1)
		}
		p.addRule(p.protected(name, pathsOf(chunk), require, "401"))
		p.tell(Taken, "api-route", "", "")
	}
}

// quote shows an expression or an address of somebody else's.
func quote(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

// bearer accepts tokens where they were accepted.
func (p *proxy) bearer() {
	if !p.on("skip-jwt-bearer-tokens", false) {
		p.tell(NotNeeded, "extra-jwt-issuers", "", "no tokens are accepted.")
		p.tell(NotNeeded, "oidc-extra-audience", "", "an ID token must be made out to the client.")
		return
	}
	main := p.settings.Get("providers").([]any)[0].(*Map)
	var entries []any
	if kind := main.Get("type"); kind != "github" && kind != "oauth2" {
		audiences := append([]string{str(main.Get("client_id"))}, p.many("oidc-extra-audience")...)
		entries = append(entries, NewMap().Set("provider", main.Get("name")).Set("audiences", audiences))
	}
	p.tell(Differs, "skip-jwt-bearer-tokens", "", "")
	p.tell(Differs, "oidc-extra-audience", "", "")
	for _, pair := range p.many("extra-jwt-issuers") {
		entries = p.extraIssuer(pair, main, entries)
	}
	if len(entries) > 0 {
		p.settings.Set("bearer", entries)
	}
}

// extraIssuer accepts tokens of one more issuer.
func (p *proxy) extraIssuer(pair string, main *Map, entries []any) []any {
	issuer, audience, _ := strings.Cut(pair, "=")
	if badIssuer(issuer) || audience == "" {
		p.tell(ToDo, "extra-jwt-issuers", "", "one of them is not issuer=audience, and was left out.")
		return entries
	}
	providers := p.settings.Get("providers").([]any)
	for i, known := range providers { // each provider has one entry
		known := known.(*Map)
		if known.Get("issuer") != issuer && (i > 0 || p.one("oidc-issuer-url") != issuer) {
			continue
		}
		for _, e := range entries {
			if e := e.(*Map); e.Get("provider") == known.Get("name") {
				e.Set("audiences", append(listOf(e.Get("audiences")), audience))
				p.tell(Differs, "extra-jwt-issuers", "", "")
			}
		}
		return entries
	}
	name := "issuer-" + strconv.Itoa(len(providers)+1)
	q := provider{name: name, kind: "oidc", issuer: issuer}
	if strings.Contains(issuer, "/realms/") {
		q.kind = "keycloak"
	}
	s := q.settings()
	if q.kind == "oidc" && main.Get("type") == "keycloak" {
		s.Set("claims", NewMap().Set("roles", "roles")) // rules ask all providers' tokens for them
	}
	p.settings.Set("providers", append(providers, s))
	p.cluster("extra-jwt-issuers", s)
	p.tell(Differs, "extra-jwt-issuers", "", "")
	return append(entries, NewMap().Set("provider", name).Set("audiences", []string{audience}))
}
