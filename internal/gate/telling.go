package gate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// telling is a way to tell the application who is calling: the usual one, or
// that of a rule.
type telling struct {
	headers     []header // by name
	accessToken []string
	assertion   *config.Assertion // nil for none
}

// header is a field that tells a claim.
type header struct {
	name    string
	claim   string // its name, or the path that it was gathered by
	repeat  bool
	percent bool // all that is not ASCII is percent-encoded
}

// tellings are all of them.
type tellings struct {
	byForward []*telling // by policy.Need.Forward; rules that say nothing have the usual one
	more      int        // how many there are to be made of one identity beside the usual one
	spends    bool       // one of them has an access token
	signed    []string   // names of the fields of assertions
	secret    []string   // these and those of access tokens: by them others can act as somebody
}

func (ts *tellings) usual() *telling { return ts.byForward[0] }

func (ts *tellings) of(forward int) *telling { return ts.byForward[forward] }

func newTellings(c *config.Config) *tellings {
	f := &c.Forward
	usual := newTelling(f.Encoding, f.Headers, f.AccessToken, f.Assertion)
	ts := &tellings{}
	ts.add(usual)
	if usual.assertion != nil {
		ts.more++
	}
	for i := range c.Rules {
		own := &c.Rules[i].Forward
		if own.Headers == nil && own.AccessToken == nil && own.Assertion == nil {
			ts.byForward = append(ts.byForward, usual)
			continue
		}
		headers, tokens, assertion := f.Headers, f.AccessToken, f.Assertion
		if own.Headers != nil {
			headers = own.Headers
		}
		if own.AccessToken != nil {
			tokens = own.AccessToken
		}
		if own.Assertion != nil {
			assertion = own.Assertion
		}
		ts.add(newTelling(f.Encoding, headers, tokens, assertion))
		ts.more++
	}
	ts.signed, ts.secret = distinct(ts.signed), distinct(ts.secret)
	return ts
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func (ts *tellings) add(t *telling) {
	ts.byForward = append(ts.byForward, t)
	ts.spends = ts.spends || len(t.accessToken) > 0
	ts.secret = append(ts.secret, t.accessToken...)
	if t.assertion != nil {
		ts.signed = append(ts.signed, t.assertion.Header)
		ts.secret = append(ts.secret, t.assertion.Header)
	}
}

func newTelling(encoding string, headers map[string]config.Header, tokens []string, assertion *config.Assertion) *telling {
	t := &telling{accessToken: tokens, assertion: assertion}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		h := headers[name]
		how := cmp.Or(h.Encoding, encoding)
		t.headers = append(t.headers, header{name: name, claim: cmp.Or(h.Claim, h.Path), repeat: h.Repeat, percent: how == "percent"})
	}
	return t
}

// names are those of all fields that a telling may send.
func (t *telling) names() []string {
	names := slices.Clone(t.accessToken)
	for _, h := range t.headers {
		names = append(names, h.name)
	}
	if t.assertion != nil {
		names = append(names, t.assertion.Header)
	}
	return names
}

// takesAuthorization reports whether the access token is told in the field in
// which a caller's own came.
func (t *telling) takesAuthorization() bool { return slices.Contains(t.accessToken, "authorization") }

// Limits on what is told, so that it passes whatever is behind the gate: another
// Envoy takes 60 KiB and a hundred fields of a request by default, with all that
// the client sent. What goes beyond is left out whole: half a list would be
// another list.
const (
	maxHeader  = 16 << 10 // bytes of one header's values
	maxHeaders = 32 << 10 // bytes of all claims
	maxRepeats = 50       // fields of one header
)

// fields are what is told of the claims, and the names of the headers that are
// too long to be.
func (t *telling) fields(claims map[string]session.Claim) (fields httpmsg.Fields, long []string) {
	total := 0
	for _, h := range t.headers {
		claim := claims[h.claim]
		if len(claim.Values) == 0 {
			continue
		}
		claim.List = h.repeat || isList(h.claim, claim) // who reads it splits it at its commas
		values := h.values(claim)
		size := 0
		for _, v := range values {
			size += len(h.name) + len(v)
		}
		if size > maxHeader || total+size > maxHeaders || len(values) > maxRepeats {
			long = append(long, h.name)
			continue
		}
		total += size
		for _, v := range values {
			fields = append(fields, httpmsg.Field{Name: h.name, Value: v})
		}
	}
	return fields, long
}

// isList reports whether a claim is told as a list: some are, although a
// provider may write a list of one as a string.
func isList(name string, c session.Claim) bool {
	return c.List || name == "groups" || name == "roles"
}

// tokenFields carry the access token, if there is one.
func (t *telling) tokenFields(scheme, token string) (fields httpmsg.Fields) {
	if token == "" {
		return nil
	}
	for _, name := range t.accessToken {
		value := token
		if name == "authorization" {
			value = scheme + token
		}
		fields = append(fields, httpmsg.Field{Name: name, Value: value})
	}
	return fields
}

// values writes a claim as the values of a header's fields, so that no two
// claims share them. Percent-encoded are percent signs and control characters
// (RFC 9110, section 5.5 forbids them), spaces at either end, which would get
// lost, and commas within a list: nobody gets into a group by the name of
// another. That is so where each value has a field of its own, too, because
// anything on the way may put them into one, with commas (section 5.3).
func (h *header) values(c session.Claim) (values []string) {
	var b strings.Builder
	for i, v := range c.Values {
		if i > 0 {
			if h.repeat {
				values = append(values, b.String())
				b = strings.Builder{}
			} else {
				b.WriteByte(',')
			}
		}
		h.write(&b, v, c.List)
	}
	return append(values, b.String())
}

func (h *header) write(b *strings.Builder, v string, list bool) {
	const hex = "0123456789ABCDEF"
	for j := range len(v) {
		edge := j == 0 || j == len(v)-1
		if ch := v[j]; ch < ' ' || ch == 0x7f || ch == '%' || ch == ' ' && edge || ch == ',' && list || h.percent && ch > 0x7f {
			b.WriteByte('%')
			b.WriteByte(hex[ch>>4])
			b.WriteByte(hex[ch&15])
		} else {
			b.WriteByte(ch)
		}
	}
}
