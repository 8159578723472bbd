package pathregex

import "errors"

var (
	errUnclosedClass = errors.New(`has a "[" that is not closed`)
	errEmptyClass    = errors.New(`has a class with nothing in it; a "]" in a class is written "\]"`)
	errBracket       = errors.New(`has a "[" within a class; the character itself is written "\["`)
	errHyphen        = errors.New(`has a "-" in a class that is neither its first or last character nor in a range such as a-z; the character itself is written "\-"`)
	errRange         = errors.New("has a range in a class that ends before it begins")
	errEscape        = errors.New(`has a "\" before something else than a punctuation mark or one of d, D, w, W, s and S`)
)

// class reads the rest of a class into s.
func (p *parser) class(s *set) error {
	negated := p.take('^')
	for begun := false; ; begun = true {
		switch {
		case p.rest == "":
			return errUnclosedClass
		case p.take(']'):
			if !begun {
				return errEmptyClass
			}
			if negated {
				*s = s.negated()
			}
			return nil
		}
		if err := p.member(s, !begun); err != nil {
			return err
		}
	}
}

// member reads a character, a range or an escape for several characters.
func (p *parser) member(s *set, begins bool) error {
	if p.rest[0] == '-' {
		if !begins && (len(p.rest) < 2 || p.rest[1] != ']') {
			return errHyphen
		}
	}
	from, several, err := p.character()
	if err != nil {
		return err
	}
	if len(p.rest) < 2 || p.rest[0] != '-' || p.rest[1] == ']' {
		s.union(from)
		return nil
	}
	p.rest = p.rest[1:]
	to, severalTo, err := p.character()
	if err != nil {
		return err
	}
	if several || severalTo {
		return errHyphen
	}
	least, most := from.only(), to.only()
	if least > most {
		return errRange
	}
	s.addRange(least, most)
	return nil
}

// character reads a character of a class, or an escape for several.
func (p *parser) character() (s set, several bool, err error) {
	c := p.rest[0]
	p.rest = p.rest[1:]
	switch c {
	case '[':
		return s, false, errBracket
	case '\\':
		several, err = p.escape(&s)
		return s, several, err
	}
	s.add(c)
	return s, false, nil
}

// only returns the character of a set that holds one.
func (s *set) only() (c byte) {
	for c = first; c < last && !s.has(c); c++ {
	}
	return c
}

// escape reads what follows a backslash, and reports whether it stands for
// several characters.
func (p *parser) escape(s *set) (several bool, err error) {
	if p.rest == "" {
		return false, errEscape
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	switch lower := c | 0x20; {
	case lower == 'd' || lower == 'w' || lower == 's':
		*s = named(lower)
		if lower != c {
			*s = s.negated()
		}
		return true, nil
	case alphanumeric(c) || c == ' ':
		return false, errEscape
	}
	s.add(c)
	return false, nil
}

// named is what \d, \w and \s stand for.
func named(c byte) (s set) {
	switch c {
	case 's':
		s.add(' ')
		return s
	case 'w':
		s.addRange('a', 'z')
		s.addRange('A', 'Z')
		s.add('_')
	}
	s.addRange('0', '9')
	return s
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
