package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/manifest"
)

// Settings are a user's settings: as they were written, and what they mean.
type Settings struct {
	*config.Config
	Notes []string // what was changed in them

	node      *yaml.Node
	variables []variable
	reached   []*destination
}

// variable is one that settings name for a secret.
type variable struct {
	Name  string
	Where string // in the settings
}

// Reading says how settings are read.
type Reading struct {
	// Lookup is asked for variables that the settings name. What it gives is used
	// to check the settings, and for nothing else. It is os.LookupEnv if nil.
	Lookup func(name string) (string, bool)
	// KeepSecrets leaves secrets that are spelled out in the settings there.
	KeepSecrets bool
	// istio gives every cluster the name that Istio has for it.
	istio bool
}

// ReadForEnvoy reads settings to be rendered for Envoy. Their clusters keep their
// names; those that are left out get one.
func ReadForEnvoy(text []byte, r Reading) (*Settings, error) { return read(text, r) }

// ReadForIstio reads settings to be rendered for Istio, where clusters have the
// names that it gives them.
func ReadForIstio(text []byte, r Reading) (*Settings, error) {
	r.istio = true
	return read(text, r)
}

func read(text []byte, r Reading) (*Settings, error) {
	node, err := settingsNode(text)
	if err != nil {
		return nil, err
	}
	s := &Settings{node: node}
	if r.Lookup == nil {
		r.Lookup = os.LookupEnv
	}
	r.Lookup = s.takeSecrets(r)
	if err := s.parse(r); err != nil {
		return nil, err
	}
	s.reach(r.istio)
	return s, s.parseAsIs(r)
}

// settingsNode finds the one place in a file where settings are. Of a file that is
// settings and nothing else, order and comments are kept.
func settingsNode(text []byte) (*yaml.Node, error) {
	found, err := manifest.Find(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("render: the file %w", err)
	case len(found) == 0:
		return nil, errors.New("render: the file has no settings of Postern's: there is no `providers`")
	case len(found) > 1:
		return nil, fmt.Errorf("render: the file has settings in %d places; which is meant? Take out the others", len(found))
	}
	value, err := decode(found[0].Settings)
	if err != nil {
		return nil, err
	}
	if found[0].Kind == manifest.Settings {
		if node, err := written(text, value); err == nil {
			return node, nil
		}
	}
	return written(found[0].Settings, value)
}

// written is the tree of a text that says what the value does.
func written(text []byte, value any) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("render: settings: %w", err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errShape
	}
	root := document.Content[0]
	if root.HeadComment == "" {
		root.HeadComment = document.HeadComment
	}
	if root.Style&yaml.FlowStyle != 0 {
		unflow(root)
		root.Style &^= yaml.FlowStyle
	}
	return root, settle(root, value)
}

// decode reads JSON, numbers as they are written.
func decode(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("render: settings: %w", err)
	}
	return value, nil
}

// YAML is the settings as they were rendered.
func (s *Settings) YAML() string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	// What was read can be written, and memory does not fail.
	_ = e.Encode(s.node)
	_ = e.Close()
	return b.String()
}

func (s *Settings) json() ([]byte, error) { return sigsyaml.YAMLToJSONStrict([]byte(s.YAML())) }

// parse has the module's own parser say what the settings mean. Clusters that they
// leave out are lent to them, whichever it could miss.
func (s *Settings) parse(r Reading) error {
	text, err := s.json()
	if err != nil {
		return fmt.Errorf("render: settings: %w", err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		return fmt.Errorf("render: settings: %w", err)
	}
	providers, _ := root["providers"].([]any)
	for _, p := range providers {
		if p, ok := p.(map[string]any); ok {
			lendClusters(p)
		}
	}
	if text, err = json.Marshal(root); err != nil {
		return fmt.Errorf("render: settings: %w", err)
	}
	s.Config, err = config.Parse(text, r.Lookup)
	return err
}

// parseAsIs holds what is rendered to the module's own parser.
func (s *Settings) parseAsIs(r Reading) (err error) {
	text, err := s.json()
	if err != nil {
		return fmt.Errorf("render: settings: %w", err)
	}
	s.Config, err = config.Parse(text, r.Lookup)
	return err
}

func lendClusters(p map[string]any) {
	const lent = "lent"
	if _, there := p["cluster"]; !there {
		p["cluster"] = lent
	}
	all, ok := p["clusters"].(map[string]any)
	if !ok && p["clusters"] != nil {
		return // a mistake, of which the parser tells
	}
	all = maps.Clone(all)
	if all == nil {
		all = map[string]any{}
	}
	for _, address := range possible(p) {
		if host := hostOf(address); host != "" && all[host] == nil {
			all[host] = lent
		}
	}
	p["clusters"] = all
}

// possible are the addresses that a provider's settings could have called.
func possible(p map[string]any) []string {
	text := func(value any) string { s, _ := value.(string); return s }
	var addresses []string
	for _, host := range slices.Concat(config.GoogleHosts(), slices.Collect(maps.Values(graphs))) {
		addresses = append(addresses, "https://"+host)
	}
	issuer := text(p["issuer"])
	if issuer == "" {
		issuer = "https://github.com"
	}
	addresses = append(addresses, config.GitHubAPI(issuer))
	endpoints, _ := p["endpoints"].(map[string]any)
	for _, address := range endpoints {
		addresses = append(addresses, text(address))
	}
	questions, _ := p["enrich"].([]any)
	for _, q := range questions {
		if q, ok := q.(map[string]any); ok {
			addresses = append(addresses, text(q["url"]))
		}
	}
	return addresses
}

// variableNames are the settings' variables, each once, in order of where they
// stand.
func (s *Settings) variableNames() []string {
	var names []string
	for _, v := range s.variables {
		if !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}

func (s *Settings) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// called makes of a name one that is fit for variables.
func called(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToUpper(name))
}
