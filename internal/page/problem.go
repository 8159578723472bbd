package page

import (
	"sort"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// ProblemDetails is an error for programs (RFC 9457).
type ProblemDetails struct {
	Status    int
	Reason    string            // a stable code in snake_case, which programs branch on
	Title     string            // "" for the words that belong to the reason
	Detail    string            // likewise
	Cause     string            // what the reason comes of; "" where it says all
	Rule      string            // the rule that said no; "" to leave it out
	Missing   []Need            // what it demands and was not there
	RequestID string            // "" to leave it out
	Figures   []Figure          // what was counted
	Extra     map[string]string // further members; none of the above can be replaced
}

// Problem writes an error as application/problem+json. Its type is
// about:blank, for the reason says more than an address could.
func Problem(p ProblemDetails) (body []byte, header httpmsg.Fields) {
	e := english.explain(p.Status, p.Reason, p.Cause)
	if p.Title == "" {
		p.Title = e.title
	}
	if p.Detail == "" {
		p.Detail = e.detail
	}
	w := members{seen: map[string]bool{}}
	w.add("type", "about:blank")
	w.add("title", p.Title)
	w.add("status", p.Status)
	w.addText("detail", p.Detail)
	w.addText("reason", p.Reason)
	w.addText("cause", p.Cause)
	w.addText("rule", p.Rule)
	w.addMissing(p.Missing)
	w.addText("request_id", shorten(p.RequestID))
	for _, f := range p.Figures {
		w.add(f.Key, f.Value)
	}
	names := make([]string, 0, len(p.Extra))
	for name := range p.Extra {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		w.add(name, p.Extra[name])
	}
	body = append(append([]byte("{"), w.out...), "}\n"...)
	return body, append(httpmsg.Fields{{Name: "content-type", Value: "application/problem+json"}}, common()...)
}

// members writes the members of a JSON object in the order in which they are
// added, each once; the standard ones come first and win.
type members struct {
	out  []byte
	seen map[string]bool
}

func (m *members) addText(name, value string) {
	if value == "" {
		m.seen[name] = true
		return
	}
	m.add(name, value)
}

// addMissing writes what is missing as far as a page would show it: "missing",
// and under "missing_more" how many there are beside.
func (m *members) addMissing(needs []Need) {
	lacks, more := shown(needs)
	if len(lacks) > 0 {
		m.add("missing", lacks)
	}
	if more > 0 {
		m.add("missing_more", more)
	}
	m.seen["missing"], m.seen["missing_more"] = true, true
}

func (m *members) add(name string, value any) {
	if m.seen[name] {
		return
	}
	m.seen[name] = true
	if len(m.out) > 0 {
		m.out = append(m.out, ',')
	}
	for i, v := range [...]any{name, value} {
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("null") // text and numbers always marshal
		}
		if i == 1 {
			m.out = append(m.out, ':')
		}
		m.out = append(m.out, text...)
	}
}
