package main

import (
	"os"
	"path/filepath"
	"strings"
)

// marks are sentences by which a licence is known, after all white space is one
// blank. The first whose sentences are all there is it.
var marks = []struct {
	id        string
	sentences []string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0, January 2004"}},
	{"MIT", []string{"Permission is hereby granted, free of charge, to any person obtaining a copy of this software"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "Neither the name of"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software for any purpose"}},
}

// licenceIn returns the SPDX identifier of the licence of what is in a folder, or
// "" where it has none that is known here.
func licenceIn(dir string) string {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return licenceOf(string(text))
		}
	}
	return ""
}

func licenceOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, m := range marks {
		if containsAll(text, m.sentences) {
			return m.id
		}
	}
	return ""
}

func containsAll(text string, sentences []string) bool {
	for _, s := range sentences {
		if !strings.Contains(text, s) {
			return false
		}
	}
	return true
}
