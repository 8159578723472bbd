package doctor

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
	"github.com/postern-auth/postern/internal/metric"
)

// Subject is one place in which Postern is set up, to be looked at.
type Subject struct {
	*manifest.Found
	Config    *config.Config // nil where the settings are not valid
	Variables []string       // that the settings name
}

// Around looks at what is around settings in a file, or in a running Envoy's
// configuration. Settings that stand alone have nothing around them.
func Around(s *Subject) []Finding {
	if s.Kind == manifest.Settings {
		return nil
	}
	var all []Finding
	for _, look := range []func(*Subject) []Finding{
		policyOf, environmentOf, secretsIn, vmOf, bodiesOf, istioOf, imageOf, clustersOf, usesOf, bootstrapOf,
	} {
		all = append(all, look(s)...)
	}
	return all
}

func policyOf(s *Subject) []Finding {
	switch {
	case s.FailurePolicy == manifest.FailOpen:
		return []Finding{found("fail_open", s.PluginPath, "%s is set", manifest.FailOpen)}
	case s.FailurePolicy == manifest.FailClosed && s.Kind != manifest.EnvoyExtensionPolicy:
		return []Finding{found("fail_closed", s.PluginPath, "%s is what holds, said or not", manifest.FailClosed)}
	}
	return nil
}

func environmentOf(s *Subject) (all []Finding) {
	for _, name := range s.Variables {
		if !s.HandsOver(name) {
			all = append(all, found("variable_not_handed_over", s.PluginPath, "the variable %s is not handed over", shownName(name)))
		}
	}
	return all
}

// shownName is a variable's name. One that is not in the usual capitals may be a
// secret that somebody put where the name belongs.
func shownName(name string) string {
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return "of the settings"
		}
	}
	return name
}

func secretsIn(s *Subject) (all []Finding) {
	for _, v := range s.Env {
		if v.Value != nil && slices.Contains(s.Variables, v.Name) {
			all = append(all, found("secret_in_environment", s.PluginPath, "the value of %s stands beside its name", shownName(v.Name)))
		}
	}
	root, err := manifest.Parse(s.Settings)
	if err != nil {
		return all
	}
	for _, path := range spelledOut(root, "", "") {
		all = append(all, found("secret_in_settings", s.Path, "%s is the secret itself", path))
	}
	return all
}

// secretKeys are the settings that hold secrets.
var secretKeys = []string{"client_secret", "client_key", "password", "keys"}

// spelledOut are the places of secrets that are spelled out in settings.
func spelledOut(n *manifest.Node, path, of string) (paths []string) {
	if n == nil {
		return nil
	}
	for i, item := range n.Items {
		switch {
		case n.Kind == manifest.List:
			paths = append(paths, spelledOut(item, path+"["+strconv.Itoa(i)+"]", of)...)
		case n.Keys[i] == "value" && slices.Contains(secretKeys, of):
			paths = append(paths, path+".value")
		default:
			paths = append(paths, spelledOut(item, strings.TrimPrefix(path+"."+n.Keys[i], "."), n.Keys[i])...)
		}
	}
	return paths
}

// vmOf looks who has the same VM id. Istio gives none, and lets none be given.
func vmOf(s *Subject) []Finding {
	if s.Kind == manifest.WasmPlugin || s.Kind == manifest.EnvoyExtensionPolicy {
		return nil
	}
	all := []Finding(nil)
	if s.VMID == "" {
		f := found("vm_id_empty", s.PluginPath, "vm_id is empty")
		if s.Kind == manifest.ConfigDump && s.ofIstio() {
			f = f.as(Note)
		}
		all = append(all, f)
	}
	for _, p := range manifest.Plugins(s.Root) {
		if p != s.Plugin && p.Get("vm_config", "vm_id").Str() == s.VMID && manifest.ModuleOf(p) != s.Module {
			return append(all, found("vm_id_shared", s.PluginPath, "the plugin %q has the VM id %q, too", told(p.Get("name").Str()), told(s.VMID)))
		}
	}
	return all
}

// ofIstio says whether a running Envoy is one of Istio's.
func (s *Subject) ofIstio() bool {
	for _, part := range s.Root.Get("configs").List() {
		if part.Get("bootstrap", "node", "metadata").Get("ISTIO_VERSION") != nil {
			return true
		}
	}
	return false
}

// bodiesOf says what does not work without bodies.
func bodiesOf(s *Subject) []Finding {
	if s.AllowStop || s.Config == nil || len(s.Config.Hosts) == 0 {
		return nil
	}
	severity, what := bodiesNeeded(s.Config)
	return []Finding{found("bodies_not_let_through", s.PluginPath, "allow_on_headers_stop_iteration is not set; %s", what).as(severity)}
}

// bodiesNeeded says what for settings need bodies, and how much it matters.
func bodiesNeeded(c *config.Config) (Severity, string) {
	for i := range c.Providers {
		if c.Providers[i].ResponseMode == "form_post" {
			return Error, "nobody can sign in at " + c.Providers[i].Name + ", whose response_mode is form_post"
		}
	}
	if c.SignIn.KeepForms {
		return Warning, "forms are not kept over a login, as sign_in.keep_forms wants"
	}
	return Note, "back-channel logout is not to be had"
}

// usesOf looks at the places in which a filter is used.
func usesOf(s *Subject) (all []Finding) {
	if s.Kind == manifest.ConfigDump && len(s.Uses) == 0 {
		return []Finding{found("gate_not_used", s.PluginPath, "no listener has %q among its http_filters", told(s.Filter))}
	}
	for i := range s.Uses {
		u := &s.Uses[i]
		all = append(all, orderOf(s, u)...)
		all = append(all, routesOf(s, u)...)
		all = append(all, trustOf(s, u)...)
		all = append(all, limitOf(s, u)...)
		all = append(all, logsOf(u)...)
	}
	return distinct(all)
}

// distinct leaves out what was said before: a listener may have many filter
// chains that are alike.
func distinct(all []Finding) (once []Finding) {
	for _, f := range all {
		if !slices.Contains(once, f) {
			once = append(once, f)
		}
	}
	return once
}

// judges are filters that judge whoever asks.
var judges = []string{"rbac", "ext_authz", "jwt_authn"}

func orderOf(s *Subject, u *manifest.Use) (all []Finding) {
	for i, f := range u.Filters {
		kind, ours := strings.CutPrefix(f.Type, "envoy.extensions.filters.http.")
		kind, _, _ = strings.Cut(kind, ".")
		switch {
		case i == u.Position && f.Node.Get("disabled").True():
			all = append(all, found("gate_disabled", u.Path, "the filter %q is disabled", told(f.Name)))
		case i >= u.Position || !ours:
		case kind == "router":
			all = append(all, found("gate_after_router", u.Path, "the router is filter %d, and Postern filter %d", i+1, u.Position+1))
		case slices.Contains(judges, kind):
			all = append(all, found("filter_before_gate", u.Path, "%s stands before Postern", kind))
		}
	}
	return all
}

// routesOf looks for routes that switch the filter off.
func routesOf(s *Subject, u *manifest.Use) []Finding {
	routes := []*manifest.Node{u.Manager.Get("route_config")}
	for _, part := range s.Root.Get("configs").List() {
		if strings.HasSuffix(part.Type(), ".RoutesConfigDump") {
			routes = append(routes, part)
		}
	}
	for _, r := range routes {
		if switchesOff(r, s.Filter) {
			return []Finding{found("route_not_gated", u.Path, "a route has the filter %q disabled", told(s.Filter))}
		}
	}
	return nil
}

func switchesOff(n *manifest.Node, filter string) bool {
	if n == nil {
		return false
	}
	for i, item := range n.Items {
		if n.Kind == manifest.Object && (n.Keys[i] == "typed_per_filter_config" || n.Keys[i] == "typedPerFilterConfig") {
			if item.Get(filter, "disabled").True() {
				return true
			}
		} else if switchesOff(item, filter) {
			return true
		}
	}
	return false
}

// trustOf looks whether a client may choose the address that a token is held to.
func trustOf(s *Subject, u *manifest.Use) []Finding {
	if s.Config == nil || u.Manager.Get("use_remote_address").True() || s.Config.TrustedPeers.Hops > 0 {
		return nil
	}
	if hops, _ := u.Manager.Get("xff_num_trusted_hops").Int(); hops > 0 || len(u.Manager.Get("original_ip_detection_extensions").List()) > 0 {
		return nil
	}
	for i := range s.Config.Bearer {
		if s.Config.Bearer[i].ClientAddress {
			return []Finding{found("client_address_chosen", u.Path, "bearer[%d].client_address is set, and use_remote_address is not", i)}
		}
	}
	return nil
}

// peers says whose word Postern takes about who sent a request.
func peers(c *config.Config) string {
	switch {
	case c == nil:
		return "whom Postern believes is not known"
	case c.TrustedPeers.Listener:
		return "Postern believes whoever reaches the listener (trusted_peers.listener)"
	case len(c.TrustedPeers.SANs) > 0:
		return "Postern believes peers with a certificate of " + told(strings.Join(c.TrustedPeers.SANs, ", "))
	}
	return "Postern itself believes nobody (trusted_peers)"
}

// believed says whose word a connection manager takes.
func believed(m *manifest.Node) string {
	text := addressOf(m)
	if m.Get("skip_xff_append").True() {
		text += ", to which the peer's own is not added"
	}
	return text
}

func addressOf(m *manifest.Node) string {
	hops, _ := m.Get("xff_num_trusted_hops").Int()
	switch {
	case !m.Get("use_remote_address").True() && hops == 0:
		return "X-Forwarded-For, -Proto and -Host are taken as they come, from whoever reaches the listener"
	case !m.Get("use_remote_address").True():
		return "the caller's address is entry " + strconv.Itoa(hops) + " of X-Forwarded-For from its end, whoever sends it"
	case hops > 0:
		return "the caller's address is found " + strconv.Itoa(hops) + " hops before the peer, in X-Forwarded-For"
	}
	return "the caller's address is the peer's own, and X-Forwarded-Proto says how it came here"
}

// otherFields is what header fields beside the session's cookies may take.
const otherFields = 8 << 10

func limitOf(s *Subject, u *manifest.Use) []Finding {
	limit := 60
	if n, set := u.Manager.Get("max_request_headers_kb").Int(); set {
		limit = n
	}
	if s.Config == nil || len(s.Config.Hosts) == 0 || limit<<10 >= s.Config.Session.MaxBytes+otherFields {
		return nil
	}
	return []Finding{found("header_limit_low", u.Path, "max_request_headers_kb is %d, and session.max_bytes %d", limit, s.Config.Session.MaxBytes)}
}

// bootstrapOf looks at what holds for a whole Envoy.
func bootstrapOf(s *Subject) (all []Finding) {
	root, path := s.Root, ""
	for _, part := range s.Root.Get("configs").List() {
		if b := part.Get("bootstrap"); b != nil {
			root, path = b, "bootstrap."
		}
	}
	if s.Kind != manifest.Bootstrap && (s.Kind != manifest.ConfigDump || path == "") {
		return nil
	}
	if host := root.Get("admin", "address", "socket_address", "address").Str(); host != "" && !listensHere(host) {
		all = append(all, found("admin_open", path+"admin.address", "it listens at %s", told(host)))
	}
	if missing := tagsMissing(root); len(missing) > 0 {
		all = append(all, found("stats_tags_missing", path+"stats_config.stats_tags", "no tag for %s", strings.Join(missing, ", ")))
	}
	return all
}

// listensHere says whether what listens at an address is reached from this machine
// alone.
func listensHere(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// tagsMissing are the labels of our metrics for which Envoy has no tag.
func tagsMissing(bootstrap *manifest.Node) (missing []string) {
	named := map[string]bool{}
	for _, tag := range bootstrap.Get("stats_config", "stats_tags").List() {
		named[tag.Get("tag_name").Str()] = true
	}
	for _, label := range metric.Labels() {
		if !named[label] {
			missing = append(missing, label)
		}
	}
	slices.Sort(missing)
	return missing
}
