package oidc

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/jws"
)

// Question is a call with a person's access token.
type Question struct {
	Method   string // GET or POST; "" for GET
	URL      string // its host must have a cluster in the provider's settings
	Body     string // JSON, of a POST
	Header   map[string]string
	Next     string        // a gjson path to the next page's address, or NextByLink; "" for one page
	MaxPages int           // at least 1
	MaxBytes int           // of one page
	Timeout  time.Duration // of all pages together; 0 for the provider's own of each

	until time.Time // all pages must be there; zero for any time
}

// NextByLink is the Next of a question whose answers name their next page in the
// field Link (RFC 8288).
const NextByLink = "link"

const (
	// maxAnswer is how many bytes all pages of an answer may have together.
	maxAnswer = 4 << 20
	// maxAddress is how long the address of a page may be that an answer names.
	maxAddress = 8 << 10
)

// Ask asks a question and returns the pages of the answer, which are JSON that
// nests no deeper than claims may. step names it in a Failure. An answer that goes
// on beyond the last page that may be fetched, or on another host than its first
// page, is none: half a list would be taken for the whole.
func (p *Provider) Ask(env flow.Env, step string, q Question, access Access) (pages [][]byte, err error) {
	first, err := p.endpoint(step, q.URL)
	if err != nil {
		return nil, err
	}
	if q.Timeout > 0 {
		q.until = env.Now().Add(q.Timeout)
	}
	address, bytes := q.URL, 0
	for e := first; ; {
		r, err := p.askPage(env, step, e, &q, access)
		if err != nil {
			return nil, err
		}
		if bytes += len(r.Body); bytes > maxAnswer {
			return nil, lost(step, "answer_too_large")
		}
		pages = append(pages, r.Body)
		address, err = nextPage(step, q.Next, address, r)
		switch {
		case err != nil:
			return nil, err
		case address == "":
			return pages, nil
		case len(pages) >= q.MaxPages:
			return nil, refuse(step, "too_many_pages")
		}
		if e, err = p.endpoint(step, address); err != nil {
			return nil, err
		}
		if e.scheme != first.scheme || e.host() != first.host() {
			return nil, refuse(step, "next_page_elsewhere")
		}
	}
}

// host is the address's host, as clusters name it.
func (e endpoint) host() string {
	return config.HostOf(&url.URL{Scheme: e.scheme, Host: e.authority})
}

// askPage fetches one page.
func (p *Provider) askPage(env flow.Env, step string, e endpoint, q *Question, access Access) (flow.Response, error) {
	env, err := p.bearing(env, step, access)
	if err != nil {
		return flow.Response{}, err
	}
	r, err := p.call(questioning{env, q}, step, e, flow.Call{
		Method: cmp.Or(q.Method, "GET"), Body: []byte(q.Body), MaxBody: q.MaxBytes,
	})
	if err != nil {
		return r, err
	}
	if jws.Deeper(r.Body, jws.MaxNesting) {
		return r, unreadable(step, r, "answer_too_deep")
	}
	var whole json.RawMessage
	return r, decode(step, r, &whole)
}

// questioning is an Env whose calls have a question's own fields and time.
type questioning struct {
	env flow.Env
	q   *Question
}

// Fetch implements flow.Fetcher.
func (e questioning) Fetch(c flow.Call) (flow.Response, error) {
	if !e.q.until.IsZero() {
		if c.Timeout = e.q.until.Sub(e.env.Now()); c.Timeout < time.Millisecond {
			return flow.Response{}, flow.ErrUnavailable
		}
	}
	for _, spelling := range slices.Sorted(maps.Keys(e.q.Header)) {
		name := strings.ToLower(spelling)
		c.Header = slices.DeleteFunc(c.Header, func(f httpmsg.Field) bool { return f.Name == name })
		c.Header = append(c.Header, httpmsg.Field{Name: name, Value: e.q.Header[spelling]})
	}
	if e.q.Body != "" {
		c.Header = append(c.Header, httpmsg.Field{Name: "content-type", Value: "application/json"})
	}
	return e.env.Fetch(c)
}

// nextPage returns the address of the page after the one that address had, or "".
// It may be relative (RFC 3986, section 5).
func nextPage(step, next, address string, r flow.Response) (string, error) {
	var reference string
	switch next {
	case "":
		return "", nil
	case NextByLink:
		reference = nextLink(r.Header)
	default:
		found := gjson.GetBytes(r.Body, next)
		if found.Type != gjson.Null && found.Type != gjson.String {
			return "", refuse(step, "next_page_malformed")
		}
		reference = found.Str
	}
	if reference == "" {
		return "", nil
	}
	base, err := url.Parse(address)
	if err == nil && len(reference) <= maxAddress && visible(reference) {
		if base, err = base.Parse(reference); err == nil {
			return base.String(), nil
		}
	}
	return "", refuse(step, "next_page_malformed")
}

// nextLink returns the target of the first link to the next page (RFC 8288,
// section 3), or "". Links that are not written as that section has it end the
// field that they are in.
func nextLink(header httpmsg.Fields) string {
	for _, f := range header {
		if f.Name != "link" {
			continue
		}
		for rest, more := f.Value, true; more; {
			var l link
			if l, rest, more = cutLink(rest); l.relates("next") {
				return l.target
			}
		}
	}
	return ""
}

// link is one link-value.
type link struct {
	target, relations string
	related           bool // a rel was there: only the first one counts
	anchored          bool // it is about another document than the answer
}

func (l *link) relates(relation string) bool {
	return !l.anchored && slices.ContainsFunc(strings.Fields(l.relations), func(r string) bool { return strings.EqualFold(r, relation) })
}

const blanks = " \t"

// cutLink takes the first link off a list of them. Without more there is nothing
// behind it that could be read.
func cutLink(s string) (l link, rest string, more bool) {
	s = strings.TrimLeft(s, blanks+",")
	if !strings.HasPrefix(s, "<") {
		return link{}, "", false
	}
	target, s, ok := strings.Cut(s[1:], ">")
	if !ok {
		return link{}, "", false
	}
	l.target = strings.Trim(target, blanks)
	for {
		s = strings.TrimLeft(s, blanks)
		switch {
		case s == "":
			return l, "", false
		case s[0] == ',':
			return l, s[1:], true
		case s[0] != ';':
			return link{}, "", false
		}
		var name, value string
		if name, value, s, ok = cutParameter(s[1:]); !ok {
			return link{}, "", false
		}
		switch {
		case strings.EqualFold(name, "rel") && !l.related:
			l.relations, l.related = value, true
		case strings.EqualFold(name, "anchor"):
			l.anchored = true
		}
	}
}

// cutParameter takes a parameter off, whose value may be a quoted-string
// (RFC 9110, section 5.6.4).
func cutParameter(s string) (name, value, rest string, ok bool) {
	end := strings.IndexAny(s, "=;,")
	if end < 0 || s[end] != '=' {
		if end < 0 {
			end = len(s)
		}
		return strings.Trim(s[:end], blanks), "", s[end:], true
	}
	name, s = strings.Trim(s[:end], blanks), strings.TrimLeft(s[end+1:], blanks)
	if !strings.HasPrefix(s, `"`) {
		if end = strings.IndexAny(s, ";,"); end < 0 {
			end = len(s)
		}
		return name, strings.Trim(s[:end], blanks), s[end:], true
	}
	var unquoted strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return name, unquoted.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			unquoted.WriteByte(s[i])
		default:
			unquoted.WriteByte(c)
		}
	}
	return "", "", "", false
}
