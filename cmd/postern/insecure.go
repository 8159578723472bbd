package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// insecureIn lists, by their paths, the settings that make things less safe and
// are in force: their names begin with insecure_, and none is on by itself.
func insecureIn(settings []byte) (paths []string) {
	decoder := json.NewDecoder(bytes.NewReader(settings))
	decoder.UseNumber()
	var root any
	if decoder.Decode(&root) != nil {
		return nil
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				walk(at+"["+strconv.Itoa(i)+"]", item)
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				here := strings.TrimPrefix(at+"."+key, ".")
				if strings.HasPrefix(key, "insecure_") && v[key] == true {
					paths = append(paths, here)
				}
				walk(here, v[key])
			}
		}
	}
	walk("", root)
	return paths
}
