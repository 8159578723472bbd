package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func packages() []goPackage {
	own := &goModule{Path: own, Dir: ".", Main: true}
	jose := &goModule{Path: "github.com/go-jose/go-jose/v4", Version: "v4.1.8"}
	pretty := &goModule{Path: "github.com/tidwall/pretty", Version: "v1.2.0", Replace: &goModule{Path: "./tools/pretty"}}
	return []goPackage{
		{ImportPath: "unsafe", Standard: true},
		{ImportPath: "crypto", Standard: true, Imports: []string{"unsafe"}},
		{ImportPath: "github.com/go-jose/go-jose/v4/json", Imports: []string{"unsafe"}, Module: jose},
		{ImportPath: "github.com/go-jose/go-jose/v4", Imports: []string{"crypto", "github.com/go-jose/go-jose/v4/json"}, Module: jose},
		{ImportPath: "github.com/tidwall/pretty", Module: pretty},
		{ImportPath: own.Path + "/filter", Imports: []string{"github.com/go-jose/go-jose/v4", "github.com/tidwall/pretty"}, Module: own},
	}
}

func rendered(t *testing.T, wasm string) (list bom, text []byte) {
	t.Helper()
	text, err := render([]byte(wasm), packages(), map[string]string{"github.com/go-jose/go-jose/v4@v4.1.8": strings.Repeat("ab", 32)})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list, text
}

func TestTheListHasEachModuleOnceAndGo(t *testing.T) {
	list, _ := rendered(t, "wasm")
	found := map[string]*component{}
	for _, c := range list.Components {
		if found[c.Name] != nil {
			t.Errorf("%s is there twice", c.Name)
		}
		found[c.Name] = c
	}
	jose := found["github.com/go-jose/go-jose/v4"]
	if len(found) != 3 || jose == nil || jose.PURL != "pkg:golang/github.com/go-jose/go-jose/v4@v4.1.8" || len(jose.Hashes) != 1 {
		t.Errorf("got %+v", list.Components)
	}
	if c := found["stdlib"]; c == nil || !strings.HasPrefix(c.Version, "1.") || c.Licenses[0].License.ID != "BSD-3-Clause" {
		t.Errorf("Go is %+v", c)
	}
	// A scanner that looked for the replaced module's flaws would find what is not
	// in there.
	if c := found[own+"/tools/pretty"]; c == nil || strings.Contains(c.PURL, "tidwall") {
		t.Errorf("what stands in for another module is %+v", c)
	}
}

func TestTheListSaysWhatItIsOf(t *testing.T) {
	list, _ := rendered(t, "wasm")
	c := list.Metadata.Component
	// echo -n wasm | sha256sum
	const sum = "336154bf67f765f8f75d16a0accee61b5ee5f6a75b2a2905703df913bd550f3e"
	if c == nil || c.Type != "application" || len(c.Hashes) != 1 || c.Hashes[0].Content != sum {
		t.Fatalf("got %+v", c)
	}
	if other, _ := rendered(t, "other"); other.SerialNumber == list.SerialNumber || other.Metadata.Component.Hashes[0] == c.Hashes[0] {
		t.Error("the list of another module is the same")
	}
}

func TestTheSameTreeGivesTheSameList(t *testing.T) {
	_, first := rendered(t, "wasm")
	for range 5 {
		if _, again := rendered(t, "wasm"); !bytes.Equal(first, again) {
			t.Fatal("it differs")
		}
	}
}

func TestEachDependencyIsThere(t *testing.T) {
	list, _ := rendered(t, "wasm")
	refs := map[string]bool{list.Metadata.Component.Ref: true}
	for _, c := range list.Components {
		refs[c.Ref] = true
	}
	var ofOurs []string
	for _, d := range list.Dependencies {
		for _, ref := range append([]string{d.Ref}, d.DependsOn...) {
			if !refs[ref] {
				t.Errorf("%s is no component", ref)
			}
		}
		if d.Ref == list.Metadata.Component.Ref {
			ofOurs = d.DependsOn
		}
	}
	if len(list.Dependencies) != 4 || len(ofOurs) != 2 {
		t.Errorf("got %+v", list.Dependencies)
	}
}

func TestSumsAreThoseOfModulesAndNotOfTheirGoMod(t *testing.T) {
	mod := filepath.Join(t.TempDir(), "x.mod")
	text := "a v1 h1:k38WifTutpGurq3oiaqvcVtTpwr51ha0Nz7F\n"
	if err := os.WriteFile(strings.TrimSuffix(mod, "mod")+"sum", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readSums(mod); err == nil {
		t.Error("a sum that is cut is taken")
	}
	text = "a v1 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\na v1/go.mod h1:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	if err := os.WriteFile(strings.TrimSuffix(mod, "mod")+"sum", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if sums, err := readSums(mod); err != nil || len(sums) != 1 || sums["a@v1"] != strings.Repeat("00", 32) {
		t.Errorf("got %v, %v", sums, err)
	}
}

func TestLicencesAreKnownByTheirWords(t *testing.T) {
	for want, text := range map[string]string{
		"MIT":          "The MIT License (MIT)\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy of this software and",
		"Apache-2.0":   "   Apache License\n   Version 2.0, January 2004",
		"BSD-3-Clause": "Redistribution and use in source and binary forms, with or without\n * Neither the name of Google Inc.",
		"BSD-2-Clause": "Redistribution and use in source and binary forms, with or without",
		"":             "All rights reserved.",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
