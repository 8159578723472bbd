package render

import (
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// secretPlace is a place in settings that holds a secret, or names its variable.
type secretPlace struct {
	node  *yaml.Node // an object with env or value
	where string
	name  string // what a variable for it would be called
}

// secretPlaces are all of them, in the order in which settings are usually written.
func secretPlaces(root *yaml.Node) (places []secretPlace) {
	add := func(node *yaml.Node, where, name string) {
		if node != nil && node.Kind == yaml.MappingNode {
			places = append(places, secretPlace{node, where, name})
		}
	}
	session := member(root, "session")
	if keys := member(session, "keys"); keys != nil {
		for i, key := range keys.Content {
			name := "POSTERN_KEY"
			if id := member(key, "id"); i > 0 && id != nil {
				name += "_" + called(id.Value)
			}
			add(key, "session.keys["+strconv.Itoa(i)+"]", name)
		}
	}
	if providers := member(root, "providers"); providers != nil {
		for i, p := range providers.Content {
			at, name := "providers["+strconv.Itoa(i)+"].", "PROVIDER_"+strconv.Itoa(i)
			if n := member(p, "name"); n != nil {
				name = called(n.Value)
			}
			add(member(p, "client_secret"), at+"client_secret", name+"_CLIENT_SECRET")
			add(member(p, "client_key"), at+"client_key", name+"_CLIENT_KEY")
		}
	}
	add(member(member(member(session, "store"), "webdis"), "password"), "session.store.webdis.password", "WEBDIS_PASSWORD")
	return places
}

// takeSecrets notes the variables that settings name, and puts one in the place of
// each secret that is spelled out. The lookup that it returns knows these too, so
// that what is rendered can be checked.
func (s *Settings) takeSecrets(r Reading) func(string) (string, bool) {
	places := secretPlaces(s.node)
	for _, place := range places {
		if env := member(place.node, "env"); env != nil {
			s.variables = append(s.variables, variable{env.Value, place.where})
		}
	}
	taken := map[string]string{}
	for _, place := range places {
		value := member(place.node, "value")
		if value == nil || member(place.node, "env") != nil {
			continue
		}
		if r.KeepSecrets {
			s.note("%s is spelled out: whoever can read the configuration can read it.", place.where)
			continue
		}
		name := s.freeName(place.name)
		taken[name] = value.Value
		s.variables = append(s.variables, variable{name, place.where})
		for i := 0; i+1 < len(place.node.Content); i += 2 {
			if place.node.Content[i].Value == "value" {
				setText(place.node.Content[i], "env", 0)
				setText(place.node.Content[i+1], name, 0)
			}
		}
		s.note("%s was spelled out and is left out: put it into the variable %s.", place.where, name)
	}
	return func(name string) (string, bool) {
		if value, there := taken[name]; there {
			return value, true
		}
		return r.Lookup(name)
	}
}

// freeName is a name that no other secret has.
func (s *Settings) freeName(name string) string {
	free := name
	for n := 2; slices.ContainsFunc(s.variables, func(v variable) bool { return v.Name == free }); n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	return free
}
