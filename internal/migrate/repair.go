package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/config"
)

// repair takes out of the settings what the module would not accept, because a
// value of the old settings was none that there can be. It never opens anything: a
// rule that opens goes, and one that protects lets nobody pass.
func (m *maker) repair() error {
	for range 1000 {
		err := Valid(m.settings)
		var problems config.Problems
		if !errors.As(err, &problems) {
			return err
		}
		if !m.leaveOut(problems[0].Path) {
			return fmt.Errorf("migrate: what was made of it is not valid: %w", err)
		}
	}
	return errors.New("migrate: what was made of it is not valid")
}

// leaveOut takes out what is at a path, and tells of it.
func (m *maker) leaveOut(path string) bool {
	top, rest, _ := strings.Cut(path, ".")
	name, i := indexOf(top)
	key, _, _ := strings.Cut(rest, ".")
	key, _ = indexOf(key)
	list, _ := m.settings.Get(name).([]any)
	done := false
	switch {
	case name == "rules" && i < len(list):
		done = m.closeRule(list, i, key)
	case name == "providers" && i < len(list):
		done = mendProvider(list[i].(*Map), key)
	case name == "bearer" && i < len(list):
		m.settings.Set("bearer", slices.Delete(list, i, i+1))
		done = true
	case slices.Contains([]string{"session", "sign_in", "forward"}, name) && key != "keys":
		done = drop(m.settings.At(name), key, rest)
	case name == "path_prefix" || name == "public_url":
		done = m.settings.Drop(name)
	}
	if done {
		m.report.add(ToDo, path, path, "what was made of the old value is not accepted, and was left out. Look at it.")
	}
	return done
}

// indexOf divides a step of a path such as "rules[2]".
func indexOf(step string) (name string, i int) {
	name, rest, ok := strings.Cut(step, "[")
	if !ok {
		return step, 0
	}
	i, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	if err != nil {
		return name, 0
	}
	return name, i
}

// drop takes a key out of an object, or what is wrong below it.
func drop(in *Map, key, path string) bool {
	inner, ok := in.Get(key).(*Map)
	if _, below, more := strings.Cut(path, "."); ok && more && inner.Get(below) != nil {
		return inner.Drop(below)
	}
	return in.Drop(key)
}

// closeRule mends a rule that is not accepted by what it lets pass: less.
func (m *maker) closeRule(rules []any, i int, key string) bool {
	r := rules[i].(*Map)
	switch {
	case r.Get("allow") != nil || r.Get("on_anonymous") == "pass":
		m.settings.Set("rules", slices.Delete(rules, i, i+1))
		return true
	case key == "match":
		r.Set("match", everything()).Set("require", lockedOut())
		return true
	case key == "require":
		r.Set("require", lockedOut())
		return true
	}
	return r.Drop(key)
}

// mendProvider leaves out what a provider can do without, and has a name that is
// nobody's for what it cannot.
func mendProvider(p *Map, key string) bool {
	switch key {
	case "issuer":
		p.Set(key, placeholder)
	case "client_id":
		p.Set(key, clientToBeNamed)
	case "tenant":
		p.Set(key, noTenant)
	case "endpoints":
		p.Set(key, unknownEndpoints())
		p.Set("issuer", placeholder).Set("clusters", NewMap())
	case "clusters", "name", "type", "cluster", "client_secret", "client_key":
		return false
	default:
		return p.Drop(key)
	}
	return true
}

// unknownEndpoints are addresses of nobody's.
func unknownEndpoints() *Map {
	return NewMap().Set("authorization", placeholder+"/authorization").Set("token", placeholder+"/token").Set("userinfo", placeholder+"/userinfo")
}
