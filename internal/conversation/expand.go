package conversation

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// vars are the variables and functions of a script under way.
type vars struct {
	values map[string]string
	later  map[string]string // texts that are expanded where they are used
	funcs  map[string]func(string) (string, error)
}

// newVars returns variables with the functions that need nothing but their
// argument.
func newVars() *vars {
	return &vars{values: map[string]string{}, later: map[string]string{}, funcs: map[string]func(string) (string, error){
		"base64":    func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil },
		"base64url": func(s string) (string, error) { return base64.RawURLEncoding.EncodeToString([]byte(s)), nil },
		"unbase64url": func(s string) (string, error) {
			b, err := base64.RawURLEncoding.DecodeString(s)
			return string(b), err
		},
		"s256": func(s string) (string, error) {
			sum := sha256.Sum256([]byte(s))
			return base64.RawURLEncoding.EncodeToString(sum[:]), nil
		},
		"at_hash": func(s string) (string, error) {
			sum := sha256.Sum256([]byte(s))
			return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
		},
		"after":  func(s string) (string, error) { return s[min(1, len(s)):], nil },
		"text":   func(s string) (string, error) { return s, nil },
		"escape": func(s string) (string, error) { return url.QueryEscape(s), nil },
		"repeat": withNumber(func(n int, s string) (string, error) { return strings.Repeat(s, n), nil }),
		"first":  withNumber(func(n int, s string) (string, error) { return s[:min(n, len(s))], nil }),
		"alter":  withNumber(alter),
		"part":   withNumber(part),
		"random": withNumber(func(n int, _ string) (string, error) { return random(n), nil }),
	}}
}

// withNumber makes a function of "number, text".
func withNumber(f func(int, string) (string, error)) func(string) (string, error) {
	return func(arg string) (string, error) {
		number, text, _ := strings.Cut(arg, ",")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil {
			return "", fmt.Errorf("%q is no number", number)
		}
		return f(n, strings.TrimPrefix(text, " "))
	}
}

// alter changes the n-th character, counted from the end where n is below
// zero, into another that base64url knows.
func alter(n int, s string) (string, error) {
	if n < 0 {
		n += len(s)
	}
	if n < 0 || n >= len(s) {
		return "", fmt.Errorf("there is no character %d", n)
	}
	other := byte('A')
	if s[n] == 'A' {
		other = 'B'
	}
	return s[:n] + string(other) + s[n+1:], nil
}

// random is text that no compression makes shorter; always the same.
func random(n int) string {
	b := make([]byte, n)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(source.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b)[:n]
}

// part is the n-th of the parts between dots, as a JWT has them.
func part(n int, s string) (string, error) {
	parts := strings.Split(s, ".")
	if n < 0 || n >= len(parts) {
		return "", fmt.Errorf("there is no part %d", n)
	}
	return parts[n], nil
}

// span is a piece of text: literal, or a reference to a variable or function.
type span struct {
	literal string
	name    string
	call    bool
	arg     string
}

// spans cuts a text at its references.
func spans(text string) ([]span, error) {
	var out []span
	for text != "" {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			return append(out, span{literal: text}), nil
		}
		if i > 0 {
			out = append(out, span{literal: text[:i]})
		}
		s, rest, err := reference(text[i+1:])
		if err != nil {
			return nil, err
		}
		out, text = append(out, s), rest
	}
	return out, nil
}

// reference reads what follows a dollar sign.
func reference(text string) (s span, rest string, err error) {
	if strings.HasPrefix(text, "$") {
		return span{literal: "$"}, text[1:], nil
	}
	n := 0
	for n < len(text) && (text[n] == '_' || '0' <= text[n] && text[n] <= '9' || 'a' <= text[n] && text[n] <= 'z') {
		n++
	}
	if n == 0 {
		return span{}, "", fmt.Errorf("a dollar sign without a name; $$ is a dollar sign")
	}
	s, rest = span{name: text[:n]}, text[n:]
	if !strings.HasPrefix(rest, "(") {
		return s, rest, nil
	}
	depth := 0
	for i := range len(rest) {
		switch rest[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			s.call, s.arg = true, rest[1:i]
			return s, rest[i+1:], nil
		}
	}
	return span{}, "", fmt.Errorf("$%s( is not closed", s.name)
}

// value is what a span stands for.
func (v *vars) value(s span) (string, error) {
	switch {
	case s.name == "":
		return s.literal, nil
	case !s.call:
		if value, ok := v.values[s.name]; ok {
			return value, nil
		}
		text, ok := v.later[s.name]
		if !ok {
			return "", fmt.Errorf("$%s has no value", s.name)
		}
		return v.expand(text)
	}
	f, ok := v.funcs[s.name]
	if !ok {
		return "", fmt.Errorf("there is no function $%s", s.name)
	}
	arg, err := v.expand(s.arg)
	if err != nil {
		return "", err
	}
	value, err := f(arg)
	if err != nil {
		return "", fmt.Errorf("$%s: %w", s.name, err)
	}
	return value, nil
}

// expand replaces every reference in a text.
func (v *vars) expand(text string) (string, error) {
	pieces, err := spans(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, s := range pieces {
		value, err := v.value(s)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

var wildcard = regexp.MustCompile(`\*|<[a-z][a-z0-9_]*>`)

// match compares a text with what was expected of it, and keeps what is
// captured.
func (v *vars) match(pattern, text string) (bool, error) {
	expr, names, err := v.compile(pattern)
	if err != nil {
		return false, err
	}
	found := expr.FindStringSubmatch(text)
	if found == nil {
		return false, nil
	}
	for i, name := range names {
		v.values[name] = found[i+1]
	}
	return true, nil
}

// compile makes a regular expression of a pattern, and names its groups.
func (v *vars) compile(pattern string) (*regexp.Regexp, []string, error) {
	pieces, err := spans(pattern)
	if err != nil {
		return nil, nil, err
	}
	var expr strings.Builder
	var names []string
	for _, s := range pieces {
		value, err := v.value(s)
		if err != nil {
			return nil, nil, err
		}
		if s.name != "" {
			expr.WriteString(regexp.QuoteMeta(value))
			continue
		}
		last := 0
		for _, w := range wildcard.FindAllStringIndex(value, -1) {
			expr.WriteString(regexp.QuoteMeta(value[last:w[0]]))
			if last = w[1]; value[w[0]] == '*' {
				expr.WriteString(`.*?`)
				continue
			}
			expr.WriteString(`(.+?)`)
			names = append(names, value[w[0]+1:w[1]-1])
		}
		expr.WriteString(regexp.QuoteMeta(value[last:]))
	}
	re, err := regexp.Compile(`(?s)\A` + expr.String() + `\z`)
	return re, names, err
}
