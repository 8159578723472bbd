// Command gendoc writes the configuration reference from the doc comments of
// package config, so that there is one text and not two that differ.
//
// A field's comment is prose, and then, each on its own line, what applies of
// "Required.", "Default: …" and "Example: …".
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	source := flag.String("source", ".", "folder of package config")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if err := run(*source, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func run(source, out string) error {
	text, err := render(source)
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}
