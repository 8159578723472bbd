// Package main of postern.wasm: wiring only. It says what runs on the ABI.
package main

import (
	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/plugin"
)

func init() { abi.SetVMContext(plugin.NewVM()) }

// main does not run: the module is a library.
func main() {}
