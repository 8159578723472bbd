// Package httpmsg reads and writes the parts of an HTTP message that a gate
// decides by: the request target, header fields, cookies, and the address a
// browser may be sent back to.
//
// It refuses what can be read in two ways. A target, an authority or a cookie
// that another parser on the way could understand differently is an error
// here, never a best guess.
//
// It follows RFC 9110 (fields, methods), RFC 9112 section 3.2 (request
// target), RFC 3986 (normal form of a path) and RFC 6265bis (cookies).
package httpmsg

// Field is one header field. Name is in lower case, as HTTP/2 and Envoy carry
// it; Value is as it was sent.
type Field struct{ Name, Value string }

// Fields is a header section in the order in which it was sent. A name may
// occur any number of times.
type Fields []Field

// Get returns the value of the first field of the given lower-case name, and
// whether there is one. Where a second field of the name would change the
// meaning, use Only.
func (f Fields) Get(name string) (value string, ok bool) {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value, true
		}
	}
	return "", false
}

// Only returns the value of the field of the given lower-case name if it
// occurs exactly once.
func (f Fields) Only(name string) (value string, ok bool) {
	for i := range f {
		if f[i].Name != name {
			continue
		}
		if ok {
			return "", false
		}
		value, ok = f[i].Value, true
	}
	return value, ok
}

// Request is a request as it arrived: the pseudo-header fields apart, the
// others in Header.
type Request struct {
	Method    string // :method, as sent
	Scheme    string // :scheme of the hop before us; it decides nothing about cookies
	Authority string // :authority, as sent
	Target    string // :path, as sent, with its query
	Header    Fields // without pseudo-header fields
}

// ID returns the request id that Envoy gave the request, for logs and pages,
// or "" where there is none.
func (r *Request) ID() string {
	id, _ := r.Header.Get("x-request-id")
	return id
}
