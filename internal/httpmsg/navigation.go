package httpmsg

import "strings"

// Navigation reports whether a person waits for a page at the other end, so
// that a redirect to a sign-in page makes sense. Scripts, programs, gRPC,
// upgrades and prefetches get a status code instead: they would follow the
// redirect to no use, and some of them again and again.
//
// Where the browser says what it is doing (Fetch Metadata), that decides;
// else the Accept field has to ask for HTML by name.
func Navigation(r *Request) bool {
	switch r.Method {
	case "GET", "HEAD", "POST":
	default:
		return false
	}
	if GRPC(r) || prefetch(r.Header) || scripted(r.Header) {
		return false
	}
	if _, upgrade := r.Header.Get("upgrade"); upgrade {
		return false
	}
	if _, present := r.Header.Get("sec-fetch-mode"); present {
		return fetchNavigate(r.Header)
	}
	return acceptsHTML(r.Header)
}

// GRPC reports whether the request is a gRPC or gRPC-Web call, whose client
// reads grpc-status and nothing else.
func GRPC(r *Request) bool {
	const grpc = "application/grpc"
	contentType, _ := r.Header.Get("content-type")
	contentType = trimBlank(contentType)
	if !hasPrefixFold(contentType, grpc) {
		return false
	}
	rest := contentType[len(grpc):]
	return rest == "" || strings.IndexByte("+-; \t", rest[0]) >= 0
}

// The content types of gRPC-Web, without the message's own encoding.
const (
	GRPCWeb     = "application/grpc-web"
	GRPCWebText = "application/grpc-web-text"
)

// WebEncoding returns which of GRPCWeb and GRPCWebText a gRPC call has, whose
// client reads the status from the end of the body; ok is false for any other.
func WebEncoding(r *Request) (encoding string, ok bool) {
	contentType, _ := r.Header.Get("content-type")
	contentType = trimBlank(contentType)
	for _, encoding := range []string{GRPCWebText, GRPCWeb} {
		if hasPrefixFold(contentType, encoding) {
			return encoding, true
		}
	}
	return "", false
}

// scripted knows the mark that script libraries put on their requests.
// Android's web views set the field too, to their own name, on navigations.
func scripted(f Fields) bool {
	by, _ := f.Get("x-requested-with")
	return strings.EqualFold(by, "XMLHttpRequest")
}

func prefetch(f Fields) bool {
	for i := range f {
		switch f[i].Name {
		case "sec-purpose", "purpose", "x-purpose", "x-moz":
			if hasPrefixFold(trimBlank(f[i].Value), "prefetch") {
				return true
			}
		}
	}
	return false
}

func fetchNavigate(f Fields) bool {
	if mode, _ := f.Only("sec-fetch-mode"); mode != "navigate" {
		return false
	}
	if _, present := f.Get("sec-fetch-dest"); !present {
		return true
	}
	dest, _ := f.Only("sec-fetch-dest")
	switch dest {
	case "document", "iframe", "frame":
		return true
	case "empty": // a link that downloads
		return true
	}
	return false
}

// acceptsHTML reports whether the Accept fields name text/html, or text/* and
// not text/html;q=0 (RFC 9110 section 12.5.1). A bare */* is what programs
// send that have not thought about it.
func acceptsHTML(f Fields) bool {
	htmlSeen, html, text := false, false, false
	for i := range f {
		if f[i].Name != "accept" {
			continue
		}
		for rest := f[i].Value; rest != ""; {
			var member string
			member, rest = cutUnquoted(rest, ',')
			mediaRange, params := cutUnquoted(member, ';')
			switch mediaRange = trimBlank(mediaRange); {
			case strings.EqualFold(mediaRange, "text/html"):
				htmlSeen = true
				html = html || positiveQuality(params)
			case strings.EqualFold(mediaRange, "text/*"):
				text = text || positiveQuality(params)
			}
		}
	}
	if htmlSeen {
		return html
	}
	return text
}

// positiveQuality looks for q among parameters; without one the quality is 1.
func positiveQuality(params string) bool {
	for params != "" {
		var param string
		param, params = cutUnquoted(params, ';')
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(trimBlank(name), "q") {
			return aboveZero(trimBlank(value))
		}
	}
	return true
}

// aboveZero reads a qvalue (RFC 9110 section 12.4.2); a malformed one counts
// as 0.
func aboveZero(q string) bool {
	if q == "" || len(q) > len("0.999") || q[0] != '0' && q[0] != '1' || len(q) > 1 && q[1] != '.' {
		return false
	}
	positive := q[0] == '1'
	for i := 2; i < len(q); i++ {
		if q[i] < '0' || q[i] > '9' || q[0] == '1' && q[i] != '0' {
			return false
		}
		positive = positive || q[i] != '0'
	}
	return positive
}

// cutUnquoted cuts s at the first sep that stands outside a quoted-string.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == sep:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
