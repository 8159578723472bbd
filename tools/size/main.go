// Command size tells what build/postern.wasm is made of: bytes by Go package,
// from the code section and the name section, and its imports and exports. Its
// test holds them against testdata/module, where each package has a budget, so
// that what a change adds is seen. It reads no other tool's output and weighs
// code alone: a package's share of the data section cannot be told.
//
//	go run ./tools/size                     # the table, as it is now
//	go test ./tools/size -update            # accept it
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the repository")
	flag.Parse()
	now, _, err := measure(*root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
	golden, err := readGolden(*root)
	if err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
	fmt.Print(formatEntries(settle(golden, now)))
}

// measure weighs the built module.
func measure(root string) ([]entry, *module, error) {
	file, err := os.ReadFile(filepath.Join(root, "build", "postern.wasm"))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: run `make build` first", err)
	}
	m, err := parseModule(file)
	if err != nil {
		return nil, nil, err
	}
	packages, err := modulePackages(root)
	if err != nil {
		return nil, nil, err
	}
	return weigh(m, len(file), packages), m, nil
}

func goldenPath(root, name string) string {
	return filepath.Join(root, "testdata", "module", name+".golden")
}

func readGolden(root string) ([]entry, error) {
	text, err := os.ReadFile(goldenPath(root, "size"))
	if err != nil {
		return nil, err
	}
	return parseEntries(string(text))
}
