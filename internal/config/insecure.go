package config

import (
	"reflect"
	"strings"
)

// Insecure returns the paths of the settings that give up a protection: those
// whose names begin with insecure_ and that are on.
func (c *Config) Insecure() []string { return insecure("", reflect.ValueOf(c).Elem()) }

func insecure(path string, v reflect.Value) (paths []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return insecure(path, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			paths = append(paths, insecure(index(path, i), v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("json")
			switch here := at(path, name); {
			case name == "":
			case !strings.HasPrefix(name, "insecure_"):
				paths = append(paths, insecure(here, v.Field(i))...)
			case v.Field(i).Bool():
				paths = append(paths, here)
			}
		}
	}
	return paths
}
