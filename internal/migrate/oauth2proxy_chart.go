package migrate

import (
	"slices"
	"strings"
)

// isChart reports whether an object is the values of oauth2-proxy's Helm chart.
func isChart(d tree) bool {
	c, ok := d["config"].(tree)
	if d["kind"] != nil {
		return false
	}
	if ok && (c["clientID"] != nil || c["configFile"] != nil || c["cookieSecret"] != nil || c["existingSecret"] != nil || c["existingConfig"] != nil) {
		return true
	}
	return d["extraArgs"] != nil || get(d, "alphaConfig", "enabled") != nil
}

// chartRead are the parts of the chart's values that are looked at.
var chartRead = []string{"config", "alphaConfig", "extraArgs", "extraEnv", "envFrom", "ingress", "authenticatedEmailsFile", "sessionStorage", "htpasswdFile", "gatewayApi", "global"}

// chart reads the values of the Helm chart.
func (p *proxy) chart(f File, d tree) (containers []tree, err error) {
	p.seen = true
	c, _ := d["config"].(tree)
	if file := text(c["configFile"]); file != "" {
		if err := p.toml(File{Name: f.Name + ": config.configFile", Text: []byte(file)}); err != nil {
			return nil, err
		}
	} else if c["existingConfig"] == nil {
		p.set("email-domain", &given{values: []string{"*"}}) // the chart's own file, where none is given
	}
	if name := text(c["existingConfig"]); name != "" {
		p.report.add(ToDo, "config.existingConfig", "", "give the file of the ConfigMap "+name+" along: it holds the settings.")
		p.set("config", &given{values: []string{name}})
	}
	p.chartSecrets(c)
	p.chartFiles(d)
	if get(d, "ingress", "enabled") == nil || truth(get(d, "ingress", "enabled")) {
		p.extra = append(p.extra, chartHosts(d)...)
	}
	for _, key := range sorted(d) {
		if !slices.Contains(chartRead, key) {
			p.report.add(NotNeeded, key, "", "of the chart: oauth2-proxy's own pods go.")
		}
	}
	return []tree{{"env": d["extraEnv"], "envFrom": d["envFrom"], "args": chartArguments(d["extraArgs"])}}, nil
}

// chartSecrets notes what the chart puts into the environment.
func (p *proxy) chartSecrets(c tree) {
	existing := text(c["existingSecret"])
	for key, name := range map[string]string{"clientID": "client-id", "clientSecret": "client-secret", "cookieSecret": "cookie-secret"} {
		switch value := text(c[key]); {
		case value != "":
			p.set(name, &given{values: []string{value}})
		case existing != "":
			p.set(name, &given{values: []string{""}, secret: "the key " + name + " of the Secret " + existing})
		}
	}
	if name := text(c["cookieName"]); name != "" {
		p.set("cookie-name", &given{values: []string{name}})
	}
}

func (p *proxy) chartFiles(d tree) {
	if alpha := d["alphaConfig"]; truth(get(alpha, "enabled")) {
		if data, ok := get(alpha, "configData").(tree); ok {
			p.alphaConfig(data)
		}
		if file := text(get(alpha, "configFile")); file != "" {
			docs, _ := documents(File{Name: "alphaConfig.configFile", Text: []byte(file)})
			for _, inner := range docs {
				p.alphaConfig(inner)
			}
		}
	}
	if emails := d["authenticatedEmailsFile"]; truth(get(emails, "enabled")) {
		p.set("authenticated-emails-file", &given{values: []string{"restricted_access"}})
		if given := text(get(emails, "restricted_access")); given != "" {
			p.emails = append(p.emails, File{Name: "restricted_access", Text: []byte(given)})
		}
	}
	if truth(get(d, "htpasswdFile", "enabled")) {
		p.set("htpasswd-file", &given{values: []string{"htpasswd"}})
	}
	if text(get(d, "sessionStorage", "type")) == "redis" {
		p.set("session-store-type", &given{values: []string{"redis"}})
	}
}

// chartArguments are the extra arguments, written as an object or as a list.
func chartArguments(v any) any {
	t, ok := v.(tree)
	if !ok {
		return v
	}
	var args []any
	for _, name := range sorted(t) {
		values := texts(t[name])
		if len(values) == 0 {
			args = append(args, "--"+name)
		}
		for _, value := range values {
			args = append(args, "--"+name+"="+value)
		}
	}
	return args
}

// chartHosts are the hosts of the chart's ingress.
func chartHosts(d tree) (hosts []string) {
	for _, h := range texts(get(d, "ingress", "hosts")) {
		hosts = append(hosts, strings.ToLower(h))
	}
	return append(hosts, texts(get(d, "gatewayApi", "hostnames"))...)
}

// ingressHosts are the hosts of an Ingress.
func ingressHosts(d tree) (hosts []string) {
	for _, rule := range listed(list(get(d, "spec", "rules"))) {
		if h := text(rule["host"]); h != "" && !slices.Contains(hosts, h) {
			hosts = append(hosts, strings.ToLower(h))
		}
	}
	return hosts
}
