package migrate

import (
	"net/url"
	"slices"
	"strings"
)

// policy takes over a SecurityPolicy of Envoy Gateway's.
func (e *envoy) policy(spec tree) {
	o := spec["oidc"].(tree)
	issuer := text(get(o, "provider", "issuer"))
	if badIssuer(issuer) {
		issuer = placeholder
		e.report.add(ToDo, "oidc.provider.issuer", "providers[].issuer", "is not there. Nobody can sign in until it is.")
	}
	e.s = ofIssuer(issuer).settings()
	e.settings.Set("providers", []any{e.s})
	e.cluster("oidc.provider.issuer", e.s)
	e.clientID(text(o["clientID"]), "oidc.clientID")
	where := ""
	if name := text(get(o, "clientSecret", "name")); name != "" {
		where = "the key client-secret of the Secret " + quote(name)
	}
	e.secret(e.s, "oidc.clientSecret", where)
	e.scopes(texts(o["scopes"]), "oidc.scopes")
	if r := texts(o["resources"]); len(r) > 0 {
		e.s.Set("resources", r)
	}
	e.policyAddresses(o)
	e.keys("oidc", "")
	e.lifetime(text(o["defaultRefreshTokenTTL"]), "oidc.defaultRefreshTokenTTL")
	e.sharedCookie(envoyFields, text(o["cookieDomain"]), "oidc.cookieDomain")
	e.sameSite(text(get(o, "cookieConfig", "sameSite")))
	e.loginTimeout(text(o["csrfTokenTTL"]))
	if get(o, "provider", "endSessionEndpoint") != nil {
		e.settings.At("sign_out").Set("at_provider", true)
	}
	e.policyTold(spec)
	e.policyRules(spec)
	for _, part := range []string{"oidc", "jwt"} {
		if t, ok := spec[part].(tree); ok {
			e.general(envoyFields, part+".", unlisted(t))
		}
	}
	e.policyRest(spec)
}

// unlisted has the objects of the list of providers in place of the list, so that
// their fields have names.
func unlisted(t tree) tree {
	providers := listed(list(t["providers"]))
	if providers == nil {
		return t
	}
	all := tree{}
	for _, p := range providers {
		for k, v := range p {
			all[k] = v
		}
	}
	t = clone(t)
	t["providers"] = all
	return t
}

func (e *envoy) policyAddresses(o tree) {
	prefix, redirect := "/oauth2", text(o["redirectURL"])
	u, err := url.Parse(redirect)
	if redirect != "" && err == nil {
		e.callback(u.Path, "oidc.redirectURL", &prefix)
	}
	if prefix != "/oauth2" {
		e.settings.Set("path_prefix", prefix)
	}
	e.hosts("oidc.redirectURL", e.redirectHosts(redirect))
}

func (e *envoy) policyTold(spec tree) {
	f := e.settings.At("forward")
	o := spec["oidc"].(tree)
	if truth(o["forwardAccessToken"]) {
		f.Set("access_token", []string{"authorization"})
	}
	if get(o, "forwardIDToken") != nil {
		e.assertion("oidc.forwardIDToken.header", f)
	}
	for _, p := range listed(list(get(spec, "jwt", "providers"))) {
		for _, h := range listed(list(p["claimToHeaders"])) {
			e.claimHeader(f, text(h["header"]), text(h["claim"]), "jwt.providers.claimToHeaders")
		}
		if truth(o["passThroughAuthHeader"]) {
			e.tokensOf(p, "jwt.providers.")
		}
	}
	if len(f.keys) == 0 {
		f.Set("headers", NewMap())
		f.Note("headers", toldNothing)
	}
}

// policyRules keeps what the policy's authorization demands.
func (e *envoy) policyRules(spec tree) {
	a, ok := spec["authorization"].(tree)
	if !ok {
		return
	}
	require, whole := authorization(a, e.providerNames(spec))
	if !whole {
		e.say(envoyFields, true, ToDo, "authorization", "holds what cannot be written as a rule: what allows by addresses, methods or headers, or denies. It was left out, so that fewer pass than did; where nothing is left nobody does. See docs/rules.md.")
	} else {
		e.say(envoyFields, true, Taken, "authorization", "")
	}
	r := rule("rest", everything())
	if require != nil {
		r.Set("require", require)
		e.addRule(r)
	}
}

// authorization is what a policy requires, and whether that is all of it.
func authorization(a tree, named map[string]string) (require *Map, whole bool) {
	whole = true
	var ways []*Map
	denies := strings.EqualFold(text(a["defaultAction"]), "Deny") || a["defaultAction"] == nil
	for _, r := range listed(list(a["rules"])) {
		way := principal(r, named)
		switch {
		case !strings.EqualFold(text(r["action"]), "Allow"): // it denies, or does what nobody knows
			return lockedOut(), false
		case way == nil:
			whole = false
		case denies:
			ways = append(ways, way)
		}
	}
	if !denies {
		return nil, whole // whatever is not denied is allowed
	}
	if require = either(ways); require == nil {
		return lockedOut(), false
	}
	return require, whole
}

// providerNames are the policy's names of providers, to ours.
func (e *envoy) providerNames(spec tree) map[string]string {
	named := map[string]string{}
	for _, p := range listed(list(get(spec, "jwt", "providers"))) {
		for _, known := range e.settings.Get("providers").([]any) {
			if k := known.(*Map); sameIssuer(k, text(p["issuer"])) {
				named[text(p["name"])] = str(k.Get("name"))
			}
		}
	}
	return named
}

// principal is what one rule asks of a token, or nil if it asks anything else.
func principal(r tree, named map[string]string) *Map {
	p, _ := r["principal"].(tree)
	jwt, ok := p["jwt"].(tree)
	if !ok || len(p) > 1 || r["operation"] != nil {
		return nil
	}
	var all []*Map
	if scopes := texts(jwt["scopes"]); len(scopes) > 0 {
		all = append(all, NewMap().Set("scopes", scopes))
	}
	for _, c := range listed(list(jwt["claims"])) {
		values := texts(c["values"])
		if text(c["name"]) == "" || len(values) == 0 {
			return nil
		}
		all = append(all, NewMap().Set("claims", NewMap().Set(claimPath(text(c["name"])), values)))
	}
	provider := named[text(jwt["provider"])]
	if provider == "" {
		return nil
	}
	require := both(append(all, NewMap().Set("provider", provider)))
	if badRequirement(NewMap().Set("all", anys(all))) && len(all) > 0 {
		return nil
	}
	return require
}

// policyRest tells of what else a policy has.
func (e *envoy) policyRest(spec tree) {
	for _, key := range sorted(spec) {
		if !slices.Contains([]string{"oidc", "jwt", "authorization", "targetRefs", "targetRef", "targetSelectors"}, key) {
			e.report.add(ToDo, key, "", "stays with Envoy Gateway: keep a SecurityPolicy with it.")
		}
	}
	e.report.add(ToDo, "targetRefs", "", "an EnvoyExtensionPolicy with the same targets takes the policy's place; Postern's filter has to be there before the policy goes.")
}
