// Package pathregex compiles regular expressions for the paths of requests into
// tables, and matches a path in one step for each of its bytes.
//
// It knows a small part of the syntax of the standard library's regexp (RE2), and
// what it accepts means the same there between "^(?:" and ")$": characters, ".",
// classes, \d, \w and \s and their opposites, groups, "|", and repetition by "*",
// "+", "?", "{2}", "{2,}" and "{2,3}". It refuses everything else, most of all
// what can be read in two ways, and every expression whose table would be large:
// a rule of the settings may cost a request little, whatever path it brings.
//
// Why not the standard library's: it brings half a megabyte of Unicode tables and
// engines into the module, all of which Envoy compiles each time it starts. Paths
// are printable ASCII in their normal form (RFC 3986, section 6).
package pathregex

// Regex is a compiled regular expression: a deterministic automaton over
// printable ASCII. It is not changed after Compile.
type Regex struct {
	pattern string
	class   [128]uint8 // of each byte; 0 is that of bytes that are in no path
	width   int        // the number of classes
	next    []uint16   // of state and class; state 0 is the dead end, and 1 the beginning
	accepts []bool     // of each state
}

const (
	maxPattern = 512     // bytes
	maxProgram = 2000    // instructions, after repetitions are written out
	maxStates  = 1024    // of the automaton
	maxWork    = 4 << 20 // instructions looked at while it is built
	maxRepeat  = 1000

	first, last = ' ', '~' // the bytes that there are
)

// Compile compiles a regular expression for whole paths. The error is the rest
// of a sentence about it, such as `has a "(" that is not closed`.
func Compile(pattern string) (*Regex, error) {
	tree, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	p := &program{}
	p.start = p.add(tree, p.emit(inst{op: opMatch}))
	if len(p.insts) > maxProgram {
		return nil, errLarge
	}
	return p.automaton(pattern)
}

// Match reports whether the expression fits the whole path.
func (r *Regex) Match(path string) bool {
	state := uint16(1)
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c >= 128 {
			return false
		}
		if state = r.next[int(state)*r.width+int(r.class[c])]; state == 0 {
			return false
		}
	}
	return r.accepts[state]
}

// String returns the expression as it was written.
func (r *Regex) String() string { return r.pattern }
