package httpmsg

import (
	"iter"
	"strings"
)

// Cookies yields the cookies of a request, name and value, in the order in
// which they were sent, from every cookie field (HTTP/2 may send several). A
// name that occurs twice is yielded twice: which one counts is for the caller
// to say. A cookie without an equals sign has the name "". Values are yielded
// as they are, quotes included.
func Cookies(f Fields) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for i := range f {
			if f[i].Name != "cookie" {
				continue
			}
			if !eachCookie(f[i].Value, yield) {
				return
			}
		}
	}
}

func eachCookie(section string, yield func(name, value string) bool) bool {
	for pos := 0; pos < len(section); {
		start, end, next := nextPair(section, pos)
		pos = next
		if start == end {
			continue
		}
		if !yield(splitPair(section[start:end])) {
			return false
		}
	}
	return true
}

// nextPair returns the bounds of the next cookie-pair from pos on, without
// the white space around it, and where the one after it begins.
func nextPair(s string, pos int) (start, end, next int) {
	end, next = len(s), len(s)
	if i := strings.IndexByte(s[pos:], ';'); i >= 0 {
		end, next = pos+i, pos+i+1
	}
	start = pos
	for start < end && blank(s[start]) {
		start++
	}
	for end > start && blank(s[end-1]) {
		end--
	}
	return start, end, next
}

func splitPair(pair string) (name, value string) {
	i := strings.IndexByte(pair, '=')
	if i < 0 {
		return "", pair
	}
	return trimBlank(pair[:i]), trimBlank(pair[i+1:])
}

// WithoutCookies returns what is left of a request's cookies once those for
// which drop says so are taken out, as one field value: order and bytes of the
// rest unchanged, "; " between them. dropped says whether any was taken out; if
// not, the request can stay as it is. Drop is asked once for each cookie, as
// Cookies would yield it.
//
// Where the rest stands in one piece, as it does when one application's
// cookies surround none of ours, it is not copied.
func WithoutCookies(f Fields, drop func(name, value string) bool) (value string, dropped bool) {
	var kept joiner
	for i := range f {
		if f[i].Name != "cookie" {
			continue
		}
		section := f[i].Value
		kept.section(section)
		for pos := 0; pos < len(section); {
			start, end, next := nextPair(section, pos)
			pos = next
			if start == end {
				continue
			}
			if drop(splitPair(section[start:end])) {
				dropped = true
				continue
			}
			kept.add(start, end)
		}
	}
	return kept.String(), dropped
}

// joiner joins pieces of one or more strings with "; ". Pieces that are
// joined so already stay one piece.
type joiner struct {
	source     string
	start, end int // the run of source that is not in done yet
	done       strings.Builder
}

func (j *joiner) section(s string) {
	j.flush()
	j.source = s
}

func (j *joiner) add(start, end int) {
	if j.end > j.start {
		if j.source[j.end:start] == "; " {
			j.end = end
			return
		}
		j.flush()
	}
	j.start, j.end = start, end
}

func (j *joiner) flush() {
	if j.end > j.start {
		if j.done.Len() == 0 {
			j.done.Grow(2*(j.end-j.start) + 64)
		} else {
			j.done.WriteString("; ")
		}
		j.done.WriteString(j.source[j.start:j.end])
	}
	j.start, j.end = 0, 0
}

func (j *joiner) String() string {
	if j.done.Len() == 0 {
		return j.source[j.start:j.end]
	}
	j.flush()
	return j.done.String()
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// trimBlank takes optional white space (RFC 9110 section 5.6.3) off both ends.
func trimBlank(s string) string {
	for s != "" && blank(s[0]) {
		s = s[1:]
	}
	for s != "" && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
