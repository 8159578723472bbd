package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/postern-auth/postern/internal/spelling"
)

// maxString bounds a single string, secrets included and keys excepted.
const maxString = 8192

// decoder is a type that reads its own kind of value.
type decoder interface {
	decode(r *reader, path string, n *node)
}

// defaulter is a type whose parts have values where they are left out.
type defaulter interface{ setDefaults() }

// settings reads the whole.
func (r *reader) settings(c *Config, n *node) {
	c.setDefaults()
	if n.kind != kindObject {
		r.problem("", "the settings must be an object, not %s", n.kind)
		r.broken = append(r.broken, "")
		return
	}
	r.fields("", n, reflect.ValueOf(c).Elem())
}

// value reads n into v by v's type. Whatever it cannot read it leaves alone.
func (r *reader) value(path string, n *node, v reflect.Value) {
	if n.kind == kindNull {
		r.problem(path, "null is not a value; leave the key out instead")
		r.broken = append(r.broken, path)
		return
	}
	if d, ok := v.Addr().Interface().(decoder); ok {
		d.decode(r, path, n)
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s, ok := r.text(path, n); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if r.is(path, n, kindBool) {
			v.SetBool(n.truth)
		}
	case reflect.Int:
		r.integer(path, n, v)
	case reflect.Slice:
		r.slice(path, n, v)
	case reflect.Map:
		r.mapping(path, n, v)
	case reflect.Struct:
		if r.is(path, n, kindObject) {
			r.fields(path, n, v)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(path, n, prepared(v.Elem()))
	default:
		panic("config: no way to read a " + v.Type().String())
	}
}

// is notes a problem unless n is of the kind that is wanted.
func (r *reader) is(path string, n *node, want kind) bool {
	if n.kind != want {
		r.problem(path, "must be %s, not %s%s", want, n.kind, unquoted(want, n.kind))
		r.broken = append(r.broken, path)
	}
	return n.kind == want
}

// unquoted says what to do where a string was meant and YAML, or its writer, took
// something else from it: no, 401 and 1.10 are no strings there.
func unquoted(want, got kind) string {
	if want == kindString && (got == kindBool || got == kindNumber) {
		return "; put it in quotes"
	}
	return ""
}

// text reads a string.
func (r *reader) text(path string, n *node) (string, bool) { return r.textWithout(path, n, flawed) }

// textWithout reads a string in which no flaw is found.
func (r *reader) textWithout(path string, n *node, flawed func(string) string) (string, bool) {
	if !r.is(path, n, kindString) {
		return "", false
	}
	if flaw := flawed(n.text); flaw != "" {
		r.problem(path, "%s", flaw)
		return "", false
	}
	return n.text, true
}

// flawed returns what no string in the settings may be, without repeating it.
func flawed(s string) string {
	if flaw := badlySized(s, maxString); flaw != "" {
		return flaw
	}
	switch {
	case strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return "holds a line break or another control character"
	case strings.ContainsRune(s, '\uFFFD'):
		return "holds a character that is not valid Unicode"
	}
	return ""
}

// badlySized returns what is wrong with the length of a string.
func badlySized(s string, most int) string {
	switch {
	case s == "":
		return "is empty; give a value or leave the key out"
	case len(s) > most:
		return "is longer than " + strconv.Itoa(most) + " bytes"
	}
	return ""
}

// integer reads a whole number in any of JSON's spellings: Envoy's Struct
// carries numbers as doubles and may print 3600 as 3.6e3.
func (r *reader) integer(path string, n *node, v reflect.Value) {
	if !r.is(path, n, kindNumber) {
		return
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		r.problem(path, "%s is not a whole number of a reasonable size", cut(n.text))
		return
	}
	v.SetInt(int64(f))
}

// cut shortens a number's spelling.
func cut(number string) string {
	if len(number) > 24 {
		return number[:24] + "…"
	}
	return number
}

// slice reads a list. An item that cannot be read keeps its place, so that the
// indexes of those after it stay true.
func (r *reader) slice(path string, n *node, v reflect.Value) {
	if !r.is(path, n, kindList) {
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		r.value(index(path, i), item, prepared(s.Index(i)))
	}
	v.Set(s)
}

// mapping reads an object of strings.
func (r *reader) mapping(path string, n *node, v reflect.Value) {
	if !r.is(path, n, kindObject) {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.items))
	r.members(path, n, func(key string, item *node) {
		value := reflect.New(v.Type().Elem()).Elem()
		r.value(at(path, key), item, value)
		if value.IsZero() {
			return // it could not be read
		}
		m.SetMapIndex(reflect.ValueOf(key), value)
	})
	v.Set(m)
}

// fields reads an object into a struct. Keys are compared letter by letter.
func (r *reader) fields(path string, n *node, v reflect.Value) {
	byName := make(map[string]reflect.Value)
	var names []string
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("json"); name != "" {
			byName[name] = v.Field(i)
			names = append(names, name)
		}
	}
	r.members(path, n, func(key string, item *node) {
		if field, ok := byName[key]; ok {
			r.value(at(path, key), item, field)
			return
		}
		r.unknown(path, key, names)
	})
}

// members calls f for each key of an object, and notes those that occur twice.
func (r *reader) members(path string, n *node, f func(key string, item *node)) {
	seen := make(map[string]bool, len(n.keys))
	for i, key := range n.keys {
		if seen[key] {
			r.problem(at(path, key), "is given twice")
			continue
		}
		seen[key] = true
		f(key, n.items[i])
	}
}

func (r *reader) unknown(path, key string, names []string) {
	if name := spelling.Nearest(key, names); name != "" {
		r.problem(at(path, key), "unknown key; did you mean %q?", name)
		return
	}
	r.problem(at(path, key), "unknown key; known here: %s", list(names))
}

// prepared gives a new item of a list, or a part that need not be there, its
// defaults.
func prepared(v reflect.Value) reflect.Value {
	if d, ok := v.Addr().Interface().(defaulter); ok {
		d.setDefaults()
	}
	return v
}
