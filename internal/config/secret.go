package config

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Secret is a text that is never printed. Every way of formatting it gives
// "redacted"; Reveal is the one way to see it.
type Secret struct {
	hidden
	// A pointer, because fmt prints the unexported fields of whatever struct a
	// Secret ends up in without asking for its methods. It does not follow
	// pointers there.
	text *string
}

const redacted = "redacted"

// hidden is the part of a type by which it is never printed.
type hidden struct{}

func (hidden) String() string               { return redacted }
func (hidden) GoString() string             { return redacted }
func (hidden) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, redacted) }
func (hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
func (hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// NewSecret returns a secret.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal returns the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet says whether there is a secret.
func (s Secret) IsSet() bool { return s.text != nil }

// Equal says whether both hold the same text. It is for tests: it takes longer
// the more the two have in common.
func (s Secret) Equal(t Secret) bool { return s.IsSet() == t.IsSet() && s.Reveal() == t.Reveal() }

const secretForm = `must be {"env": "NAME"} or {"value": "…"}`

func (s *Secret) decode(r *reader, path string, n *node) { *s, _ = r.secret(path, n, flawed) }

// secret reads {"env": NAME} or {"value": …} and says where the text was found.
// Nothing of it is repeated, not even an unknown key: people put secrets in the
// wrong place.
func (r *reader) secret(path string, n *node, flawed func(string) string) (s Secret, found string) {
	if n.kind != kindObject || len(n.items) != 1 {
		r.problem(path, secretForm)
		return s, path
	}
	switch n.keys[0] {
	case "env":
		found = at(path, "env")
		return r.variable(found, n.items[0], flawed), found
	case "value":
		found = at(path, "value")
		return r.secretText(found, n.items[0], flawed), found
	}
	r.problem(path, secretForm)
	return s, path
}

// variable reads the name of a variable and returns what is in it.
func (r *reader) variable(path string, n *node, flawed func(string) string) Secret {
	name, ok := r.variableName(path, n)
	if !ok {
		return Secret{}
	}
	value, set := r.env(name)
	if !set {
		r.problem(path, "%s is not set in the VM's environment (vm_config.environment_variables)", shownVariable(name))
		return Secret{}
	}
	// Whoever writes a secret to a file with echo ends it with a line break.
	value = strings.TrimRight(value, "\r\n")
	if flaw := flawed(value); flaw != "" {
		r.problem(path, "%s %s", shownVariable(name), flaw)
		return Secret{}
	}
	return NewSecret(value)
}

func (r *reader) variableName(path string, n *node) (string, bool) {
	if !r.is(path, n, kindString) {
		return "", false
	}
	name := n.text
	if digit((name + "0")[0]) || !only(name, 256, func(c byte) bool { return lower(c) || upper(c) || digit(c) || c == '_' }) {
		r.problem(path, "is not the name of an environment variable; the secret itself belongs under \"value\"")
		return "", false
	}
	return name, true
}

// shownVariable names a variable in a message. A name that is not in the usual
// capitals may be a secret that somebody put where the name belongs.
func shownVariable(name string) string {
	if only(name, 64, func(c byte) bool { return upper(c) || digit(c) || c == '_' }) {
		return "the variable " + name
	}
	return "the variable of this name"
}

// secretText reads a secret that is spelled out.
func (r *reader) secretText(path string, n *node, flawed func(string) string) Secret {
	s, ok := r.textWithout(path, n, flawed)
	if !ok {
		return Secret{}
	}
	return NewSecret(s)
}

// Secret returns the bytes of the key.
func (k Key) Secret() []byte { return []byte(k.material.Reveal()) }

// decode reads a key. As in a Secret, unknown keys are not repeated.
func (k *Key) decode(r *reader, path string, n *node) {
	if !r.is(path, n, kindObject) {
		return
	}
	if slices.ContainsFunc(n.keys, func(key string) bool { return key != "id" && key != "env" && key != "value" }) {
		r.problem(path, "holds an unknown key; known here: id, env, value")
		return
	}
	text := make(map[string]Secret)
	r.members(path, n, func(key string, item *node) {
		here := at(path, key)
		switch key {
		case "id":
			k.ID, _ = r.text(here, item)
		case "env":
			k.Env, _ = r.variableName(here, item)
			text[key] = r.variable(here, item, flawed)
		case "value":
			k.Value = r.secretText(here, item, flawed)
			text[key] = k.Value
		}
	})
	r.keyID(at(path, "id"), k.ID)
	if len(text) != 1 {
		r.problem(path, `needs exactly one of "env" and "value"`)
		return
	}
	for source, t := range text {
		if t.IsSet() {
			k.material = r.keyMaterial(at(path, source), t)
		}
	}
}

func (r *reader) keyID(path, id string) {
	if r.required(path, id, `a name for the key, such as "2026-11"`) && !only(id, 32, identifier) {
		r.problem(path, `%s is not up to 32 of A-Z, a-z, 0-9, ".", "_" and "-"`, quote(id))
	}
}

// DecodeKey reads base64 in either alphabet, padded or not. The error does not tell
// what was read.
func DecodeKey(text string) ([]byte, error) {
	plain := strings.TrimRight(strings.TrimSpace(text), "=")
	plain = strings.NewReplacer("-", "+", "_", "/").Replace(plain)
	return base64.RawStdEncoding.Strict().DecodeString(plain)
}

// keyMaterial checks that a text is a key.
func (r *reader) keyMaterial(path string, text Secret) Secret {
	const advice = `make one with "openssl rand -base64 32"`
	key, err := DecodeKey(text.Reveal())
	switch {
	case err != nil:
		r.problem(path, "the key is not base64; %s", advice)
	case len(key) < 32 || len(key) > 64:
		r.problem(path, "the key has %d bytes, which must be 32 to 64; %s", len(key), advice)
	case !varied(key):
		r.problem(path, "the key is not random; %s", advice)
	default:
		return NewSecret(string(key))
	}
	return Secret{}
}

// varied refuses placeholders: 32 random bytes never have so few different
// ones.
func varied(key []byte) bool {
	distinct := bytes.Clone(key)
	slices.Sort(distinct)
	return len(slices.Compact(distinct)) >= 8
}
