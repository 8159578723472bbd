package migrate

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// service is a migration from authservice.
type service struct {
	*maker
	config    tree
	hostNames []string
	prefix    string
	single    bool // there is one chain
	caught    bool // a chain takes every request
}

func (m *maker) authservice() error {
	s := &service{maker: m, prefix: "/oauth2"}
	for _, f := range m.in.Files {
		docs, err := documents(f)
		if err != nil {
			return err
		}
		for _, d := range docs {
			if err := s.collect(f, d); err != nil {
				return err
			}
		}
	}
	if s.config == nil {
		return ErrNothing
	}
	s.convert()
	return nil
}

// collect finds the configuration, in a file of its own or in a ConfigMap, and
// what there is of Istio's around it.
func (s *service) collect(f File, d tree) error {
	switch kind := text(d["kind"]); {
	case d["chains"] != nil:
		s.config = d
	case kind == "ConfigMap":
		return s.configMap(d)
	case kind == "AuthorizationPolicy" && strings.EqualFold(text(get(d, "spec", "action")), "CUSTOM"):
		s.around("AuthorizationPolicy (CUSTOM)", d)
	case kind == "EnvoyFilter":
		s.around("EnvoyFilter (ext_authz)", d)
	case kind == "Deployment" || kind == "Service" || kind == "StatefulSet":
		s.around("Deployment, Service", d)
	case kind == "RequestAuthentication":
		s.around("RequestAuthentication", d)
	case get(d, "meshConfig", "extensionProviders") != nil || get(d, "extensionProviders") != nil:
		s.around("extensionProviders", d)
	}
	return nil
}

func (s *service) configMap(d tree) error {
	data, _ := d["data"].(tree)
	for _, name := range sorted(data) {
		inner := text(data[name])
		if !strings.Contains(inner, "chains") {
			if strings.Contains(inner, "extensionProviders") {
				s.around("extensionProviders", d)
			}
			continue
		}
		docs, err := documents(File{Name: name, Text: []byte(inner)})
		if err != nil {
			return err
		}
		for _, doc := range docs {
			if doc["chains"] != nil {
				s.config = doc
			}
		}
	}
	return nil
}

// around tells what becomes of an object that is no configuration of authservice.
func (s *service) around(name string, d tree) {
	o, _ := find(serviceFields, name)
	said := o.Text
	if n := text(get(d, "metadata", "name")); n != "" {
		said = quote(n) + ": " + said
	}
	s.report.add(o.Kind, name, o.Becomes, said)
	if name == "AuthorizationPolicy (CUSTOM)" && !everyRequest(get(d, "spec", "rules")) {
		s.report.add(ToDo, name, "rules[].allow", "its rules send some requests to authservice and not others. Here all need a session, until rules say otherwise.")
	}
}

// everyRequest reports whether a policy's rules are one that holds for all.
func everyRequest(rules any) bool {
	return slices.ContainsFunc(list(rules), func(r any) bool { t, ok := r.(tree); return ok && len(t) == 0 || r == nil })
}

func (s *service) convert() {
	chains := listed(list(s.config["chains"]))
	s.single = len(chains) == 1
	s.keys("chains", "")
	var rules []*Map
	for i, c := range chains {
		rules = append(rules, s.chain(i, c)...)
	}
	if s.settings.Get("providers") == nil {
		s.noProvider()
	}
	if s.prefix != "/oauth2" {
		s.settings.Set("path_prefix", s.prefix)
	}
	s.hosts("callback_uri", s.hostNames)
	s.domain()
	if !s.triggers(rules) {
		s.addRules(rules)
	}
	if !s.caught {
		s.addRule(rule("unmatched", everything()).Set("require", lockedOut()))
	}
	if truth(s.config["allow_unmatched_requests"]) {
		s.report.add(Differs, "allow_unmatched_requests", "hosts", "")
	}
	top := clone(s.config)
	for _, key := range []string{"chains", "default_oidc_config"} {
		delete(top, key)
	}
	s.general(serviceFields, "", top)
}

// noProvider stands in where all chains are mocks.
func (s *service) noProvider() {
	p := provider{name: "oidc", kind: "oidc", issuer: placeholder}.settings()
	p.Set("client_id", clientToBeNamed)
	s.settings.Set("providers", []any{p})
	s.report.add(ToDo, "chains", "providers[]", "no chain signs anybody in. Name a provider.")
}

// chain takes over one chain, and returns the rules that it needs.
func (s *service) chain(i int, c tree) (rules []*Map) {
	filters := listed(list(c["filters"]))
	name := regexp.MustCompile(`[^a-z0-9-]+`).ReplaceAllString(strings.ToLower(text(c["name"])), "-")
	hosts, match := s.match(c)
	s.say(serviceFields, c["match"] != nil && match != nil, Taken, "chains.match", "")
	s.say(serviceFields, true, NotNeeded, "chains.name", "")
	s.caught = s.caught || c["match"] == nil
	if match == nil && !s.single && c["match"] == nil {
		match = everything()
	}
	missed := c["match"] != nil && match == nil
	if missed || s.partial(c, hosts) { // what a later chain has for all is not for its requests
		defer func() {
			rules = append(rules, rule("closed-"+strconv.Itoa(i+1), everything()).Set("require", lockedOut()))
		}()
	}
	for n, f := range filters {
		oidc, mock := s.oidc(f), f["mock"]
		switch {
		case n > 0:
			s.report.add(ToDo, "chains.filters", "", "a chain has several: the first was taken over, and its hosts are closed until a rule says what the others asked for.")
			return []*Map{rule("closed-"+strconv.Itoa(i+1), orAll(match)).Set("require", lockedOut())}
		case oidc != nil:
			rules = append(rules, s.signIn(i, name, oidc, match)...)
		case mock != nil && (match != nil || c["match"] == nil):
			rules = append(rules, s.mock(i, truth(get(mock, "allow")), match))
		}
	}
	s.hostNames = append(s.hostNames, missing(s.hostNames, hosts)...)
	return rules
}

// partial reports whether a chain is for all hosts that begin in a way, which is not
// the whole name of its own. One that opens may open less.
func (s *service) partial(c tree, hosts []string) bool {
	if len(hosts) == 0 || text(get(c, "match", "prefix")) == "" {
		return false
	}
	for _, f := range listed(list(c["filters"])) {
		u, err := url.Parse(text(s.oidc(f)["callback_uri"]))
		if err == nil && strings.EqualFold(u.Hostname(), hosts[0]) || truth(get(f, "mock", "allow")) {
			return false
		}
	}
	return true
}

func missing(there, more []string) (all []string) {
	for _, m := range more {
		if !slices.Contains(there, m) {
			all = append(all, m)
		}
	}
	return all
}

func orAll(match *Map) *Map {
	if match == nil {
		return everything()
	}
	return match
}

func (s *service) mock(i int, allow bool, match *Map) *Map {
	r := rule("mock-"+strconv.Itoa(i+1), orAll(match))
	s.say(serviceFields, true, Differs, "mock", "")
	if allow {
		return r.Set("allow", "anyone")
	}
	return r.Set("require", lockedOut())
}

// oidc is a filter's configuration, put together with the default.
func (s *service) oidc(f tree) tree {
	if t, ok := f["oidc"].(tree); ok {
		return t
	}
	override, ok := f["oidc_override"].(tree)
	if !ok {
		return nil
	}
	s.say(serviceFields, true, Taken, "default_oidc_config", "")
	usual, _ := s.config["default_oidc_config"].(tree)
	return merge(usual, override)
}

// merge is one object with another's values over its own, as protobuf merges.
func merge(under, over tree) tree {
	all := clone(under)
	for k, v := range over {
		inner, ok := v.(tree)
		if was, both := all[k].(tree); ok && both {
			v = merge(was, inner)
		}
		all[k] = v
	}
	return all
}

// match is which requests a chain is for: hosts, or what a rule matches by.
func (s *service) match(c tree) (hosts []string, match *Map) {
	m, ok := c["match"].(tree)
	if !ok {
		return nil, nil
	}
	header, equal, prefix := strings.ToLower(text(m["header"])), text(m["equality"]), text(m["prefix"])
	switch value := equal + prefix; {
	case header == ":authority" || header == "host":
		host := strings.ToLower(strings.TrimSuffix(value, ":"))
		if badHost(host) {
			s.report.add(ToDo, "chains.match", "hosts", "a prefix of a host is none itself: name the hosts that are meant. Their requests are refused until then.")
			return nil, nil
		}
		if prefix != "" {
			s.report.add(Differs, "chains.match", "hosts", "a prefix was taken for the host "+quote(host)+".")
		}
		return []string{host}, NewMap().Set("hosts", []string{host})
	case equal != "" && !badMatchHeader(header, equal):
		return nil, NewMap().Set("headers", NewMap().Set(header, []string{equal}))
	}
	s.report.add(ToDo, "chains.match", "rules[].match", "a chain is chosen by what a rule cannot compare. Its requests are refused until a rule says which they are.")
	return nil, nil
}

func badMatchHeader(name, value string) bool {
	return badSettingOf("headers", NewMap().Set(name, []string{value}))
}

// signIn makes a provider of a filter.
func (s *service) signIn(i int, name string, c tree, match *Map) (rules []*Map) {
	p := s.provider(c)
	if !s.single && name != "" && len(name) <= 32 {
		p.Set("name", name)
	}
	providers, _ := s.settings.Get("providers").([]any)
	if slices.ContainsFunc(providers, func(other any) bool { return other.(*Map).Get("name") == p.Get("name") }) {
		p.Set("name", "chain-"+strconv.Itoa(i+1))
	}
	s.settings.Set("providers", append(providers, p))
	s.client(c, p)
	s.callback(c)
	if len(providers) == 0 {
		s.session(c)
		s.told(c)
	} else {
		s.report.add(Differs, "chains", "session", "sessions, cookies and what applications are told are those of the first chain for all.")
	}
	s.general(serviceFields, "", c)
	if match != nil {
		rules = append(rules, rule(str(p.Get("name")), match).Set("require", NewMap().Set("provider", p.Get("name"))))
	}
	return rules
}

func (s *service) provider(c tree) *Map {
	issuer := strings.TrimSuffix(text(c["configuration_uri"]), "/.well-known/openid-configuration")
	q := ofIssuer(issuer)
	if issuer == "" {
		q = guess(text(c["authorization_uri"]))
	}
	if badIssuer(q.issuer) {
		q.issuer, q.guessed = placeholder, true
	}
	p := q.settings()
	if q.guessed {
		s.report.add(ToDo, "authorization_uri", "providers[].issuer", "the issuer was found by the address alone: say what <issuer>/.well-known/openid-configuration has as `issuer`. Nobody can sign in until it is right.")
	}
	s.cluster("configuration_uri", p)
	return p
}

func (s *service) client(c tree, p *Map) {
	if id := text(c["client_id"]); id != "" {
		p.Set("client_id", id)
	} else {
		p.Set("client_id", clientToBeNamed)
		s.report.add(ToDo, "client_id", "providers[].client_id", "is not said: put it in.")
	}
	switch auth := text(c["client_authentication_method"]); auth {
	case "client_secret_post", "client_secret_basic":
		p.Set("client_auth", auth)
	case "":
	default:
		s.report.add(ToDo, "client_authentication_method", "providers[].client_auth", quote(auth)+" never worked there; it was left out.")
	}
	option, where := "client_secret", ""
	if name := text(get(c, "client_secret_ref", "name")); name != "" {
		option, where = "client_secret_ref.name", "the key client-secret of the Secret "+quote(name)
	}
	s.secret(p, option, where)
	if scopes := texts(c["scopes"]); len(scopes) > 0 {
		if !slices.Contains(scopes, "openid") {
			scopes = append([]string{"openid"}, scopes...)
		}
		p.Set("scopes", scopes)
	} else {
		p.Set("scopes", []string{"openid"})
	}
}

func (s *service) callback(c tree) {
	u, err := url.Parse(text(c["callback_uri"]))
	if err != nil || u.Host == "" {
		return
	}
	if host := strings.ToLower(strings.TrimSuffix(u.Host, ":443")); !slices.Contains(s.hostNames, host) {
		s.hostNames = append(s.hostNames, host)
	}
	if before, ok := strings.CutSuffix(u.Path, "/callback"); ok && before != "" && !badPath(before) {
		s.prefix = before
		s.say(serviceFields, true, Taken, "callback_uri", "")
		return
	}
	s.report.add(ToDo, "callback_uri", "path_prefix", "the callback is at https://"+u.Host+s.prefix+"/callback: register it at the provider beside the old one.")
}

func (s *service) session(c tree) {
	session := s.settings.At("session")
	lifetime := 168 * time.Hour
	if n, err := strconv.Atoi(text(c["absolute_session_timeout"])); err == nil && n > 0 {
		lifetime = min(time.Duration(n)*time.Second, 9600*time.Hour)
		session.Set("lifetime", seconds(lifetime))
	}
	if n, err := strconv.Atoi(text(c["idle_session_timeout"])); err == nil && n > 0 {
		session.Set("idle", seconds(min(time.Duration(n)*time.Second, lifetime)))
	}
	switch text(get(c, "cookie_attributes", "same_site")) {
	case "SAME_SITE_STRICT", "2":
		session.At("cookie").Set("same_site", "strict")
	case "SAME_SITE_NONE", "3":
		session.At("cookie").Set("same_site", "none")
	}
	if d := text(get(c, "cookie_attributes", "domain")); d != "" {
		session.At("cookie").Set("domain", strings.ToLower(d))
	}
	if get(c, "logout", "path") != nil {
		s.settings.At("sign_out").Set("at_provider", true)
	}
}

// domain leaves the cookie's domain out where not all hosts are below it.
func (s *service) domain() {
	cookie, ok := s.settings.At("session").Get("cookie").(*Map)
	if !ok || cookie.Get("domain") == nil {
		return
	}
	domain := str(cookie.Get("domain"))
	cookie.Drop("domain")
	s.sharedCookie(serviceFields, domain, "cookie_attributes.domain")
}

func (s *service) told(c tree) {
	f := s.settings.At("forward")
	if header := strings.ToLower(text(get(c, "access_token", "header"))); header != "" {
		switch {
		case c["token_exchange"] != nil:
			s.report.add(ToDo, "access_token.header", "forward.access_token", "left out: the application was given an exchanged token, and this one is for somebody else.")
		case header != "authorization" && badHeader(header):
			s.report.add(ToDo, "access_token.header", "forward.access_token", "is a field with a meaning of its own: take another.")
		default:
			f.Set("access_token", []string{header})
		}
	}
	if get(c, "id_token", "header") != nil {
		s.assertion("id_token.header", f)
	}
	f.Set("headers", NewMap())
	f.Note("headers", toldNothing)
}

func (s *service) addRules(rules []*Map) {
	for _, r := range rules {
		s.addRule(r)
	}
}

// triggers opens what authservice was not asked about. It reports whether the rules
// of chains are among those that it made.
func (s *service) triggers(chains []*Map) bool {
	rules := listed(list(s.config["trigger_rules"]))
	if len(rules) == 0 {
		return false
	}
	excluded, included, whole := trigger(rules)
	if !whole {
		s.say(serviceFields, true, ToDo, "trigger_rules", "cannot be written exactly, and were left out: every path needs a session now. Open what is to be open by rules (docs/rules.md).")
		return false
	}
	s.say(serviceFields, true, Taken, "trigger_rules", "")
	for i, chunk := range chunks(excluded) {
		s.addRule(rule(fmt.Sprintf("excluded-%d", i+1), pathsOf(chunk)).Set("allow", "anyone"))
	}
	if len(included) == 0 || slices.Contains(included, "/.*") { // then nothing is left that is not
		return false
	}
	for i, chunk := range chunks(included) {
		s.addRules(within(chains, pathsOf(chunk), i+1))
		r := rule(fmt.Sprintf("included-%d", i+1), pathsOf(chunk))
		if !s.caught {
			r.Set("require", lockedOut())
		}
		s.addRule(r)
	}
	s.addRule(rule("not-included", everything()).Set("allow", "anyone"))
	s.report.add(Differs, "trigger_rules", "rules[].allow", "everything that is not included is open, as it was.")
	return true
}

// within are rules for some paths alone.
func within(rules []*Map, paths *Map, n int) (narrowed []*Map) {
	for _, r := range rules {
		match, copied := NewMap(), NewMap()
		for _, part := range []*Map{r.Get("match").(*Map), paths} {
			for _, key := range part.keys {
				if key != "paths" || part == paths { // of a chain's own it is every path
					match.Set(key, part.Get(key))
				}
			}
		}
		for _, key := range r.keys {
			copied.Set(key, r.Get(key))
		}
		narrowed = append(narrowed, copied.Set("name", fmt.Sprintf("%s-included-%d", r.Get("name"), n)).Set("match", match))
	}
	return narrowed
}

// trigger is what is excluded and included, as expressions, if that says it all: for
// one rule, or for several without exclusions. What is not included is open, so that
// what is must not be missed.
func trigger(rules []tree) (excluded, included []string, whole bool) {
	all := true // some rule includes everything
	for _, r := range rules {
		out, in := listed(list(r["excluded_paths"])), listed(list(r["included_paths"]))
		if len(rules) > 1 && len(out) > 0 {
			return nil, nil, false
		}
		all = all && len(in) > 0
		for _, t := range out {
			p, err := stringMatch(t).pattern()
			if err != nil {
				continue // stays closed
			}
			excluded = append(excluded, p)
		}
		for _, t := range in {
			m := stringMatch(t)
			p, err := m.pattern()
			if err != nil || m.regex != "" && !exact(m.regex) {
				return nil, nil, false
			}
			included = append(included, p)
		}
	}
	if !all {
		included = nil // a rule without inclusions is for every path
	}
	return excluded, included, true
}

func stringMatch(t tree) pathMatch {
	return pathMatch{exact: text(t["exact"]), prefix: text(t["prefix"]), suffix: text(t["suffix"]), regex: text(t["regex"])}
}
