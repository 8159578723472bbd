package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds on what is read: settings are written by people.
const (
	maxFile      = 4 << 20
	maxDocuments = 1000
	maxDepth     = 100
)

// tree is an object of a file in YAML or JSON.
type tree = map[string]any

var errLong = errors.New("is longer than 4 MiB")

// documents reads all objects of a file in YAML or JSON. What a parser says of a
// text may hold parts of it, and so secrets: only its place is told.
func documents(f File) (all []tree, err error) {
	if len(f.Text) > maxFile {
		return nil, fmt.Errorf("migrate: %s %w", f.Name, errLong)
	}
	if bytes.ContainsRune(f.Text, 0) {
		return nil, fmt.Errorf("migrate: %s is no text", f.Name)
	}
	if json.Valid(f.Text) {
		return fromJSON(f)
	}
	d := yaml.NewDecoder(bytes.NewReader(f.Text))
	for len(all) < maxDocuments {
		var n yaml.Node
		switch err := d.Decode(&n); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("migrate: %s is neither YAML nor JSON%s", f.Name, lineOf(err))
		}
		var v any
		if tooDeep(&n, 0) || n.Decode(&v) != nil {
			return nil, fmt.Errorf("migrate: %s cannot be read: a key is there twice, or it is nested too deep", f.Name)
		}
		all = append(all, objects(v)...)
	}
	return nil, fmt.Errorf("migrate: %s has more than %d documents", f.Name, maxDocuments)
}

// fromJSON reads JSON as such: its tabs are none of YAML's.
func fromJSON(f File) ([]tree, error) {
	d := json.NewDecoder(bytes.NewReader(f.Text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("migrate: %s is no JSON that can be read", f.Name)
	}
	return objects(v), nil
}

// objects are a document, or the items of a List of Kubernetes.
func objects(v any) []tree {
	t, ok := v.(tree)
	if !ok {
		if list, ok := v.([]any); ok {
			return listed(list)
		}
		return nil
	}
	if text(t["kind"]) == "List" {
		items, _ := t["items"].([]any)
		return listed(items)
	}
	return []tree{t}
}

func listed(items []any) (all []tree) {
	for _, item := range items {
		if t, ok := item.(tree); ok {
			all = append(all, t)
		}
	}
	return all
}

func tooDeep(n *yaml.Node, depth int) bool {
	return depth > maxDepth || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return tooDeep(c, depth+1) })
}

// lineOf is the place that a parser's message names, and nothing else of it.
func lineOf(err error) string {
	_, rest, found := strings.Cut(err.Error(), "line ")
	if !found {
		return ""
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	return " (line " + rest[:end] + ")"
}

// text is a value as a text: scalars as they are written.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	}
	return ""
}

// get follows keys into a tree; it is nil where there is nothing.
func get(v any, keys ...string) any {
	for _, key := range keys {
		t, ok := v.(tree)
		if !ok {
			return nil
		}
		v = t[key]
	}
	return v
}

// texts are the texts of a list, or the one in its place.
func texts(v any) (all []string) {
	list, ok := v.([]any)
	if !ok {
		if s := text(v); s != "" {
			return []string{s}
		}
		return nil
	}
	for _, item := range list {
		if s := text(item); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// truth reads what is true or false.
func truth(v any) bool {
	on, _ := strconv.ParseBool(strings.ToLower(text(v)))
	return on
}

// sorted are the keys of a tree in order.
func sorted(t tree) []string { return slices.Sorted(maps.Keys(t)) }

// leaf is a value of a tree that is none itself, and where it is: indexes of lists
// are left out ("providers[].clientID").
type leaf struct {
	path  string
	value any
}

// leaves are all values of a tree. Below the paths that stop names they are not
// looked for: what is there is one value.
func leaves(path string, v any, stop func(string) bool) (all []leaf) {
	switch v := v.(type) {
	case tree:
		if path != "" && (len(v) == 0 || stop != nil && stop(path)) {
			return []leaf{{path, v}}
		}
		for _, key := range sorted(v) {
			all = append(all, leaves(strings.TrimPrefix(path+"."+key, "."), v[key], stop)...)
		}
		return all
	case []any:
		if stop != nil && stop(path) {
			return []leaf{{path, v}}
		}
		for _, item := range v {
			all = append(all, leaves(path+"[]", item, stop)...)
		}
		return all
	}
	return []leaf{{path, v}}
}

// walk calls f for every object within a tree, itself first.
func walk(v any, f func(tree)) {
	switch v := v.(type) {
	case tree:
		f(v)
		for _, key := range sorted(v) {
			walk(v[key], f)
		}
	case []any:
		for _, item := range v {
			walk(item, f)
		}
	}
}
