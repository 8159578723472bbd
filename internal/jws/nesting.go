package jws

// MaxNesting is how deep claims may nest: whoever reads them after us may do so
// by recursion, and a stack that overflows ends the VM.
const MaxNesting = 32

// maxHeaderNesting is how deep the header of a token may nest. Extensions may
// be objects; the library reads them by recursion.
const maxHeaderNesting = 8

// Deeper reports whether JSON nests deeper than limit. It does not recurse.
func Deeper(b []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString:
			if c == '\\' {
				i++
			}
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
