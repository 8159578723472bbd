package conversation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"
)

// Script is one conversation.
type Script struct {
	Name  string // the file's name without its ending
	Title string
	Only  []string // drivers that can play it; none means all
	Why   string   // why not the others
	Fresh bool     // each case has a gate of its own
	Steps []step

	Workers  int  // how many workers each gate has
	Replicas int  // how many gates there are
	NoBodies bool // the host lets no request's body through

	Direction string // of the listener; "" where it does not say

	Cases []Case // at least one; a script without a table has one without a name

	folder string
	files  map[string]string
}

// Case is one line of a table: a name and values of variables.
type Case struct {
	Name string
	Vars map[string]string
}

// Load reads a script and the settings that it is laid over, which are in the
// same folder.
func Load(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("conversation: %w", err)
	}
	s, err := parse(filepath.Base(path), filepath.Dir(path), text)
	if err != nil {
		return nil, fmt.Errorf("conversation: %w", err)
	}
	return s, nil
}

func parse(file, folder string, text []byte) (*Script, error) {
	archive := txtar.Parse(text)
	s := &Script{Name: strings.TrimSuffix(file, ".txtar"), folder: folder, files: map[string]string{}}
	if err := s.parseHeader(file, string(archive.Comment)); err != nil {
		return nil, err
	}
	line := 1 + strings.Count(string(archive.Comment), "\n")
	for _, f := range archive.Files {
		line++ // the marker
		if _, twice := s.files[f.Name]; twice {
			return nil, fmt.Errorf("%s:%d: %s is there twice", file, line-1, f.Name)
		}
		s.files[f.Name] = string(f.Data)
		if err := s.parseFile(file, f, line); err != nil {
			return nil, err
		}
		line += strings.Count(string(f.Data), "\n")
	}
	if len(s.Steps) == 0 {
		return nil, fmt.Errorf("%s: there is no script in it", file)
	}
	if s.Cases == nil {
		s.Cases = []Case{{}}
	}
	return s, s.countGates()
}

// countGates finds how many workers and gates the steps speak of.
func (s *Script) countGates() error {
	s.Workers, s.Replicas = 1, 1
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.verb != "worker" && step.verb != "gate" {
			continue
		}
		n, err := strconv.Atoi(step.rest)
		if err != nil || n < 1 || n > maxGates {
			return step.errorf("they are numbered from 1 to %d", maxGates)
		}
		if step.verb == "worker" {
			s.Workers = max(s.Workers, n)
		} else {
			s.Replicas = max(s.Replicas, n)
		}
	}
	return nil
}

// maxGates is how many workers, and how many gates, a script can have.
const maxGates = 8

func (s *Script) parseFile(file string, f txtar.File, line int) (err error) {
	switch {
	case f.Name == "script":
		s.Steps, err = parseSteps(file, string(f.Data), line, s.folder)
	case f.Name == "cases":
		s.Cases, err = parseCases(file, string(f.Data), line, s.folder)
	case !strings.HasSuffix(f.Name, ".json"):
		err = fmt.Errorf("%s:%d: a file named %s means nothing", file, line-1, f.Name)
	}
	return err
}

// parseHeader reads the comment: title, and where the script can run.
func (s *Script) parseHeader(file, comment string) error {
	for i, line := range strings.Split(comment, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "#"):
			s.Title = strings.TrimSpace(s.Title + " " + strings.TrimSpace(line[1:]))
		case strings.HasPrefix(line, "only: "):
			names, why, ok := strings.Cut(strings.TrimPrefix(line, "only: "), " (")
			if !ok || !strings.HasSuffix(why, ")") {
				return fmt.Errorf("%s:%d: only: needs a reason in parentheses", file, i+1)
			}
			s.Only, s.Why = strings.Fields(names), strings.TrimSuffix(why, ")")
		case line == "a new gate for each case":
			s.Fresh = true
		case line == "the host lets no bodies through":
			s.NoBodies = true
		case line == "the listener is inbound":
			s.Direction = inbound
		case line == "the listener is outbound":
			s.Direction = outbound
		default:
			return fmt.Errorf("%s:%d: %q means nothing here", file, i+1, line)
		}
	}
	if s.Title == "" {
		return fmt.Errorf("%s:1: a script begins with its title", file)
	}
	return nil
}

// RunsOn reports whether a driver can play the script.
func (s *Script) RunsOn(driver string) bool {
	return len(s.Only) == 0 || slices.Contains(s.Only, driver)
}

// parseCases reads a table: a line of names, then lines of values, with bars
// between the columns. A value in double quotes is a JSON string and stands for
// itself; others may hold references. "from FILE as
// $name" takes names and values from a file of lines "name: JSON string".
func parseCases(file, text string, first int, folder string) ([]Case, error) {
	var cases []Case
	var columns []string
	for i, line := range strings.Split(text, "\n") {
		fail := func(why string) error { return fmt.Errorf("%s:%d: cases: %s", file, first+i, why) }
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if from, ok := strings.CutPrefix(line, "from "); ok {
			more, err := casesFrom(from, folder)
			if err != nil {
				return nil, fail(err.Error())
			}
			cases = append(cases, more...)
			continue
		}
		cells := strings.Split(line+" ", " | ") // the last one may be empty
		if columns == nil {
			columns = cells
			continue
		}
		c, err := parseCase(columns, cells)
		if err != nil {
			return nil, fail(err.Error())
		}
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s:%d: cases: there are none", file, first)
	}
	return cases, nil
}

func parseCase(columns, cells []string) (Case, error) {
	if len(cells) != len(columns) {
		return Case{}, fmt.Errorf("%d columns in place of %d", len(cells), len(columns))
	}
	c := Case{Name: strings.TrimSpace(cells[0]), Vars: map[string]string{}}
	for i := 1; i < len(cells); i++ {
		name := strings.TrimPrefix(strings.TrimSpace(columns[i]), "$")
		value, err := caseValue(strings.TrimSpace(cells[i]))
		if err != nil {
			return Case{}, err
		}
		c.Vars[name] = value
	}
	return c, nil
}

func caseValue(cell string) (string, error) {
	if !strings.HasPrefix(cell, `"`) {
		return cell, nil
	}
	var value string
	if err := json.Unmarshal([]byte(cell), &value); err != nil {
		return "", fmt.Errorf("%s is no JSON string", cell)
	}
	return strings.ReplaceAll(value, "$", "$$"), nil // it stands for itself
}

func casesFrom(spec, folder string) ([]Case, error) {
	path, name, ok := strings.Cut(spec, " as $")
	if !ok {
		return nil, fmt.Errorf("from needs a file, as and a $name")
	}
	f, err := os.Open(filepath.Join(folder, filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var cases []Case
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		title, quoted, ok := strings.Cut(line, `: "`)
		value, err := caseValue(`"` + quoted)
		if !ok || err != nil {
			return nil, fmt.Errorf("%q is not a name and a JSON string", line)
		}
		cases = append(cases, Case{Name: title, Vars: map[string]string{name: value}})
	}
	return cases, nil
}
