package abi

import "unsafe"

// stringOf is b as a string without a copy: nobody writes to b again.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
