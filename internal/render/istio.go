package render

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/metric"
)

// IstioOptions say where in Istio the settings are to be in force.
type IstioOptions struct {
	Name      string   // of the objects; postern
	Namespace string   // "" leaves it to kubectl
	Selector  []string // KEY=VALUE labels of the proxies' pods; or
	Target    string   // KIND/NAME that the plugin is attached to
	Sidecar   bool     // the selected pods are applications, and not gateways
	Image     string   // oci://…
	Secret    string   // of the variables; as Name
	Log       string   // the mesh's access log provider; "-" for none, postern if empty
	CA        string   // file; as Envoy's
	Bodies    bool     // an EnvoyFilter that lets bodies through, also where no setting needs it

	ClientCertificate, ClientKey string // files in the proxy

	Kustomize bool   // several files and a kustomization, and not one file
	Command   string // how it was made
}

// placeholder is the image of nobody.
const placeholder = "oci://registry.example.com/postern@sha256:0000000000000000000000000000000000000000000000000000000000000000"

// noLog is the access log provider that stands for none.
const noLog = "-"

// istio is what the templates take.
type istio struct {
	IstioOptions
	TargetKind, TargetName, TargetGroup string
	Labels                              []label
	Where, Injection                    string
	Mode, Context                       string
	Placeholder                         bool
	PullPolicy                          string
	Env, StatTags, Resources            []string
	Settings                            string
}

type label struct{ Key, Value string }

// externalHost is a host outside the mesh.
type externalHost struct {
	Name, Namespace, Host, Cluster, Comment string
	Port, TargetPort                        int
	TLS                                     bool
	CA, Certificate, Key                    string
}

// groups of what a plugin can be attached to.
var targetGroups = map[string]string{
	"Gateway": "gateway.networking.k8s.io", "GatewayClass": "gateway.networking.k8s.io",
	"Service": "", "ServiceEntry": "networking.istio.io",
}

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	labelKey   = regexp.MustCompile(`^([a-z0-9][-a-z0-9.]*/)?[A-Za-z0-9][-A-Za-z0-9_.]*$`)
	labelValue = regexp.MustCompile(`^[A-Za-z0-9]?[-A-Za-z0-9_.]*$`)
	imageName  = regexp.MustCompile(`^(oci|https?|file)://[-A-Za-z0-9._/:@]+$`)
)

// Istio renders manifests.
func Istio(s *Settings, o IstioOptions) (*Output, error) {
	data, err := istioData(s, o)
	if err != nil {
		return nil, err
	}
	hosts, err := externalHosts(s, data)
	if err != nil {
		return nil, err
	}
	out := &Output{Notes: slices.Clone(s.Notes)}
	files, err := data.files(s, hosts, out)
	if err != nil {
		return nil, err
	}
	data.notes(s, out)
	if o.Kustomize {
		out.Files = files
		return out, nil
	}
	out.Files = []File{joined(files, data.IstioOptions)}
	return out, nil
}

func istioData(s *Settings, o IstioOptions) (*istio, error) {
	o.Name, o.CA, o.Log = cmp.Or(o.Name, "postern"), cmp.Or(o.CA, DefaultCA), cmp.Or(o.Log, "postern")
	o.Secret = cmp.Or(o.Secret, o.Name)
	o.Image = cmp.Or(o.Image, placeholder)
	o.ClientCertificate = cmp.Or(o.ClientCertificate, "/etc/postern/client.crt")
	o.ClientKey = cmp.Or(o.ClientKey, "/etc/postern/client.key")
	d := &istio{IstioOptions: o, StatTags: metric.Labels(), Env: s.variableNames(), Settings: s.YAML(), PullPolicy: "IfNotPresent"}
	d.Placeholder = o.Image == placeholder
	if !strings.Contains(o.Image, "@sha256:") {
		d.PullPolicy = "Always" // what a tag names may change
	}
	for _, name := range []string{o.Name, cmp.Or(o.Namespace, "x"), o.Secret, o.Log} {
		if !objectName.MatchString(name) && name != noLog {
			return nil, wrong("%q is not a name of Kubernetes", name)
		}
	}
	if !imageName.MatchString(o.Image) {
		return nil, wrong("image: %q is not an address such as %s", o.Image, placeholder)
	}
	if err := d.target(); err != nil {
		return nil, err
	}
	d.place(s)
	return d, nil
}

// target reads what the plugin is attached to.
func (d *istio) target() error {
	switch {
	case d.Target == "" && len(d.Selector) == 0:
		return wrong("for whom? Name labels (selector) or what it is attached to (target-ref): without either, every proxy of the namespace would have it")
	case d.Target != "" && len(d.Selector) > 0:
		return wrong("a selector and a target contradict each other")
	case d.Target != "" && d.Sidecar:
		return wrong("sidecars are named by labels (selector)")
	}
	for _, text := range d.Selector {
		key, value, ok := strings.Cut(text, "=")
		if !ok || !labelKey.MatchString(key) || !labelValue.MatchString(value) {
			return wrong("selector: %q is not a label such as app=shop", text)
		}
		d.Labels = append(d.Labels, label{key, value})
	}
	if d.Target == "" {
		return nil
	}
	kind, name, _ := strings.Cut(d.Target, "/")
	group, known := targetGroups[kind]
	if !known || !objectName.MatchString(name) {
		return wrong("target-ref: %q is not Gateway/NAME, GatewayClass/NAME, Service/NAME or ServiceEntry/NAME", d.Target)
	}
	d.TargetKind, d.TargetName, d.TargetGroup = kind, name, group
	return nil
}

// place says where the settings are in force, and on which side.
func (d *istio) place(s *Settings) {
	protects, sends := len(s.Hosts) > 0 || s.PublicURL != "", len(s.Outbound) > 0
	switch {
	case d.TargetKind != "":
		d.Where, d.Injection, d.Context = "a "+d.TargetKind, "the ConfigMap "+d.TargetName+"-proxy", "GATEWAY"
		if d.TargetKind != "Gateway" {
			d.Where, d.Injection = "the waypoint of a "+d.TargetKind, "the ConfigMap of the waypoint"
		}
	case d.Sidecar:
		d.Where, d.Injection, d.Context = "a sidecar", "a patch of the application's Deployment", "SIDECAR_INBOUND"
		d.Mode = "SERVER"
	default:
		d.Where, d.Injection, d.Context = "a gateway", "values for its Helm chart", "GATEWAY"
	}
	switch {
	case sends && !protects:
		d.Where, d.Mode, d.Context = "what applications send", "CLIENT", "SIDECAR_OUTBOUND"
	case sends && d.Sidecar:
		d.Where, d.Mode, d.Context = "both sides of a sidecar", "CLIENT_AND_SERVER", "ANY"
	}
}

// needsBodies reports whether any setting needs a host that gives the module
// request bodies.
func needsBodies(s *Settings) bool {
	if s.SignIn.KeepForms {
		return true
	}
	for i := range s.Providers {
		if s.Providers[i].ResponseMode == "form_post" {
			return true
		}
	}
	return false
}

// externalHosts are the hosts that need a ServiceEntry.
func externalHosts(s *Settings, d *istio) (hosts []externalHost, err error) {
	for _, to := range s.reached {
		if !(address{Host: to.Host}).isName() {
			return nil, fmt.Errorf("render: %s: in Istio a cluster is called by a host's name, and %s is an address", strings.Join(to.Uses, ", "), to.Host)
		}
		if inMesh(to.Host) {
			continue
		}
		h := externalHost{
			Name: d.Name + "-" + strings.Map(dashed, to.Host), Namespace: d.Namespace, Host: to.Host, Cluster: to.Cluster,
			Comment: "For " + strings.Join(to.Uses, ", "), Port: to.Port, TLS: to.TLS, CA: d.CA,
		}
		if to.Certificate {
			h.Certificate, h.Key = d.ClientCertificate, d.ClientKey
		}
		hosts = append(hosts, h)
	}
	return append(hosts, calledInIstio(s, d, hosts)...), nil
}

// inMesh reports whether a host is a service of the cluster, which Istio knows.
func inMesh(host string) bool {
	return strings.HasSuffix(host, ".svc.cluster.local")
}

// calledInIstio are hosts outside the mesh that applications call: by http, so that
// Postern can read and change the request, and from the proxy on by TLS.
func calledInIstio(s *Settings, d *istio, known []externalHost) (hosts []externalHost) {
	for i := range s.Outbound {
		for _, p := range s.Outbound[i].Match.Hosts {
			name, own, below := p.Name()
			is := func(h externalHost) bool { return h.Host == name }
			if below || !own || inMesh(name) || !strings.Contains(name, ".") || slices.ContainsFunc(known, is) || slices.ContainsFunc(hosts, is) {
				continue
			}
			hosts = append(hosts, externalHost{
				Name: d.Name + "-" + strings.Map(dashed, name), Namespace: d.Namespace, Host: name, CA: d.CA,
				Cluster: "outbound|80||" + name, Comment: "Called by the application as http://" + name, Port: 80, TargetPort: 443,
			})
		}
	}
	return hosts
}

// files are the parts of what is rendered, by the names that they have in a
// directory.
func (d *istio) files(s *Settings, hosts []externalHost, out *Output) (files []File, err error) {
	add := func(name, template string, data any, resource bool) {
		text, failed := execute(template, data)
		err = errors.Join(err, failed)
		files = append(files, File{name, text})
		if resource {
			d.Resources = append(d.Resources, name)
		}
	}
	plugin := "wasmplugin"
	if needsBodies(s) || d.Bodies {
		if plugin = "envoyfilter"; d.TargetKind != "" && d.TargetKind != "Gateway" {
			plugin = "wasmplugin"
			out.Notes = append(out.Notes, "An EnvoyFilter cannot be attached to a "+d.TargetKind+", so that bodies are not let through here: kept forms, form_post and back-channel logout do not work.")
		}
	}
	add(plugin+".yaml", plugin, d, true)
	for _, h := range hosts {
		add(h.Name+".yaml", "host", h, true)
	}
	if d.Log != noLog && (d.TargetKind == "" || d.TargetKind == "Gateway" || d.TargetKind == "Service") {
		add("telemetry.yaml", "telemetry", d, true)
	}
	switch {
	case d.TargetKind == "Gateway":
		add("proxy.yaml", "proxy", d, true)
	case d.TargetKind != "":
		out.Notes = append(out.Notes, "The variables reach the waypoint by the ConfigMap of its Gateway: render once with --target-ref Gateway/NAME for it.")
	case d.Sidecar || d.Mode == "CLIENT":
		add("deployment-patch.yaml", "patch", d, false)
	default:
		add("values.yaml", "values", d, false)
	}
	add("kustomization.yaml", "kustomization", d, false)
	return files, err
}

func (d *istio) notes(s *Settings, out *Output) {
	note := func(format string, args ...any) { out.Notes = append(out.Notes, fmt.Sprintf(format, args...)) }
	switch {
	case d.Placeholder:
		note("No image was named; the digest that postern push prints goes in its place.")
	case !strings.Contains(d.Image, "@sha256:"):
		note("The image is not named by its digest: what it names may change.")
	}
	note("The Secret %s has to be there with %s, and another value of the annotation postern/secret starts proxies that read it.", d.Secret, strings.Join(d.Env, ", "))
	if w := s.Session.Store.Webdis; w != nil && !strings.HasPrefix(w.Cluster, "outbound|") {
		note("Webdis is called by the cluster %s, which is not one of Istio's: such as outbound|7379||webdis.%s.svc.cluster.local.", w.Cluster, cmp.Or(d.Namespace, "NAMESPACE"))
	}
	for _, to := range s.reached {
		if inMesh(to.Host) {
			note("%s is a service of the mesh and is called as such, by %s.", to.Host, to.Cluster)
		}
	}
}

// joined is one file of all objects, and, as comments at its head, what is not one.
func joined(files []File, o IstioOptions) File {
	var head, body strings.Builder
	for _, f := range files {
		switch f.Name {
		case "kustomization.yaml":
			secret, _, _ := strings.Cut(string(f.Text), "apiVersion:")
			head.WriteString(secret)
		case "values.yaml", "deployment-patch.yaml":
			head.WriteString("#\n" + commented(string(f.Text)))
		default:
			body.WriteString("---\n" + string(f.Text))
		}
	}
	return File{Text: []byte(head.String() + body.String())}
}

// commented makes comments of all lines.
func commented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			b.WriteString(line)
			continue
		}
		b.WriteString("#   " + line)
	}
	return b.String()
}
