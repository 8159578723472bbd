// Command gendoc writes the configuration reference from the doc comments of
// package config, so that there is one text and not two that differ; and, of the
// same comments, the JSON Schema by which editors know the settings.
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
	out := flag.String("o", "", "file to write the reference to")
	schema := flag.String("schema", "", "file to write the JSON Schema to")
	flag.Parse()
	if err := run(*source, *out, *schema); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func run(source, out, schema string) error {
	text, err := render(source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, text, 0o644); err != nil || schema == "" {
		return err
	}
	if text, err = renderSchema(source); err != nil {
		return err
	}
	return os.WriteFile(schema, text, 0o644)
}
