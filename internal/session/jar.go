package session

import (
	"errors"
	"strconv"
	"strings"
)

const (
	// ChunkBytes is the most bytes of value in one cookie: browsers keep about
	// 4,096 for name, value and attributes together.
	ChunkBytes = 3800
	// MaxChunks bounds the cookies of one session, whatever a client claims.
	MaxChunks = 9
)

// Errors in a request's session cookies.
var (
	// ErrTossed says that one name came twice: somebody planted a cookie beside
	// the person's own, and neither is to be believed.
	ErrTossed = errors.New("session: cookie sent twice")
	// ErrChunks says that the parts do not make a whole.
	ErrChunks = errors.New("session: cookie parts missing")
)

// Chunks is a sealed value as its cookies carry it. The first begins with the
// number of cookies and a dot.
type Chunks struct {
	n     int
	parts [MaxChunks]string
}

// Empty reports whether the request carried no session cookie.
func (c *Chunks) Empty() bool { return c.n == 0 }

// ticketMark begins the one cookie of a session that is kept elsewhere, in the
// place of the number of cookies.
const ticketMark = 't'

// IsTicket reports whether the value is a ticket for a session that is kept
// elsewhere.
func (c *Chunks) IsTicket() bool { return c.n == 1 && c.parts[0][0] == ticketMark }

// Join returns the sealed value, or the ticket.
func (c *Chunks) Join() string {
	if c.n == 0 {
		return ""
	}
	return c.parts[0][2:] + strings.Join(c.parts[1:c.n], "")
}

// ChunksOf returns the chunks with the values that Split returned.
func ChunksOf(parts []string) (c Chunks) {
	c.n = copy(c.parts[:], parts)
	return c
}

// JoinParts returns the values of a session's cookies as one text, and
// CutParts takes it apart again.
func JoinParts(parts []string) string { return strings.Join(parts, "") }

// CutParts returns the values that JoinParts joined.
func CutParts(text string) (parts []string) {
	for len(text) > ChunkBytes {
		parts, text = append(parts, text[:ChunkBytes]), text[ChunkBytes:]
	}
	return append(parts, text)
}

// Jar knows the names of a session's cookies: the name itself, and the name
// with "-1", "-2", … for further parts.
type Jar struct{ name string }

// NewJar returns the jar of the given cookie name.
func NewJar(name string) Jar { return Jar{name} }

// index returns which part a cookie of the given name is, or -1.
func (j Jar) index(name string) int {
	if !strings.HasPrefix(name, j.name) {
		return -1
	}
	switch rest := name[len(j.name):]; {
	case rest == "":
		return 0
	case len(rest) == 2 && rest[0] == '-' && rest[1] >= '1' && rest[1] < '0'+MaxChunks:
		return int(rest[1] - '0')
	}
	return -1
}

// Owns reports whether a cookie name is one of the jar's.
func (j Jar) Owns(name string) bool { return j.index(name) >= 0 }

// Name returns the name of the i-th part.
func (j Jar) Name(i int) string {
	if i == 0 {
		return j.name
	}
	return j.name + "-" + strconv.Itoa(i)
}

// Reader gathers a session's cookies out of all that a request carries.
type Reader struct {
	jar    Jar
	parts  [MaxChunks]string
	sent   [MaxChunks]bool
	any    bool
	tossed bool
}

// Reader returns one that has seen no cookie yet.
func (j Jar) Reader() Reader { return Reader{jar: j} }

// Take looks at one cookie and reports whether it is one of the jar's. The
// value is kept as it is: it aliases the request.
func (r *Reader) Take(name, value string) bool {
	i := r.jar.index(name)
	if i < 0 {
		return false
	}
	r.tossed = r.tossed || r.sent[i]
	r.parts[i], r.sent[i], r.any = value, true, true
	return true
}

// Sent reports whether the i-th part came.
func (r *Reader) Sent(i int) bool { return r.sent[i] }

// Tossed reports whether one of the names came twice.
func (r *Reader) Tossed() bool { return r.tossed }

// Chunks returns what came. A request without any of the cookies gives empty
// chunks; parts beyond the number that the first one names are left over from
// a longer session and are passed over.
func (r *Reader) Chunks() (c Chunks, err error) {
	if !r.any {
		return c, nil
	}
	if r.tossed {
		return c, ErrTossed
	}
	first := r.parts[0]
	n := 1
	switch {
	case len(first) < 3 || first[1] != '.':
		return c, ErrChunks
	case first[0] >= '1' && first[0] <= '0'+MaxChunks:
		n = int(first[0] - '0')
	case first[0] != ticketMark:
		return c, ErrChunks
	}
	for i, part := range r.parts[:n] {
		if part == "" || i < n-1 && len(part) != ChunkBytes {
			return c, ErrChunks
		}
	}
	c.n = n
	copy(c.parts[:], r.parts[:n])
	return c, nil
}

// Split cuts a sealed value into the values of its cookies. It fails with
// a *TooLargeError where it would take more than MaxChunks.
func (j Jar) Split(sealed string) ([]string, error) {
	n := (len(sealed) + 2 + ChunkBytes - 1) / ChunkBytes
	if n > MaxChunks {
		return nil, &TooLargeError{Bytes: len(sealed)}
	}
	rest := strconv.Itoa(n) + "." + sealed
	parts := make([]string, 0, n)
	for len(rest) > ChunkBytes {
		parts, rest = append(parts, rest[:ChunkBytes]), rest[ChunkBytes:]
	}
	return append(parts, rest), nil
}
