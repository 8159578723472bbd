package migrate

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// easy is a migration from EasyAuth.
type easy struct {
	*maker
	values    tree
	ingresses []tree
	s         *Map          // the provider
	hostNames []string      // of the chart and the ingresses
	told      []string      // headers that applications get
	picked    []string      // claims that questions bring
	missed    []ingressPath // that ask for something and could not be written
}

func (m *maker) easyAuth() error {
	e := &easy{maker: m}
	for _, f := range m.in.Files {
		docs, err := documents(f)
		if err != nil {
			return err
		}
		for _, d := range docs {
			switch {
			case d["azureAd"] != nil || d["easyAuthForK8s"] != nil:
				e.values = d
			case text(d["kind"]) == "Ingress":
				e.ingresses = append(e.ingresses, d)
			}
		}
	}
	if e.values == nil && !slices.ContainsFunc(e.ingresses, func(d tree) bool { return authURL(d) != "" }) {
		return ErrNothing
	}
	e.convert()
	return nil
}

const annotations = "nginx.ingress.kubernetes.io/"

func annotation(d tree, name string) string {
	return text(get(d, "metadata", "annotations", annotations+name))
}

func authURL(d tree) string { return annotation(d, "auth-url") }

func (e *easy) convert() {
	e.provider()
	prefix := "/" + strings.Trim(cmp.Or(text(e.values["basePath"]), "/easyauth"), "/")
	e.settings.Set("path_prefix", prefix)
	e.addHost(text(e.values["appHostName"]))
	rules := e.rules(prefix)
	e.hosts("appHostName", e.hostNames)
	e.keys("easyAuthForK8s.dataProtectionFileLocation", "The key ring")
	e.forward()
	e.bearer()
	for _, r := range rules {
		e.addRule(r)
	}
	e.report.add(ToDo, "azureAd.callbackPath", "path_prefix", "register https://<host>"+prefix+"/callback at Entra, beside the old one.")
	e.general(easyFields, "", e.values)
}

func (e *easy) addHost(h string) {
	if h = strings.ToLower(h); h != "" && !strings.ContainsAny(h, "{}$") && !slices.Contains(e.hostNames, h) {
		e.hostNames = append(e.hostNames, h)
	}
}

func (e *easy) provider() {
	ad, _ := e.values["azureAd"].(tree)
	tenant := strings.ToLower(text(ad["tenantId"]))
	if tenant == "" {
		tenant = noTenant
		e.report.add(ToDo, "azureAd.tenantId", "providers[].tenant", "is not said: put the tenant's id in. Nobody can sign in until then.")
	} else {
		e.say(easyFields, true, Taken, "azureAd.tenantId", "")
	}
	e.s = entra(tenant).settings()
	if tenant == "common" || tenant == "organizations" {
		e.anyTenant(e.s, "azureAd.tenantId")
	}
	e.settings.Set("providers", []any{e.s})
	id := text(ad["clientId"])
	if id == "" {
		id = clientToBeNamed
		e.report.add(ToDo, "azureAd.clientId", "providers[].client_id", "is not said: put it in. Nobody can sign in until then.")
	}
	e.s.Set("client_id", id)
	where := "the key CLIENT_SECRET of the Secret " + quote(cmp.Or(text(get(e.values, "secret", "name")), "aad-secret"))
	e.secret(e.s, "secret.name", where)
	if domain := text(ad["domain"]); domain != "" {
		e.s.Set("authorization_params", NewMap().Set("domain_hint", domain))
	}
	if instance := text(ad["instance"]); instance == "" || instance == "https://login.microsoftonline.com/" {
		e.say(easyFields, instance != "", NotNeeded, "azureAd.instance", "the usual one.")
	}
	if text(ad["signUpSignInPolicyId"]) != "" {
		e.s.Note("tenant", "TO DO: a policy of Azure AD B2C has another issuer. Nobody can sign in until it is here")
	}
	e.cluster("azureAd.instance", e.s)
}

// ingressPath is a path of an ingress, and what it demands.
type ingressPath struct {
	host, path string
	exact      bool
	bare       bool // fits what begins with it letter by letter, without a slash in between
	require    *Map
	foreign    bool // asks no EasyAuth
	open       bool
	closing    bool // stands for what of its host could not be written
	enrich     []string
}

// rules makes one of each path of the ingresses, the longest first, as nginx
// chooses.
func (e *easy) rules(prefix string) (rules []*Map) {
	var all []ingressPath
	for _, d := range e.ingresses {
		all = append(all, e.ingress(d, prefix)...)
	}
	all = slices.DeleteFunc(all, func(p ingressPath) bool {
		other := p.foreign && !slices.Contains(e.hostNames, p.host)
		if other {
			e.report.add(NotNeeded, "Ingress of "+p.host, "", "no path of that host asks EasyAuth.")
		}
		return other || p.open && e.misses(p.host)
	})
	all = append(all, e.closings()...)
	slices.SortStableFunc(all, byNginx)
	for i, p := range all {
		rules = append(rules, p.rule(i))
	}
	return rules
}

// misses reports whether a path of a host could not be written, so that what is open
// there could be that path.
func (e *easy) misses(host string) bool {
	return slices.ContainsFunc(e.missed, func(p ingressPath) bool { return p.host == host })
}

// closings close the hosts of which a path that requires something could not be
// written: any other rule that fits could let pass what it did not.
func (e *easy) closings() (all []ingressPath) {
	for _, p := range e.missed {
		is := func(c ingressPath) bool { return c.host == p.host }
		if p.require != nil && !slices.ContainsFunc(all, is) {
			all = append(all, ingressPath{host: p.host, path: "/", closing: true, require: lockedOut()})
		}
	}
	return all
}

func (p ingressPath) rule(i int) *Map {
	match := NewMap()
	if p.host != "" {
		match.Set("hosts", []string{p.host})
	}
	path := p.path
	if !p.exact {
		path = strings.TrimSuffix(path, "/") + "/*"
	}
	name := strings.Trim(regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(p.path, "-"), "-")
	if whole, err := expressionOf("", p.path, anything); err == nil && p.bare {
		match.Set("path_regexes", []string{whole})
	} else {
		match.Set("paths", []string{path})
	}
	if p.closing {
		name = "closed"
	}
	r := rule(strconv.Itoa(i+1)+"-"+cmp.Or(name[:min(len(name), 50)], "all"), match)
	switch {
	case p.closing:
		r.Set("require", p.require)
		r.Note("require", "TO DO: nobody passes. The report says which path could not be written")
	case p.open:
		r.Set("allow", "anyone")
	case p.require != nil:
		r.Set("require", p.require)
	}
	if len(p.enrich) > 0 {
		r.Set("enrich", p.enrich)
	}
	return r
}

// ingress reads the paths of one ingress. One without auth-url is open.
func (e *easy) ingress(d tree, prefix string) (all []ingressPath) {
	asked := authURL(d)
	base := ingressPath{foreign: asked == ""}
	switch guards := e.guards(d, prefix); {
	case len(guards) > 0:
		e.report.add(ToDo, "Ingress "+quote(text(get(d, "metadata", "name"))), "rules[].require", "is guarded by more than EasyAuth: "+strings.Join(guards, ", ")+". Nobody passes there until a rule says who may.")
		base.require = lockedOut()
	case base.foreign:
		base.open = true
	default:
		e.say(easyFields, true, Taken, "auth-url", "")
		base.require, base.enrich = e.conditions(asked)
		e.headers(annotation(d, "auth-response-headers"))
		e.say(easyFields, annotation(d, "auth-signin") != "", Differs, "auth-signin", "")
	}
	for _, r := range listed(list(get(d, "spec", "rules"))) {
		host := strings.ToLower(text(r["host"]))
		if badHost(host) {
			host = ""
		}
		for _, p := range listed(list(get(r, "http", "paths"))) {
			kind := text(p["pathType"])
			base.host, base.path, base.exact = host, cmp.Or(text(p["path"]), "/"), kind == "Exact"
			base.bare = kind != "Exact" && kind != "Prefix" && !base.open && !strings.HasSuffix(base.path, "/")
			if own := base.path == prefix || strings.HasPrefix(base.path, prefix+"/"); own {
				continue // EasyAuth's own
			}
			if badPath(strings.TrimSuffix(base.path, "/")+"/*") || strings.Contains(base.path, "*") || e.expressions(text(r["host"])) || host == "" && base.open {
				e.miss(base)
				continue
			}
			if !base.foreign {
				e.addHost(host)
			}
			all = append(all, base)
		}
	}
	return all
}

// miss tells what becomes of a host of which a path could not be written.
func (e *easy) miss(p ingressPath) {
	e.report.add(ToDo, "path "+p.path, "rules[]", "is an expression, or for any host, and was left out. Write a rule for it; without one it needs a session.")
	switch {
	case p.open:
		return
	case p.require != nil:
		e.report.add(ToDo, "path "+p.path, "rules[].require", "what was required there cannot be told apart from the rest of its host, which is closed until a rule says it.")
	default:
		e.report.add(ToDo, "path "+p.path, "rules[].allow", "what was open of its host cannot be told apart from it, and needs a session as well.")
	}
	e.missed = append(e.missed, p)
}

// conditions are the parameters of auth-url.
func (e *easy) conditions(address string) (require *Map, enrich []string) {
	_, query, _ := strings.Cut(address, "?")
	params, err := url.ParseQuery(strings.ReplaceAll(query, "|", "%7C"))
	if err != nil {
		e.report.add(ToDo, "auth-url", "rules[].require", "its parameters cannot be read: nobody passes until a rule says who may.")
		return lockedOut(), nil
	}
	var all []*Map
	for _, name := range sortedKeys(params) {
		for _, value := range params[name] {
			switch name {
			case "role":
				all = append(all, NewMap().Set("roles", strings.Split(value, "|")))
			case "scope":
				all = append(all, either(each("scopes", strings.Split(value, "|"))))
			case "graph":
				enrich = append(enrich, e.question(value)...)
			default:
				e.unknown("auth-url: " + name)
				all = append(all, lockedOut())
				continue
			}
			e.say(easyFields, true, mustFind(easyFields, name).Kind, name, "")
		}
	}
	return both(all), enrich
}

func mustFind(tables []Heading, name string) Option { o, _ := find(tables, name); return o }

func each(key string, values []string) (all []*Map) {
	for _, v := range values {
		all = append(all, NewMap().Set(key, []string{v}))
	}
	return all
}

// question asks Graph what a parameter asked.
func (e *easy) question(value string) []string {
	path, query, _ := strings.Cut(value, "?")
	params, _ := url.ParseQuery(query)
	fields := cut(params.Get("$select"))
	questions, _ := e.s.Get("enrich").([]any)
	if len(fields) == 0 || len(questions) >= 16 || !strings.HasPrefix(path, "/") {
		e.report.add(ToDo, "graph", "providers[].enrich", "a query without $select, or one too many: write the question yourself (docs/enrich.md). It was left out.")
		return nil
	}
	address := "https://graph.microsoft.com/v1.0" + path + "?$select=" + strings.Join(fields, ",")
	for _, known := range questions {
		if k := known.(*Map); k.Get("url") == address {
			return []string{str(k.Get("name"))}
		}
	}
	name, at := "graph-"+strconv.Itoa(len(questions)+1), ""
	if path != "/me" && path != "/me/manager" {
		at = "value.#." // a list
	}
	picked := NewMap()
	for _, field := range fields {
		claim := e.claimName(field)
		picked.Set(claim, at+field)
		e.picked = append(e.picked, claim)
	}
	q := NewMap().Set("name", name).Set("url", address).Set("when", "rule").Set("select", picked)
	if at != "" {
		q.Set("next", `@odata\.nextLink`)
	}
	e.s.Set("enrich", append(questions, q))
	e.report.add(ToDo, "graph", "forward.headers", "what was in x-injected-graph comes in fields of its own: change the application, or the names in `forward.headers`.")
	return []string{name}
}

// claimName is a claim's name that settings take and no question has yet.
func (e *easy) claimName(field string) string {
	name := "graph_" + strings.Trim(regexp.MustCompile(`[^a-z0-9_]+`).ReplaceAllString(strings.ToLower(field), "_"), "_")
	for n := 2; slices.Contains(e.picked, name); n++ {
		name = strings.TrimRight(name, "0123456789") + strconv.Itoa(n)
	}
	return name
}

// headers notes which fields applications get.
func (e *easy) headers(listed string) {
	for _, h := range cut(strings.ReplaceAll(listed, " ", "")) {
		if h = strings.ToLower(h); !slices.Contains(e.told, h) {
			e.told = append(e.told, h)
		}
	}
	e.say(easyFields, listed != "", Taken, "auth-response-headers", "")
}

// claimsOfHeaders are where what EasyAuth told of is in Entra's ID token.
var claimsOfHeaders = map[string]any{
	"name": "name", "oid": "oid", "tid": "tid", "sub": "sub", "email": "", "groups": "", "roles": "", "preferred-username": "",
}

// forward tells applications what EasyAuth told them.
func (e *easy) forward() {
	f := e.settings.At("forward")
	headers := NewMap()
	f.Set("headers", headers)
	prefix := strings.ToLower(cmp.Or(text(get(e.values, "easyAuthForK8s", "responseHeaderPrefix")), "x-injected-"))
	combined := strings.EqualFold(text(get(e.values, "easyAuthForK8s", "headerFormatOption")), "Combined")
	if !combined {
		e.say(easyFields, get(e.values, "easyAuthForK8s", "headerFormatOption") != nil, NotNeeded, "easyAuthForK8s.headerFormatOption", "a field for each claim.")
	}
	for _, h := range e.told {
		e.header(f, headers, h, strings.TrimPrefix(h, prefix), combined)
	}
	for _, claim := range e.picked {
		headers.Set(prefix+strings.ReplaceAll(claim, "_", "-"), claim)
	}
	switch method := cmp.Or(text(get(e.values, "easyAuthForK8s", "claimEncodingMethod")), "UrlEncode"); method {
	case "UrlEncode":
		f.Set("encoding", "percent")
	case "Base64":
		e.report.add(ToDo, "easyAuthForK8s.claimEncodingMethod", "forward.encoding", "Base64 has no counterpart: percent-encoding in its place, or the assertion.")
		f.Set("encoding", "percent")
	}
}

// header tells one field: all claims in one, or each in its own.
func (e *easy) header(f, headers *Map, header, what string, combined bool) {
	o, known := find(easyFields, "x-injected-"+what)
	path, isClaim := claimsOfHeaders[what]
	switch {
	case combined != (what == "userinfo"):
		e.report.add(NotNeeded, header, "", "was not sent: headerFormatOption.")
		return
	case combined:
		f.Set("assertion", NewMap())
	case badHeader(header):
		e.report.add(ToDo, header, "forward.headers", "is a field with a meaning of its own: take another name.")
		return
	case isClaim && path == "":
		headers.Set(header, strings.ReplaceAll(what, "-", "_"))
	case isClaim:
		headers.Set(header, NewMap().Set("path", path))
	case !known:
		e.unknown(header)
		return
	}
	e.report.add(o.Kind, header, o.Becomes, o.Text)
}

func (e *easy) bearer() {
	if !truth(get(e.values, "easyAuthForK8s", "allowBearerToken")) {
		e.say(easyFields, get(e.values, "easyAuthForK8s", "allowBearerToken") != nil, NotNeeded, "easyAuthForK8s.allowBearerToken", "is off.")
		return
	}
	id := str(e.s.Get("client_id"))
	e.settings.Set("bearer", []any{NewMap().Set("provider", "entra").Set("audiences", []string{id, "api://" + id})})
	e.say(easyFields, true, Differs, "easyAuthForK8s.allowBearerToken", "")
}
