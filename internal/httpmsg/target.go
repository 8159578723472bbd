package httpmsg

import "strings"

// MaxTarget is the length in bytes above which a request target is refused.
const MaxTarget = 16 << 10

// maxLayers is how many times a path may have been percent-encoded. No honest
// client comes near it.
const maxLayers = 3

// Reasons for which a request target is refused. They are stable: logs,
// problem documents and tests name them.
const (
	ReasonNotOriginForm    = "not_origin_form"
	ReasonTooLong          = "too_long"
	ReasonControl          = "control"
	ReasonNonASCII         = "non_ascii"
	ReasonFragment         = "fragment"
	ReasonBackslash        = "backslash"
	ReasonDoubleSlash      = "double_slash"
	ReasonDotSegment       = "dot_segment"
	ReasonBadEscape        = "bad_escape"
	ReasonOverlong         = "overlong"
	ReasonDoubleEncoding   = "double_encoding"
	ReasonEncodedSlash     = "encoded_slash"
	ReasonEncodedBackslash = "encoded_backslash"
	ReasonEncodedNUL       = "encoded_nul"
	ReasonEncodedControl   = "encoded_control"
	ReasonEncodedDelimiter = "encoded_delimiter"
)

// TargetError says why a request target is refused. It never repeats the
// target, which may hold a code or a token.
type TargetError struct{ Reason string }

func (e *TargetError) Error() string { return "httpmsg: request target refused: " + e.Reason }

// One value for each reason, so that a refusal costs no memory.
var (
	errNotOriginForm    = &TargetError{ReasonNotOriginForm}
	errTooLong          = &TargetError{ReasonTooLong}
	errControl          = &TargetError{ReasonControl}
	errNonASCII         = &TargetError{ReasonNonASCII}
	errFragment         = &TargetError{ReasonFragment}
	errBackslash        = &TargetError{ReasonBackslash}
	errDoubleSlash      = &TargetError{ReasonDoubleSlash}
	errDotSegment       = &TargetError{ReasonDotSegment}
	errBadEscape        = &TargetError{ReasonBadEscape}
	errOverlong         = &TargetError{ReasonOverlong}
	errDoubleEncoding   = &TargetError{ReasonDoubleEncoding}
	errEncodedSlash     = &TargetError{ReasonEncodedSlash}
	errEncodedBackslash = &TargetError{ReasonEncodedBackslash}
	errEncodedNUL       = &TargetError{ReasonEncodedNUL}
	errEncodedControl   = &TargetError{ReasonEncodedControl}
	errEncodedDelimiter = &TargetError{ReasonEncodedDelimiter}
)

// Target is a request target in origin-form (RFC 9112 section 3.2.1).
type Target struct {
	Raw   string // as sent
	Path  string // the normal form, for rules; see NormalPath
	Query string // as sent, without the question mark; no rule looks at it
}

// ParseTarget reads a request target in origin-form and refuses, with a
// *TargetError, every other form and every path that two parsers could read
// as two different ones.
func ParseTarget(raw string) (Target, error) {
	if len(raw) > MaxTarget {
		return Target{}, errTooLong
	}
	path, query := raw, ""
	if i := strings.IndexByte(raw, '?'); i >= 0 {
		path, query = raw[:i], raw[i+1:]
	}
	normal, err := NormalPath(path)
	if err != nil {
		return Target{}, err
	}
	if err := checkQuery(query); err != nil {
		return Target{}, err
	}
	return Target{Raw: raw, Path: normal, Query: query}, nil
}

// NormalPath returns the one spelling by which rules know a path. Escapes of
// printable ASCII characters are decoded, for applications decode them too,
// and a rule about /@me must hold for /%40me; all other escapes stay and are
// written in upper case. A path that is in normal form already is returned as
// it is. Rules must bring their own paths through here as well.
func NormalPath(path string) (string, error) {
	if len(path) > MaxTarget {
		return "", errTooLong
	}
	if path == "" || path[0] != '/' {
		return "", errNotOriginForm
	}
	escaped, err := checkPathBytes(path)
	if err != nil {
		return "", err
	}
	if escaped {
		if path, err = decodePath(path); err != nil {
			return "", err
		}
	}
	if err := checkSegments(path); err != nil {
		return "", err
	}
	return path, nil
}

// checkPathBytes refuses bytes that have no place in a path and reports
// whether there are escapes.
func checkPathBytes(path string) (escaped bool, err error) {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%':
			escaped = true
		case c == '\\':
			return false, errBackslash
		case c == '#':
			return false, errFragment
		case c == '?':
			return false, errNotOriginForm
		case c <= ' ' || c == 0x7f:
			return false, errControl
		case c >= 0x80:
			return false, errNonASCII
		}
	}
	return escaped, nil
}

// checkQuery is lenient where checkPathBytes is not: a query decides nothing,
// and command line clients do send text in it unescaped.
func checkQuery(query string) error {
	for i := 0; i < len(query); i++ {
		switch c := query[i]; {
		case c <= ' ' || c == 0x7f:
			return errControl
		case c == '#':
			return errFragment
		}
	}
	return nil
}

// checkSegments refuses empty segments before the last and dot segments, with
// path parameters or without: servers that know parameters resolve "..;x" to
// the parent.
func checkSegments(path string) error {
	for i := 0; i < len(path)-1; i++ {
		if path[i] != '/' {
			continue
		}
		switch path[i+1] {
		case '/':
			return errDoubleSlash
		case '.':
			if startsWithDotSegment(path[i+1:]) {
				return errDotSegment
			}
		}
	}
	return nil
}

func startsWithDotSegment(s string) bool {
	n := 1
	if len(s) > 1 && s[1] == '.' {
		n = 2
	}
	return len(s) == n || s[n] == '/' || s[n] == ';'
}

// decodePath brings the escapes of a path into normal form (RFC 3986 section
// 6.2.2) and refuses those that change its structure.
func decodePath(path string) (string, error) {
	var b strings.Builder
	b.Grow(len(path))
	doubled := false
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		c, ok := escapeAt(path, i)
		if !ok {
			return "", errBadEscape
		}
		if err := checkEscaped(c); err != nil {
			return "", err
		}
		if next, ok := escapeAt(path, i+3); ok && overlong(c, next) {
			return "", errOverlong
		}
		doubled = doubled || c == '%'
		writeNormal(&b, c)
		i += 2
	}
	if doubled {
		if err := checkLayers(path); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// checkEscaped refuses the escapes by which a path gets another structure
// than it shows.
func checkEscaped(c byte) error {
	switch {
	case c == '/':
		return errEncodedSlash
	case c == '\\':
		return errEncodedBackslash
	case c == '#' || c == '?':
		return errEncodedDelimiter
	case c == 0:
		return errEncodedNUL
	case c < ' ' || c == 0x7f:
		return errEncodedControl
	}
	return nil
}

// checkLayers looks beneath an encoded percent sign: it decodes again, as a
// careless application would, and refuses what then turns up.
func checkLayers(path string) error {
	layer := path
	for range maxLayers {
		layer = DecodeOnce(layer)
		deeper := false
		for i := 0; i < len(layer); i++ {
			c, ok := escapeAt(layer, i)
			if !ok {
				continue
			}
			if c == '.' || c == ';' || checkEscaped(c) != nil {
				return errDoubleEncoding
			}
			deeper = true
		}
		if !deeper {
			return nil
		}
	}
	return errDoubleEncoding
}

// DecodeOnce decodes every escape and leaves alone what is none.
func DecodeOnce(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := escapeAt(s, i); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// overlong reports whether two bytes begin a UTF-8 sequence longer than its
// character needs, which is how old decoders were talked into a slash or dot.
func overlong(first, second byte) bool {
	if second < 0x80 || second > 0xbf {
		return false
	}
	return first == 0xc0 || first == 0xc1 ||
		first == 0xe0 && second < 0xa0 ||
		first == 0xf0 && second < 0x90
}

func writeNormal(b *strings.Builder, c byte) {
	if c > ' ' && c < 0x7f && c != '%' {
		b.WriteByte(c)
		return
	}
	const hex = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(hex[c>>4])
	b.WriteByte(hex[c&15])
}

// escapeAt reads the escape that begins at s[i].
func escapeAt(s string, i int) (c byte, ok bool) {
	if i+2 >= len(s) || s[i] != '%' {
		return 0, false
	}
	hi, lo := unhex(s[i+1]), unhex(s[i+2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

// unhex returns the value of a hexadecimal digit, or 0xff.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// WithoutParams is a path in normal form with the parameters cut from each
// segment (RFC 3986, section 3.3): "/a;x=1/b;y" becomes "/a/b".
func WithoutParams(path string) string {
	var b strings.Builder
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		segment, _, _ = strings.Cut(segment, ";")
		b.WriteString(segment)
	}
	return b.String()
}
