package migrate

import "slices"

// Kind is what became of an option.
type Kind string

// The kinds, in the order in which they are told.
const (
	Taken     Kind = "taken_over"
	Differs   Kind = "differs"
	ToDo      Kind = "to_do"
	NotNeeded Kind = "not_needed"
)

// Kinds are all of them.
var Kinds = []Kind{Taken, Differs, ToDo, NotNeeded}

// Line is what became of one option.
type Line struct {
	Kind    Kind   `json:"kind"`
	Option  string `json:"option"`            // as theirs is called
	Becomes string `json:"becomes,omitempty"` // where that is in the settings
	Text    string `json:"text,omitempty"`    // what there is to say about it
}

// Report is what became of all options, in the order in which they were met.
type Report []Line

func (r *Report) add(kind Kind, option, becomes, text string) {
	line := Line{kind, option, becomes, text}
	if !slices.Contains(*r, line) {
		*r = append(*r, line)
	}
}

// Of are the lines of one kind.
func (r Report) Of(kind Kind) (lines []Line) {
	for _, line := range r {
		if line.Kind == kind {
			lines = append(lines, line)
		}
	}
	return lines
}

// tells reports whether an option was told of.
func (r Report) tells(option string) bool {
	return slices.ContainsFunc(r, func(l Line) bool { return l.Option == option })
}
