package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// expectation is an entry of a table: a request, and what is to become of it.
type expectation struct {
	file string
	line int
	name string
	tryout.Case

	expect string            // a kind of outcome
	rule   *string           // nil: any
	reason string            // "" for any
	given  map[string]values // header fields that the application must be given
}

// values are those of a header field; none says that it must not be there.
type values []string

// maxCases is how many entries a table may have.
const maxCases = 10000

// tableReader reads one table, strictly, and collects all that is wrong with it.
type tableReader struct {
	file     string
	now      time.Time
	problems config.Problems
}

// at notes what is wrong with a node, with its place.
func (r *tableReader) at(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, config.Problem{Path: r.file + ":" + strconv.Itoa(n.Line), Message: fmt.Sprintf(format, args...)})
}

// readTable reads a table of expectations. The error lists all that is wrong
// with it, one a line.
func readTable(file string, now time.Time) ([]expectation, error) {
	text, err := readFile(file, "the expectations")
	if err != nil {
		return nil, usageError{err}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, config.Problems{{Path: file, Message: oneLine(err)}}
	}
	r := &tableReader{file: file, now: now}
	cases := r.cases(&root)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return cases, nil
}

func (r *tableReader) cases(root *yaml.Node) (cases []expectation) {
	if root.Kind == yaml.DocumentNode {
		root = root.Content[0]
	}
	if root.Kind != yaml.SequenceNode {
		r.at(root, "must be a list of expectations")
		return nil
	}
	if len(root.Content) > maxCases {
		r.at(root, "has more than %d expectations", maxCases)
		return nil
	}
	lines := map[string]int{}
	for _, n := range root.Content {
		e := r.expectation(n)
		if first, twice := lines[e.name]; twice {
			r.at(n, "name: %s is that of the expectation in line %d", quoted(e.name), first)
		} else if e.name != "" {
			lines[e.name] = n.Line
		}
		if e.name == "" && e.URL != nil {
			e.name = e.describe()
		}
		cases = append(cases, e)
	}
	return cases
}

// known are the keys of an expectation.
var known = []string{"name", "request", "headers", "claims", "as", "expect", "rule", "reason", "application"}

func (r *tableReader) expectation(n *yaml.Node) expectation {
	e := expectation{file: r.file, line: n.Line}
	keys, ok := r.mapping(n, known)
	if !ok {
		return e
	}
	if v := keys["name"]; v != nil {
		e.name = r.text(v, "name")
	}
	r.request(n, keys, &e)
	r.expected(n, keys, &e)
	return e
}

// describe names an expectation that has no name of its own.
func (e *expectation) describe() string {
	name := e.Method + " " + e.URL.String()
	if e.Claims == nil {
		return name + ", by nobody"
	}
	if subject, ok := e.Claims["sub"].(string); ok {
		return name + ", by " + subject
	}
	return name
}

// mapping reads the keys of an object, each of which must be known and there
// once. Without a list of those that are known, all are.
func (r *tableReader) mapping(n *yaml.Node, known []string) (keys map[string]*yaml.Node, ok bool) {
	n = behind(n)
	if n.Kind != yaml.MappingNode {
		r.at(n, "must be an object")
		return nil, false
	}
	keys = map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case known != nil && !slices.Contains(known, key.Value):
			r.at(key, "%s is not known; known here: %s", quoted(key.Value), strings.Join(known, ", "))
		case keys[key.Value] != nil:
			r.at(key, "%s is given twice", quoted(key.Value))
		default:
			keys[key.Value] = behind(n.Content[i+1])
		}
	}
	return keys, true
}

// behind is what an alias stands for.
func behind(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (r *tableReader) text(n *yaml.Node, key string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.at(n, "%s: must be a text", key)
		return ""
	}
	return n.Value
}

// request reads what is asked, and by whom.
func (r *tableReader) request(n *yaml.Node, keys map[string]*yaml.Node, e *expectation) {
	if v := keys["request"]; v == nil {
		r.at(n, `request: must be given, such as "GET https://app.example.com/"`)
	} else {
		method, address, _ := strings.Cut(r.text(v, "request"), " ")
		var err error
		if e.Method, e.URL, err = readRequest(method, address); err != nil {
			r.at(v, "request: %v", err)
		}
	}
	if v := keys["headers"]; v != nil {
		r.fields(v, e)
	}
	if v := keys["claims"]; v != nil && v.Tag != "!!null" {
		r.claims(v, e)
	}
	if v := keys["as"]; v != nil {
		switch as := r.text(v, "as"); {
		case as != "session" && as != "token":
			r.at(v, "as: must be session or token")
		case keys["claims"] == nil:
			r.at(v, "as: has no place where there are no claims")
		default:
			e.Token = as == "token"
		}
	}
}

func (r *tableReader) fields(n *yaml.Node, e *expectation) {
	keys, _ := r.mapping(n, nil)
	for name, v := range keys {
		for _, value := range r.values(v, "headers: "+name) {
			f, err := readField(name, value)
			if err != nil {
				r.at(v, "headers: %v", err)
				continue
			}
			e.Header = append(e.Header, f)
		}
	}
	slices.SortStableFunc(e.Header, func(a, b httpmsg.Field) int { return strings.Compare(a.Name, b.Name) })
}

// values reads a text or a list of them.
func (r *tableReader) values(n *yaml.Node, key string) (values []string) {
	if n.Kind != yaml.SequenceNode {
		return []string{r.text(n, key)}
	}
	for _, item := range n.Content {
		values = append(values, r.text(behind(item), key))
	}
	return values
}

// claims reads claims: an object, or the name of a file beside the table.
func (r *tableReader) claims(n *yaml.Node, e *expectation) {
	var err error
	if n.Kind == yaml.ScalarNode {
		file := n.Value
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(r.file), file)
		}
		if e.Claims, err = readClaims(file, r.now); err != nil {
			r.at(n, "claims: %v", err)
		}
		return
	}
	var doc map[string]any
	if err = n.Decode(&doc); err != nil {
		r.at(n, "claims: must be an object, or the name of a file: %v", err)
		return
	}
	text, err := json.Marshal(doc)
	if err == nil {
		e.Claims, err = tryout.ParseClaims(text, r.now)
	}
	if err != nil {
		r.at(n, "claims: %v", err)
	}
}

// statuses are what a gate answers by itself.
var statuses = regexp.MustCompile(`^[1-5][0-9][0-9]$`)

// expected reads what is to become of it.
func (r *tableReader) expected(n *yaml.Node, keys map[string]*yaml.Node, e *expectation) {
	v := keys["expect"]
	if v == nil {
		r.at(n, "expect: must be given")
	} else if e.expect = r.text(v, "expect"); !slices.Contains(kinds, e.expect) && !statuses.MatchString(e.expect) {
		r.at(v, "expect: must be %s, or a status such as 403", strings.Join(kinds, ", "))
	}
	if v := keys["rule"]; v != nil {
		rule := r.text(v, "rule")
		e.rule = &rule
	}
	if v := keys["reason"]; v != nil {
		e.reason = r.text(v, "reason")
	}
	if v := keys["application"]; v != nil {
		if e.expect != tryout.Pass {
			r.at(v, "application: has no place where the application does not get the request")
		}
		r.application(v, e)
	}
}

// kinds are the outcomes that are no status.
var kinds = []string{tryout.Pass, tryout.Login, tryout.StepUp, tryout.Own}

func (r *tableReader) application(n *yaml.Node, e *expectation) {
	keys, _ := r.mapping(n, nil)
	e.given = map[string]values{}
	for name, v := range keys {
		name = strings.ToLower(name)
		if v.Tag == "!!null" {
			e.given[name] = nil
			continue
		}
		e.given[name] = r.values(v, "application: "+name)
	}
}

// quoted shows a text of somebody else's in a message.
func quoted(text string) string { return `"` + shown(text) + `"` }

// readClaims reads a file of claims, in JSON or YAML.
func readClaims(file string, now time.Time) (tryout.Claims, error) {
	text, err := readFile(file, "the claims")
	if err != nil {
		return nil, err
	}
	if text, err = toJSON(text); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c, err := tryout.ParseClaims(text, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}
