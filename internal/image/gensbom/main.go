// Command gensbom writes what postern.wasm is made of as CycloneDX 1.6 in JSON:
// the modules that are compiled into it, and Go's standard library, with their
// versions, hashes, licences, and which needs which.
//
// It asks the Go tool, so that nothing is listed that is not in there, and writes
// no time and nothing random: the same tree gives the same list.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	module := flag.String("module", "build/postern.wasm", "the module that the list is of")
	modfile := flag.String("modfile", "build/wasm.mod", "the go.mod that the module was built from")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if err := run(*module, *modfile, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gensbom:", err)
		os.Exit(1)
	}
}

func run(module, modfile, out string) error {
	wasm, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	packages, err := list(modfile)
	if err != nil {
		return err
	}
	sums, err := readSums(modfile)
	if err != nil {
		return err
	}
	text, err := render(wasm, packages, sums)
	if err != nil {
		return err
	}
	return os.WriteFile(out, text, 0o644)
}
