package conversation

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// step is one step of a script.
type step struct {
	file string
	line int
	verb string // the first word, or two where only two mean something
	rest string // what follows on the line
	text []detail
	body string // what ends the step, where it begins like JSON or HTML
}

// detail is an indented line of a step.
type detail struct {
	line       int
	kind       detailKind
	name, text string
}

type detailKind int

const (
	field       detailKind = iota // name: text
	query                         // ? name=text
	form                          // & name=text
	absent                        // absent: name name
	bodyIs                        // body: text
	contains                      // body contains text
	lacks                         // body lacks text
	member                        // json path: text
	noCookie                      // no cookies
	peer                          // peer address
	certificate                   // certificate name
)

func (s *step) String() string { return strings.TrimSpace(s.verb + " " + s.rest) }

func (s *step) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s: %w", s.file, s.line, s, fmt.Errorf(format, args...))
}

// verbs are the steps with what may be indented beneath them.
var verbs = map[string][]detailKind{
	"->":           {field, bodyIs, noCookie, peer, certificate},
	"stream":       {field, bodyIs, noCookie, peer, certificate},
	"<-":           {field, query, absent, bodyIs, contains, lacks, member},
	"=> forwarded": {field, absent},
	"call":         {field, form, absent, bodyIs},
	"reply":        {field, bodyIs},
	"app answers":  {field, bodyIs},
	"pending":      nil, "gone": nil, "provider": nil, "take over": nil, "hand back": nil, "event": nil,
	"clock": nil, "browser": nil, "jar": nil, "let": nil, "assert": nil, "restart with": nil,
	"include": nil, "calls": nil, "log mentions": nil, "worker": nil, "gate": nil, "open": nil, "cut": nil,
}

// parseSteps reads the steps of a script, whose first line has the given number.
func parseSteps(file, text string, first int, folder string) ([]step, error) {
	var steps []step
	for i, line := range strings.Split(text, "\n") {
		number := first + i
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || line[0] == '#' {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(steps) == 0 {
				return nil, fmt.Errorf("%s:%d: a script begins in the first column", file, number)
			}
			if err := steps[len(steps)-1].add(trimmed, number); err != nil {
				return nil, err
			}
			continue
		}
		s, err := parseStep(file, trimmed, number)
		if err != nil {
			return nil, err
		}
		if s.verb != "include" {
			steps = append(steps, s)
			continue
		}
		more, err := includePart(s, folder)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

func includePart(s step, folder string) ([]step, error) {
	name := s.rest + ".txt"
	text, err := os.ReadFile(filepath.Join(folder, "parts", name))
	if err != nil {
		return nil, s.errorf("%v", err)
	}
	return parseSteps("parts/"+name, string(text), 1, folder)
}

func parseStep(file, line string, number int) (step, error) {
	words := strings.Fields(line)
	for n := min(2, len(words)); n > 0; n-- {
		verb := strings.Join(words[:n], " ")
		if _, known := verbs[verb]; known {
			rest := line
			for _, w := range words[:n] {
				rest = strings.TrimSpace(strings.TrimPrefix(rest, w))
			}
			return step{file: file, line: number, verb: verb, rest: rest}, nil
		}
	}
	return step{}, fmt.Errorf("%s:%d: %q is no step", file, number, line)
}

var fieldName = regexp.MustCompile(`^[!#$%&'*+.^_|~0-9A-Za-z-]+$`)

// add takes an indented line into the step.
func (s *step) add(line string, number int) error {
	answers := s.verb == "reply" || s.verb == "app answers"
	if s.body != "" || (answers && strings.ContainsRune("{[<$", rune(line[0]))) {
		s.body += line + "\n"
		return nil
	}
	if (s.verb == "->" || s.verb == "stream") && line[0] == '$' { // a whole field, from a table
		s.text = append(s.text, detail{line: number, kind: field, text: line})
		return nil
	}
	d, ok := parseDetail(line)
	d.line = number
	if !ok || !s.takes(d.kind) {
		return fmt.Errorf("%s:%d: %q means nothing below %q", s.file, number, line, s.verb)
	}
	s.text = append(s.text, d)
	return nil
}

func (s *step) takes(kind detailKind) bool {
	for _, k := range verbs[s.verb] {
		if k == kind {
			return true
		}
	}
	return false
}

func parseDetail(line string) (detail, bool) {
	for prefix, kind := range map[string]detailKind{
		"body contains ": contains, "body lacks ": lacks, "body: ": bodyIs, "absent: ": absent, "peer ": peer, "certificate ": certificate,
	} {
		if text, ok := strings.CutPrefix(line, prefix); ok {
			return detail{kind: kind, text: text}, true
		}
	}
	for prefix, kind := range map[string]detailKind{"? ": query, "& ": form} {
		if text, ok := strings.CutPrefix(line, prefix); ok {
			name, text, ok := strings.Cut(text, "=")
			return detail{kind: kind, name: strings.TrimSpace(name), text: strings.TrimSpace(text)}, ok
		}
	}
	if line == "no cookies" {
		return detail{kind: noCookie}, true
	}
	name, text, ok := strings.Cut(line, ":")
	if path, json := strings.CutPrefix(name, "json "); json {
		return detail{kind: member, name: path, text: strings.TrimSpace(text)}, ok
	}
	return detail{kind: field, name: strings.ToLower(name), text: strings.TrimSpace(text)}, ok && fieldName.MatchString(name)
}

// of are the details of a kind.
func (s *step) of(kind detailKind) (found []detail) {
	for _, d := range s.text {
		if d.kind == kind {
			found = append(found, d)
		}
	}
	return found
}
