package oidc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

const teams = "https://graph.example.com/v1.0/teams?$select=name"

// withGraph lets a provider be asked on another host.
const withGraph = `,"clusters":{"graph.example.com":"graph"}`

func question(q Question) Question {
	if q.URL == "" {
		q.URL = teams
	}
	if q.MaxPages == 0 {
		q.MaxPages = 3
	}
	q.MaxBytes = 1024
	return q
}

func TestAQuestionIsAskedAsItIsWritten(t *testing.T) {
	f := newFake(t)
	f.on("/v1.0/teams", rawAnswer(200, "application/json; charset=utf-8", `{"a":1}`), nil)
	p := f.provider(withGraph)
	pages, err := p.Ask(f.env(), "enrich teams", question(Question{
		Method: "POST", Body: `{"x":1}`, Timeout: time.Second,
		Header: map[string]string{"ConsistencyLevel": "eventual", "accept": "application/vnd.github+json"},
	}), Access{Token: "at-1"})
	if err != nil || len(pages) != 1 || string(pages[0]) != `{"a":1}` {
		t.Fatalf("got %q, %v", pages, err)
	}
	want := flow.Call{
		Provider: "main", Step: "enrich teams",
		Cluster: "graph", Method: "POST", Scheme: "https", Authority: "graph.example.com", Path: "/v1.0/teams?$select=name",
		Body: []byte(`{"x":1}`), Timeout: time.Second, MaxBody: 1024,
		Header: httpmsg.Fields{
			{Name: "authorization", Value: "Bearer at-1"}, {Name: "accept-encoding", Value: "identity"},
			{Name: "consistencylevel", Value: "eventual"}, {Name: "accept", Value: "application/vnd.github+json"},
			{Name: "content-type", Value: "application/json"},
		},
	}
	if diff := cmp.Diff(want, f.last); diff != "" {
		t.Errorf("the call (-want +got):\n%s", diff)
	}
}

func TestAnAnswerThatIsNoneFailsTheQuestion(t *testing.T) {
	for name, c := range map[string]struct {
		url       string
		answer    flow.Response
		err       error
		reason    string
		temporary bool
	}{
		"a host without a cluster":   {"https://other.example.com/", flow.Response{}, nil, "endpoint_without_cluster", false},
		"plain http":                 {"http://graph.example.com/v1.0/teams", flow.Response{}, nil, "endpoint_not_https", false},
		"status 401":                 {"", rawAnswer(401, "application/json", `{}`), nil, "status_401", false},
		"status 403":                 {"", rawAnswer(403, "application/json", `{}`), nil, "status_403", false},
		"status 404":                 {"", rawAnswer(404, "application/json", `{}`), nil, "status_404", false},
		"a redirect":                 {"", rawAnswer(302, "application/json", `{}`), nil, "status_302", false},
		"part of it":                 {"", rawAnswer(206, "application/json", `{}`), nil, "status_206", false},
		"status 500":                 {"", rawAnswer(500, "application/json", `{}`), nil, "status_500", true},
		"too many questions":         {"", rawAnswer(429, "application/json", `{}`), nil, "status_429", true},
		"no answer":                  {"", flow.Response{}, flow.ErrUnavailable, "no_answer", true},
		"a page":                     {"", rawAnswer(200, "text/html", "<h1>"), nil, "answer_not_json", true},
		"no media type":              {"", flow.Response{Status: 200, Body: []byte(`{}`)}, nil, "answer_not_json", true},
		"nothing":                    {"", rawAnswer(200, "application/json", ""), nil, "answer_malformed", true},
		"something behind the value": {"", rawAnswer(200, "application/json", `{}{}`), nil, "answer_malformed", true},
		"too large":                  {"", rawAnswer(200, "application/json", `"`+strings.Repeat("a", 1024)+`"`), nil, "answer_too_large", true},
		"too deep":                   {"", rawAnswer(200, "application/json", strings.Repeat("[", 33)+strings.Repeat("]", 33)), nil, "answer_too_deep", true},
		"compressed": {"", flow.Response{Status: 200, Body: []byte(`{}`), Header: httpmsg.Fields{
			{Name: "content-type", Value: "application/json"}, {Name: "content-encoding", Value: "gzip"}}}, nil, "answer_encoded", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("/v1.0/teams", c.answer, c.err)
			pages, err := f.provider(withGraph).Ask(f.env(), "enrich teams", question(Question{URL: c.url}), Access{Token: "at-secret"})
			if pages != nil && err == nil || Reason(err) != c.reason || Temporary(err) != c.temporary {
				t.Errorf("got %v, temporary %v; want %s, %v", err, Temporary(err), c.reason, c.temporary)
			}
			if !strings.HasPrefix(err.Error(), "oidc: enrich teams: ") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q", err)
			}
		})
	}
}

// paging answers with numbered pages, of which each but the last names the next by
// what next makes of its number.
func (f *fake) paging(last int, next func(n int) (body, link string)) {
	f.answers["/v1.0/teams"] = func(c flow.Call) (flow.Response, error) {
		n := 1
		if _, err := fmt.Sscanf(c.Path, "/v1.0/teams?page=%d", &n); err != nil {
			n = 1
		}
		r := rawAnswer(200, "application/json", `{}`)
		if n < last {
			body, link := next(n + 1)
			r.Body = []byte(body)
			r.Header = append(r.Header, httpmsg.Field{Name: "link", Value: link})
		}
		return r, nil
	}
}

func TestAnAnswerGoesOnOverPages(t *testing.T) {
	inBody := func(format string) func(int) (string, string) {
		return func(n int) (string, string) { return fmt.Sprintf(`{"@odata.nextLink":`+format+`}`, n), "" }
	}
	inField := func(format string) func(int) (string, string) {
		return func(n int) (string, string) { return `{}`, fmt.Sprintf(format, n) }
	}
	for name, c := range map[string]struct {
		next   string
		pages  int
		page   func(int) (string, string)
		got    int
		reason string
	}{
		"named in the answer":           {`@odata\.nextLink`, 3, inBody(`"https://graph.example.com/v1.0/teams?page=%d"`), 3, ""},
		"on the scheme's own port":      {`@odata\.nextLink`, 2, inBody(`"https://graph.example.com:443/v1.0/teams?page=%d"`), 2, ""},
		"in other letters":              {`@odata\.nextLink`, 2, inBody(`"HTTPS://Graph.Example.com/v1.0/teams?page=%d"`), 2, ""},
		"relative to it":                {`@odata\.nextLink`, 3, inBody(`"?page=%d"`), 3, ""},
		"null":                          {`@odata\.nextLink`, 2, func(int) (string, string) { return `{"@odata.nextLink":null}`, "" }, 1, ""},
		"named in the field":            {NextByLink, 3, inField(`<https://graph.example.com/v1.0/teams?page=%d>; rel="next", </>; rel="last"`), 3, ""},
		"not asked for":                 {"", 3, inField(`</v1.0/teams?page=%d>; rel=next`), 1, ""},
		"more than may be fetched":      {`@odata\.nextLink`, 4, inBody(`"?page=%d"`), 0, "too_many_pages"},
		"for ever":                      {`@odata\.nextLink`, 1 << 30, inBody(`"?page=%d"`), 0, "too_many_pages"},
		"on another host":               {`@odata\.nextLink`, 2, inBody(`"https://id.example.com/v1.0/teams?page=%d"`), 0, "next_page_elsewhere"},
		"on an unknown host":            {NextByLink, 2, inField(`<https://evil.example/v1.0/teams?page=%d>; rel="next"`), 0, "endpoint_without_cluster"},
		"on another port":               {NextByLink, 2, inField(`<https://graph.example.com:8443/v1.0/teams?page=%d>; rel="next"`), 0, "endpoint_without_cluster"},
		"by plain http":                 {NextByLink, 2, inField(`<http://graph.example.com/v1.0/teams?page=%d>; rel="next"`), 0, "endpoint_not_https"},
		"at a host without a scheme":    {NextByLink, 2, inField(`<//evil.example/v1.0/teams?page=%d>; rel="next"`), 0, "endpoint_without_cluster"},
		"with a password":               {NextByLink, 2, inField(`<https://u:p@graph.example.com/v1.0/teams?page=%d>; rel="next"`), 0, "bad_endpoint"},
		"with a space":                  {NextByLink, 2, inField(`<https://graph.example.com/v1.0/teams?page=%d x>; rel="next"`), 0, "next_page_malformed"},
		"with a line break":             {`@odata\.nextLink`, 2, inBody(`"https://graph.example.com/v1.0/teams?page=%d\r\nx: y"`), 0, "next_page_malformed"},
		"with an address beyond bounds": {`@odata\.nextLink`, 2, inBody(`"?page=%d&` + strings.Repeat("x", maxAddress) + `"`), 0, "answer_too_large"},
		"a number":                      {`@odata\.nextLink`, 2, inBody(`%d`), 0, "next_page_malformed"},
		"a list":                        {`@odata\.nextLink`, 2, inBody(`["?page=%d"]`), 0, "next_page_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.paging(c.pages, c.page)
			pages, err := f.provider(withGraph).Ask(f.env(), "enrich teams", question(Question{Next: c.next}), Access{Token: "at-1"})
			if c.reason == "" && (err != nil || len(pages) != c.got) || c.reason != "" && Reason(err) != c.reason {
				t.Errorf("got %d pages, %v; want %d, %q", len(pages), err, c.got, c.reason)
			}
			if err != nil && pages != nil {
				t.Error("pages came with the error")
			}
			if n := f.calls["/v1.0/teams"]; n > 3 {
				t.Errorf("%d pages were fetched", n)
			}
		})
	}
}

func TestAllPagesTogetherAreBounded(t *testing.T) {
	f := newFake(t)
	f.answers["/v1.0/teams"] = func(flow.Call) (flow.Response, error) {
		return rawAnswer(200, "application/json", `{"next":"?","x":"`+strings.Repeat("x", 1<<20-64)+`"}`), nil
	}
	q := Question{URL: teams, Next: "next", MaxPages: 20, MaxBytes: 1 << 20}
	_, err := f.provider(withGraph).Ask(f.env(), "enrich teams", q, Access{Token: "at-1"})
	if Reason(err) != "answer_too_large" || f.calls["/v1.0/teams"] > 5 {
		t.Errorf("got %v after %d pages", err, f.calls["/v1.0/teams"])
	}
}

func TestTheNextPageIsReadFromLinks(t *testing.T) {
	for name, c := range map[string]struct {
		links []string
		want  string
	}{
		"as GitHub writes it":             {[]string{`<https://h/a?page=1>; rel="prev", <https://h/a?page=3>; rel="next", <https://h/a?page=9>; rel="last"`}, "https://h/a?page=3"},
		"without quotes":                  {[]string{`</a>;rel=next`}, "/a"},
		"among several relations":         {[]string{`</a>; rel="last NEXT"`}, "/a"},
		"in the second field":             {[]string{`</a>; rel="prev"`, `</b>; rel="next"`}, "/b"},
		"a comma in an address":           {[]string{`</a,b;c>; rel="next"`}, "/a,b;c"},
		"a comma in quotes":               {[]string{`</a>; title="x, <y>; rel=\"next\"", </b>; rel=next`}, "/b"},
		"a parameter without a value":     {[]string{`</a>; crossorigin; rel=next`}, "/a"},
		"spaces around everything":        {[]string{" ,, < /a > ; rel = \"next\" , "}, "/a"},
		"the first relation counts":       {[]string{`</a>; rel="prev"; rel="next"`}, ""},
		"about another document":          {[]string{`</a>; rel="next"; anchor="/other"`}, ""},
		"a word that contains it":         {[]string{`</a>; rel="nextish"`}, ""},
		"no links":                        {[]string{"", ",", " "}, ""},
		"an address without its end":      {[]string{`</a; rel="next"`}, ""},
		"a quote without its end":         {[]string{`</a>; rel="next`}, ""},
		"something else before the links": {[]string{`x, </a>; rel="next"`}, ""},
		"something behind the address":    {[]string{`</a> rel="next"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var header httpmsg.Fields
			for _, l := range c.links {
				header = append(header, httpmsg.Field{Name: "link", Value: l})
			}
			if got := nextLink(header); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzNextLink reads any field. A target is part of it, and the reader ends.
func FuzzNextLink(f *testing.F) {
	for _, seed := range []string{`</a>; rel="next"`, `<>;rel=next`, `</a>; title="\"`, `</a>;;,`, `<a>;x=`, strings.Repeat(`<`, 99)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := nextLink(httpmsg.Fields{{Name: "link", Value: value}})
		if !strings.Contains(value, got) || got != "" && !strings.Contains(strings.ToLower(value), "rel") {
			t.Errorf("got %q of %q", got, value)
		}
	})
}
