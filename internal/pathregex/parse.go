package pathregex

import (
	"errors"
	"strconv"
	"strings"
)

// node is a part of an expression.
type node struct {
	op       nodeOp
	set      set     // of opChar
	parts    []*node // of opSequence and opChoice; the one that opRepeat repeats
	min, max int     // of opRepeat; max is -1 for any number
}

type nodeOp uint8

const (
	opChar nodeOp = iota
	opSequence
	opChoice
	opRepeat
)

// set is a set of ASCII characters.
type set [2]uint64

func (s *set) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *set) has(c byte) bool { return c < 128 && s[c>>6]&(1<<(c&63)) != 0 }

func (s *set) addRange(from, to byte) {
	for c := from; c <= to; c++ {
		s.add(c)
	}
}

func (s *set) union(other set) { s[0], s[1] = s[0]|other[0], s[1]|other[1] }

// negated returns the characters of paths that are not in s.
func (s set) negated() (n set) {
	for c := byte(first); c <= last; c++ {
		if !s.has(c) {
			n.add(c)
		}
	}
	return n
}

// parser reads an expression from left to right.
type parser struct{ rest string }

func parse(pattern string) (*node, error) {
	switch {
	case pattern == "":
		return nil, errors.New("is empty")
	case len(pattern) > maxPattern:
		return nil, errors.New("is longer than " + strconv.Itoa(maxPattern) + " bytes")
	}
	for i := 0; i < len(pattern); i++ {
		if pattern[i] < first || pattern[i] > last {
			return nil, errors.New("holds a character that is not printable ASCII; in paths such characters are escaped, as in %C3%A4")
		}
	}
	p := &parser{rest: pattern}
	n, err := p.choice()
	if err == nil && p.rest != "" { // only a parenthesis ends a choice
		return nil, errors.New(`has a ")" without a "(" before it; the character itself is written "\)"`)
	}
	return n, err
}

// choice reads sequences with bars between them.
func (p *parser) choice() (*node, error) {
	choice := &node{op: opChoice}
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		choice.parts = append(choice.parts, n)
		if !p.take('|') {
			break
		}
	}
	if len(choice.parts) == 1 {
		return choice.parts[0], nil
	}
	return choice, nil
}

// sequence reads up to the end, a bar or a closing parenthesis.
func (p *parser) sequence() (*node, error) {
	n := &node{op: opSequence}
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		part, err := p.atom()
		if err == nil {
			part, err = p.repeated(part)
		}
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, part)
	}
	if len(n.parts) == 0 {
		return nil, errors.New(`has nothing in a group or beside a "|"; what may be left out is written "(...)?"`)
	}
	return n, nil
}

// atom reads what a repetition can follow.
func (p *parser) atom() (*node, error) {
	c := p.rest[0]
	p.rest = p.rest[1:]
	n := &node{op: opChar}
	switch c {
	case '(':
		return p.group()
	case '[':
		return n, p.class(&n.set)
	case '.':
		n.set.addRange(first, last)
	case '\\':
		_, err := p.escape(&n.set)
		return n, err
	case '*', '+', '?', '{':
		return nil, errors.New("has a " + strconv.Quote(string(c)) + " with nothing to repeat before it; the character itself is written " + quoteEscaped(c))
	case '^', '$':
		return nil, errors.New("has a " + strconv.Quote(string(c)) + ", which is not needed: it is held against the whole path; the character itself is written " + quoteEscaped(c))
	case ']', '}':
		return nil, errors.New("has a " + strconv.Quote(string(c)) + " without its opening one; the character itself is written " + quoteEscaped(c))
	default:
		n.set.add(c)
	}
	return n, nil
}

// quoteEscaped is how a character is written that stands for itself.
func quoteEscaped(c byte) string { return `"\` + string(c) + `"` }

// group reads the rest of a group. What it matched is not asked for.
func (p *parser) group() (*node, error) {
	if rest, ok := strings.CutPrefix(p.rest, "?:"); ok {
		p.rest = rest
	} else if strings.HasPrefix(p.rest, "?") {
		return nil, errors.New(`has a "(?" that is not "(?:"; flags, names and looking ahead or behind are not known here`)
	}
	n, err := p.choice()
	if err == nil && !p.take(')') {
		return nil, errors.New(`has a "(" that is not closed`)
	}
	return n, err
}

// repeated reads the repetition that may follow.
func (p *parser) repeated(n *node) (*node, error) {
	least, most, ok, err := p.repetition()
	if !ok || err != nil {
		return n, err
	}
	if p.rest != "" && strings.IndexByte("*+?{", p.rest[0]) >= 0 {
		return nil, errors.New("has two repetitions in a row; put a group around the first, as in (a*)?")
	}
	return &node{op: opRepeat, parts: []*node{n}, min: least, max: most}, nil
}

func (p *parser) repetition() (least, most int, ok bool, err error) {
	switch {
	case p.take('*'):
		return 0, -1, true, nil
	case p.take('+'):
		return 1, -1, true, nil
	case p.take('?'):
		return 0, 1, true, nil
	case p.take('{'):
		least, most, err = p.counts()
		return least, most, true, err
	}
	return 0, 0, false, nil
}

var errCount = errors.New(`has a "{" that does not begin a repetition such as {2}, {2,} or {2,3}, up to 1000; the character itself is written "\{"`)

// counts reads the rest of a counted repetition.
func (p *parser) counts() (least, most int, err error) {
	inner, rest, ok := strings.Cut(p.rest, "}")
	if !ok {
		return 0, 0, errCount
	}
	p.rest = rest
	from, to, several := strings.Cut(inner, ",")
	least, ok = count(from)
	most = least
	switch {
	case !ok:
		return 0, 0, errCount
	case several && to == "":
		most = -1
	case several:
		if most, ok = count(to); !ok {
			return 0, 0, errCount
		}
		if most < least {
			return 0, 0, errors.New("has a repetition whose second number is smaller than its first")
		}
	}
	if most == 0 {
		return 0, 0, errors.New("has a repetition of nothing")
	}
	return least, most, nil
}

func count(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && strconv.Itoa(n) == s && n >= 0 && n <= maxRepeat
}

// take takes the next character if it is c.
func (p *parser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}
