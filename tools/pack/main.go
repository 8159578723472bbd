// Command pack makes a WebAssembly module smaller by packing its data: what the
// module begins its memory with is compressed as one LZ4 block, and a start
// function of a hundred instructions puts it where it belongs. Go's linker writes
// it as a hundred thousand segments, one for each stretch without zeros, and
// eight bytes for each of them.
//
// The memory is the same, byte by byte, once the module is instantiated; its
// functions, exports and imports are untouched. It refuses what it does not
// understand: a module with a start function, with data that is not at a
// constant place in the one memory, or with none. It follows the WebAssembly
// core specification, section 5.5, and LZ4's description of its block format.
//
//	go run ./tools/pack in.wasm out.wasm
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pack in.wasm out.wasm")
		os.Exit(2)
	}
	if err := packFile(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func packFile(in, out string) error {
	module, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	packed, err := pack(module)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return os.WriteFile(out, packed, 0o644)
}
