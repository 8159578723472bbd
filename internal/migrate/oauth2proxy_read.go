package migrate

import (
	"encoding/csv"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// given is what was said of an option.
type given struct {
	values []string
	secret string // where the value is kept, if it is not said: "the key x of the Secret y"
	line   bool   // a list of the command line, to which more may come
}

// proxy is a migration from oauth2-proxy.
type proxy struct {
	*maker
	options map[string]*given // by their names on the command line
	environ map[string]string // variables, for ${…} in the alpha configuration
	emails  []File            // candidates for the list of addresses
	alpha   bool              // headers, providers and upstreams are the alpha configuration's
	headers []tree            // its injectRequestHeaders and injectResponseHeaders
	params  map[string]string // of the provider's loginURLParameters
	extra   []string          // hosts that a chart's ingress names
	seen    bool              // anything of oauth2-proxy was there
	files   int               // configuration files that were read
	unread  []string          // sources that were named, and were not given along

	configMaps []string // names of those that were read
}

func (m *maker) oauth2Proxy() error {
	p := &proxy{maker: m, options: map[string]*given{}, environ: map[string]string{}, params: map[string]string{}}
	if err := p.read(); err != nil {
		return err
	}
	if !p.seen {
		return ErrNothing
	}
	p.convert()
	p.rest()
	return nil
}

// read reads all sources, in the order of their weight: what comes later counts.
func (p *proxy) read() error {
	var manifests, environments []File
	for _, f := range p.in.Files {
		switch sortOf(f) {
		case "yaml":
			manifests = append(manifests, f)
		case "environment":
			environments = append(environments, f)
			p.variables(f)
		case "arguments", "emails":
			// below, once the rest is known
		default:
			if err := p.toml(f); err != nil {
				return err
			}
		}
	}
	var containers []tree
	for _, f := range manifests {
		docs, err := documents(f)
		if err != nil {
			return err
		}
		for _, d := range docs {
			found, err := p.document(f, d)
			if err != nil {
				return err
			}
			containers = append(containers, found...)
		}
	}
	if several(slices.DeleteFunc(slices.Clone(containers), func(c tree) bool { return !isProxy(c) })) || p.files > 1 {
		return errSeveral
	}
	for _, f := range environments {
		p.environment(f)
	}
	for _, c := range containers {
		p.containerEnvironment(c)
	}
	for _, c := range containers {
		p.arguments(append(texts(c["command"]), texts(c["args"])...))
	}
	for _, f := range p.in.Files {
		switch sortOf(f) {
		case "arguments":
			p.arguments(commandLine(string(f.Text)))
		case "emails":
			p.emails = append(p.emails, f)
		}
	}
	p.arguments(p.in.Args)
	p.sources(containers, len(environments))
	return nil
}

var (
	assignment = regexp.MustCompile(`^(export\s+)?[A-Z_][A-Z0-9_]*=`)
	yamlKey    = regexp.MustCompile(`(?m)^[A-Za-z_-][A-Za-z0-9_.-]*:(\s|$)`)
	tomlKey    = regexp.MustCompile(`(?m)^\s*[A-Za-z0-9_.-]+\s*=`)
	address    = regexp.MustCompile(`^"?[^@\s=:"]+@[^@\s=:"]+"?(,.*)?$`)
)

// sortOf tells what a file is by what is in it.
func sortOf(f File) string {
	var lines []string
	for line := range strings.Lines(string(f.Text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	all := func(fits func(string) bool) bool {
		return len(lines) > 0 && !slices.ContainsFunc(lines, func(l string) bool { return !fits(l) })
	}
	switch {
	case all(address.MatchString):
		return "emails"
	case all(assignment.MatchString):
		return "environment"
	case len(lines) > 0 && (strings.HasPrefix(lines[0], "-") && !strings.HasPrefix(lines[0], "- ") && lines[0] != "---" ||
		regexp.MustCompile(`^(\S*/)?oauth2-proxy\s|^ExecStart=`).MatchString(lines[0])):
		return "arguments"
	case strings.HasPrefix(strings.TrimSpace(string(f.Text)), "{") || yamlKey.Match(f.Text) && !tomlKey.Match(f.Text),
		strings.HasSuffix(f.Name, ".yaml"), strings.HasSuffix(f.Name, ".yml"), strings.HasSuffix(f.Name, ".json"):
		return "yaml"
	}
	return "toml"
}

// set notes an option under the name that flags have. What is unknown is told.
func (p *proxy) set(name string, g *given) {
	p.seen = true
	if name = flagName(name); name == "" {
		return
	}
	p.options[name] = g
}

// flagName is the name on the command line of an option in whichever spelling.
func flagName(name string) string {
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
	if _, known := find(proxyOptions, name); known {
		return name
	}
	if one, plural := strings.CutSuffix(name, "s"); plural {
		if _, known := find(proxyOptions, one); known {
			return one
		}
	}
	return name
}

// toml reads the configuration file.
func (p *proxy) toml(f File) error {
	if len(f.Text) > maxFile {
		return fmt.Errorf("migrate: %s %w", f.Name, errLong)
	}
	var values map[string]any
	if _, err := toml.Decode(string(f.Text), &values); err != nil {
		return fmt.Errorf("migrate: %s is no configuration file of oauth2-proxy: it is not TOML%s", f.Name, lineOf(err))
	}
	p.files++
	for _, name := range sorted(values) {
		p.fileValue(name, values[name])
	}
	return nil
}

func (p *proxy) fileValue(name string, v any) {
	g := &given{values: texts(v)}
	if o, _ := find(proxyOptions, flagName(name)); o.plural && len(g.values) == 1 {
		if _, isList := v.([]any); !isList {
			g.values = cut(g.values[0])
		}
	}
	if len(list(v)) > 0 && len(g.values) == 0 {
		g.values = []string{""} // a list of nothing but empty entries is none that is empty
	}
	p.set(name, g)
}

// cut divides a list at its commas.
func cut(s string) (all []string) {
	for part := range strings.SplitSeq(s, ",") {
		if part != "" {
			all = append(all, part)
		}
	}
	return all
}

const variable = "OAUTH2_PROXY_"

// variables notes what an environment file sets.
func (p *proxy) variables(f File) {
	for line := range strings.Lines(string(f.Text)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			p.environ[strings.TrimSpace(name)] = unquote(strings.TrimSpace(value))
		}
	}
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

func (p *proxy) environment(f File) {
	for line := range strings.Lines(string(f.Text)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if strings.HasPrefix(name, variable) {
			p.variable(name, p.environ[name], "")
		}
	}
}

// variable notes an option that is said by a variable. An empty one says nothing
// there, and leaves what was said before.
func (p *proxy) variable(name, value, secret string) {
	if p.seen = true; value == "" && secret == "" {
		return
	}
	name = strings.TrimPrefix(name, variable)
	g := &given{values: []string{value}, secret: secret}
	if o, _ := find(proxyOptions, flagName(name)); o.plural {
		g.values = cut(value)
	}
	p.set(name, g)
}

// containerEnvironment reads the environment of a container, of Kubernetes or
// Compose.
func (p *proxy) containerEnvironment(c tree) {
	for name, v := range environmentOf(c) {
		p.environ[name] = v.values[0]
	}
	for name, v := range environmentOf(c) {
		if strings.HasPrefix(name, variable) {
			p.variable(name, v.values[0], v.secret)
		}
	}
}

func environmentOf(c tree) map[string]*given {
	all := map[string]*given{}
	if t, ok := c["environment"].(tree); ok {
		for name, v := range t {
			all[name] = &given{values: []string{text(v)}}
		}
	}
	for _, line := range texts(c["environment"]) {
		name, value, said := strings.Cut(line, "=")
		g := &given{values: []string{value}}
		if !said {
			g.secret = "the environment of Compose"
		}
		all[name] = g
	}
	list, _ := c["env"].([]any)
	for _, v := range listed(list) {
		g := &given{values: []string{text(v["value"])}, secret: keptIn(v)}
		if name := text(v["name"]); name != "" {
			all[name] = g
		}
	}
	return all
}

// document reads one object in YAML and returns the containers in it.
func (p *proxy) document(f File, d tree) (containers []tree, err error) {
	switch {
	case isChart(d):
		return p.chart(f, d)
	case text(d["kind"]) == "ConfigMap":
		return nil, p.configMap(d)
	case text(d["kind"]) == "Ingress":
		p.extra = append(p.extra, ingressHosts(d)...)
		return nil, nil
	case d["kind"] == nil && isAlpha(d):
		p.alphaConfig(d)
		return nil, nil
	}
	walk(d, func(t tree) {
		if isProxy(t) {
			containers = append(containers, t)
			p.seen = true
		}
	})
	if d["kind"] != nil || containers != nil || d["services"] != nil {
		return containers, nil
	}
	p.files++
	for _, name := range sorted(d) { // a flat file of options, in YAML
		p.fileValue(name, d[name])
	}
	return nil, nil
}

// isProxy reports whether an object is a container of oauth2-proxy's.
func isProxy(t tree) bool {
	if t["image"] == nil && t["args"] == nil && t["command"] == nil {
		return false
	}
	for name := range environmentOf(t) {
		if strings.HasPrefix(name, variable) {
			return true
		}
	}
	for _, a := range append(texts(t["command"]), texts(t["args"])...) {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if o, known := find(proxyOptions, flagName(name)); known && strings.HasPrefix(a, "-") && strings.Contains(o.Name, "-") {
			return true
		}
	}
	return strings.Contains(text(t["image"]), "oauth2-proxy") || strings.Contains(text(t["image"]), "oauth2_proxy")
}

// configMap reads the files that a ConfigMap holds.
func (p *proxy) configMap(d tree) error {
	data, _ := d["data"].(tree)
	p.configMaps = append(p.configMaps, text(get(d, "metadata", "name")))
	for _, name := range sorted(data) {
		f := File{Name: name, Text: []byte(text(data[name]))}
		switch {
		case strings.HasPrefix(name, variable):
			p.variable(name, text(data[name]), "")
		case sortOf(f) == "emails":
			p.emails = append(p.emails, f)
		case sortOf(f) == "toml" && tomlKey.Match(f.Text):
			if err := p.toml(f); err != nil {
				return err
			}
		case sortOf(f) == "yaml":
			docs, err := documents(f)
			if err != nil {
				return err
			}
			for _, inner := range docs {
				if isAlpha(inner) {
					p.alphaConfig(inner)
				}
			}
		}
	}
	return nil
}

// arguments reads a command line.
func (p *proxy) arguments(args []string) {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" || args[i] == "--" {
			continue
		}
		name, value, has := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		o, known := find(proxyOptions, flagName(name))
		switch {
		case has:
		case o.flag:
			value = "true"
		case known && i+1 < len(args):
			i++
			value = args[i]
		}
		p.argument(flagName(name), p.expand(value), o.plural)
	}
}

// argument notes one flag; of a list each adds to those before it on the line.
func (p *proxy) argument(name, value string, list bool) {
	if !list {
		p.set(name, &given{values: []string{value}})
		return
	}
	parts, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		parts = []string{value}
	}
	if g := p.options[name]; g != nil && g.line {
		g.values = append(g.values, parts...)
		return
	}
	p.set(name, &given{values: parts, line: true})
}

var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\(([A-Za-z_][A-Za-z0-9_]*)\)`)

// expand puts in variables that are known.
func (p *proxy) expand(s string) string {
	return reference.ReplaceAllStringFunc(s, func(ref string) string {
		if v, ok := p.environ[strings.Trim(ref, "${}()")]; ok && v != "" {
			return v
		}
		return ref
	})
}

// commandLine divides a command line as a shell does, without its expansions.
func commandLine(line string) (words []string) {
	line = strings.TrimPrefix(strings.ReplaceAll(strings.TrimSpace(line), "\\\n", " "), "ExecStart=")
	var word strings.Builder
	quote, inside := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote == 0 && (r == ' ' || r == '\n' || r == '\t' || r == '\r'):
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if inside {
		words = append(words, word.String())
	}
	return words
}

// base is the last part of a file's name, whichever system it is of.
func base(name string) string { return path.Base(strings.ReplaceAll(name, `\`, "/")) }
