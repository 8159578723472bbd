package migrate

import (
	"strconv"
	"strings"
	"time"
)

// headerMatch is one of Envoy's matchers of request fields.
type headerMatch struct {
	name   string
	path   pathMatch
	fold   bool
	simple bool // one comparison, not turned around
}

func headerMatchOf(t tree) headerMatch {
	h := headerMatch{name: strings.ToLower(text(t["name"])), simple: !truth(t["invert_match"])}
	s, _ := t["string_match"].(tree)
	h.fold = truth(s["ignore_case"])
	h.path = pathMatch{
		exact: text(s["exact"]) + text(t["exact_match"]), prefix: text(s["prefix"]) + text(t["prefix_match"]),
		suffix: text(s["suffix"]) + text(t["suffix_match"]), contains: text(s["contains"]) + text(t["contains_match"]),
	}
	if regex := text(get(s, "safe_regex", "regex")) + text(get(t, "safe_regex_match", "regex")); regex != "" {
		h.path.regex = "^(?:" + regex + ")$" // Envoy's fit the whole value
	}
	if t["present_match"] != nil || t["range_match"] != nil || truth(t["treat_missing_header_as_empty"]) {
		h.simple = false
	}
	return h
}

// pattern is the expression for paths that a matcher of :path means.
func (h headerMatch) pattern() (string, error) {
	if !h.fold {
		return h.path.pattern()
	}
	p := h.path
	for _, part := range []struct {
		text          string
		before, after string
	}{{p.exact, "^", "$"}, {p.prefix, "^", ""}, {p.suffix, "", "$"}, {p.contains, "", ""}} {
		if part.text != "" {
			return expression("(?i)" + part.before + quoteRegex(part.text) + part.after)
		}
	}
	return p.pattern()
}

// quoteRegex quotes a text for Go's regexp.
func quoteRegex(s string) string {
	var out strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// passesTokens reports whether requests with a token of their own were let through.
func passesTokens(c tree) bool {
	for _, t := range listed(list(c["pass_through_matcher"])) {
		if headerMatchOf(t).name == "authorization" {
			return true
		}
	}
	return false
}

// filterRules sets what is open and what is answered 401.
func (e *envoy) filterRules(c tree) {
	e.matched(c, "pass_through_matcher", "open", func(r *Map) { r.Set("allow", "anyone") })
	e.matched(c, "allow_failed_matcher", "optional", func(r *Map) { r.Set("on_anonymous", "pass") })
	e.matched(c, "deny_redirect_matcher", "api", func(r *Map) { r.Set("on_anonymous", "401") })
}

// matched makes rules of matchers.
func (e *envoy) matched(c tree, field, name string, set func(*Map)) {
	var patterns []string
	var methods []string
	for _, t := range listed(list(c[field])) {
		h := headerMatchOf(t)
		pattern, err := h.pattern()
		switch {
		case h.name == ":method" && h.simple && !h.fold && h.path.exact != "" && !badSetting("methods", h.path.exact) && name == "open":
			methods = append(methods, h.path.exact)
			e.say(envoyFields, true, Taken, field, "")
		case h.name == "authorization" && name == "open": // tokens, above
		case h.name != ":path" && name == "api":
			e.say(envoyFields, true, NotNeeded, field, "scripts get 401 in any case; whoever opens a page is sent to sign in.")
		case h.name != ":path" || !h.simple || err != nil:
			e.say(envoyFields, true, ToDo, field, "a matcher of "+quote(h.name)+" cannot be written as a rule, and was left out: those requests need a session now.")
		default:
			patterns = append(patterns, pattern)
			e.say(envoyFields, true, Taken, field, "")
		}
	}
	for i, chunk := range chunks(patterns) {
		e.matchedRule(name, i, pathsOf(chunk), set)
	}
	if len(methods) > 0 {
		e.matchedRule(name+"-methods", 0, NewMap().Set("methods", methods).Set("paths", []string{"/*"}), set)
	}
}

func (e *envoy) matchedRule(name string, i int, match *Map, set func(*Map)) {
	if i > 0 {
		name += "-" + strconv.Itoa(i+1)
	}
	r := rule(name, match)
	set(r)
	e.addRule(r)
}

// jwtProviders are those of jwt_authn, of all configurations.
func (e *envoy) jwtProviders() (all []tree) {
	for _, j := range e.jwt {
		providers, _ := j["providers"].(tree)
		for _, name := range sorted(providers) {
			if p, ok := providers[name].(tree); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// tokens accepts the tokens that jwt_authn accepted, if they came that far.
func (e *envoy) tokens(passed bool) {
	providers := e.jwtProviders()
	switch {
	case passed && len(providers) == 0:
		e.report.add(ToDo, "pass_through_matcher", "bearer[]", "requests with an Authorization field were let through, whatever was in it. Here nothing is until `bearer` says whose tokens are good.")
	case passed:
		e.report.add(Taken, "pass_through_matcher", "bearer[]", "requests with a token pass where jwt_authn would have let them.")
		for _, p := range providers {
			e.tokensOf(p, "jwt_authn.providers.")
		}
	case len(providers) > 0:
		e.report.add(NotNeeded, "jwt_authn.providers", "", "it looked at the session's own token, which is verified when it is got. Take jwt_authn out, or leave it for what else it does.")
	}
	for _, j := range e.jwt {
		rest := clone(j)
		delete(rest, "providers")
		delete(rest, "@type")
		e.general(envoyFields, "jwt_authn.", rest)
		for _, p := range providers {
			e.general(envoyFields, "jwt_authn.providers.", p)
		}
	}
}

// tokensOf accepts tokens of one issuer.
func (e *envoy) tokensOf(p tree, prefix string) {
	issuer := text(p["issuer"])
	if badIssuer(issuer) {
		e.report.add(ToDo, prefix+"issuer", "bearer[]", "a provider without an issuer was left out: whose tokens are they?")
		return
	}
	providers := e.settings.Get("providers").([]any)
	name := ""
	for _, known := range providers {
		if k := known.(*Map); sameIssuer(k, issuer) {
			name = str(k.Get("name"))
		}
	}
	if name == "" {
		name = "issuer-" + strconv.Itoa(len(providers)+1)
		q := ofIssuer(issuer)
		q.name = name
		s := q.settings()
		e.settings.Set("providers", append(providers, s))
		e.cluster(prefix+"issuer", s)
	}
	entry := NewMap().Set("provider", name)
	audiences := texts(p["audiences"])
	if len(audiences) == 0 {
		audiences = []string{str(e.s.Get("client_id"))}
		entry.Note("audiences", "TO DO: any audience was good. Name those that this application is called by")
		e.report.add(ToDo, prefix+"audiences", "bearer[].audiences", "none is said, so that tokens for anybody were good. Here they must be for the client: name the audiences that callers use.")
	}
	entry.Set("audiences", audiences)
	if d, err := time.ParseDuration(text(p["max_lifetime"])); err == nil && d >= time.Minute {
		entry.Set("max_lifetime", seconds(d))
	}
	entries, _ := e.settings.Get("bearer").([]any)
	e.settings.Set("bearer", append(entries, entry))
}

// sameIssuer reports whether a provider has this issuer.
func sameIssuer(s *Map, issuer string) bool {
	if s.Get("issuer") == issuer {
		return true
	}
	kind, _ := s.Get("type").(string)
	return s.Get("issuer") == nil && (usual(kind, issuer) || kind == "entra" && entra(str(s.Get("tenant"))).issuer == issuer)
}

// claimHeaders has the headers that jwt_authn made of claims.
func (e *envoy) claimHeaders(f *Map) {
	for _, p := range e.jwtProviders() {
		for _, h := range listed(list(p["claim_to_headers"])) {
			e.claimHeader(f, text(h["header_name"]), text(h["claim_name"])+strings.Join(texts(h["claim_path"]), "."), "jwt_authn.providers.claim_to_headers")
		}
	}
}

func (e *envoy) claimHeader(f *Map, name, claim, option string) {
	if name == "" || claim == "" || badHeader(name) {
		e.say(envoyFields, true, ToDo, option, "a field among them has a meaning of its own, or no claim: left out.")
		return
	}
	f.At("headers").Set(strings.ToLower(name), NewMap().Set("path", claimPath(claim)))
	e.say(envoyFields, true, Taken, option, "")
}
