package gate

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// FuzzHandle has strangers ask for anything: nothing goes on but what the one
// open rule lets pass, never with an identity, and browsers are sent nowhere
// but to the provider and to our own host.
func FuzzHandle(f *testing.F) {
	f.Add("GET", "app.example.com", "/", "text/html", "")
	f.Add("GET", "app.example.com", "/oauth2/callback?code=c&state=s&iss=i", "text/html", "__Host-postern-login=x")
	f.Add("POST", "app.example.com", "/oauth2/sign_out?rd=//evil.example", "*/*", "__Host-postern=2.x; __Host-postern-1=y")
	f.Add("GET", "evil.example", "/public/%2e%2e/admin", "", "a=b")
	f.Add("GET", "app.example.com:443", "/public/../x;y", "text/html;q=0", "__Host-postern=1.a.b.c.d.e")
	f.Add("GET", "app.example.com", "/oauth2/ticket?ticket=a.b.c.d.e", "text/html", "__Host-postern-login=x")
	f.Add("GET", "app.example.com", "/oauth2/start?request=a..c.d.e", "text/html", "")
	g := fuzzGate(f)
	f.Fuzz(func(t *testing.T, method, host, target, accept, cookie string) {
		v, rest := g.Handle(&httpmsg.Request{Method: method, Scheme: "http", Authority: host, Target: target, Header: httpmsg.Fields{
			{Name: "accept", Value: accept}, {Name: "cookie", Value: cookie}, {Name: "X_Auth_Request_User", Value: "eve"},
		}})
		if rest != nil {
			v = rest(flow.Direct{Clock: g.now, Do: func(flow.Call) (flow.Response, error) {
				return flow.Response{}, flow.ErrUnavailable
			}})
		}
		switch {
		case v.Forward != nil && v.Respond != nil:
			t.Error("both forwarded and answered")
		case v.Forward != nil:
			// An independent reading: what the escapes stand for, nothing else.
			if path, err := url.PathUnescape(strings.SplitN(target, "?", 2)[0]); err != nil || !strings.HasPrefix(path, "/public/") {
				t.Errorf("%q went on", target)
			}
			if len(v.Forward.Set) > 0 || len(v.Forward.Remove) != 1 {
				t.Errorf("set %v, removed %v", v.Forward.Set, v.Forward.Remove)
			}
		case v.Respond != nil:
			if to, ok := v.Respond.Header.Get("location"); ok && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "https://app.example.com/") {
				t.Errorf("a browser is sent to %q", to)
			}
		}
	})
}

func fuzzGate(f *testing.F) *Gate {
	f.Helper()
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))
	c, err := config.Parse([]byte(`{"providers":[{"name":"main","issuer":"https://id.example.com","cluster":"idp","client_id":"shop"}],
		"hosts":["app.example.com"],"session":{"keys":[{"id":"k","env":"KEY"}]},
		"rules":[{"match":{"paths":["/public/*"]},"allow":"anyone"}]}`),
		func(string) (string, bool) { return key, true })
	if err != nil {
		f.Fatal(err)
	}
	g, err := New(c, Deps{
		Now:    func() time.Time { return time.Unix(1_800_000_000, 0) },
		Random: endless{},
		Log: func(e Event) {
			if strings.ContainsAny(e.JSON(), "\r\n\x00") {
				panic("a line of the log is broken")
			}
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	return g
}

// endless is randomness that is none: what it is for does not matter here.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

func FuzzReadResponse(f *testing.F) {
	f.Add("code=c&state=s&iss=i")
	f.Add("state=s&state=t")
	f.Add("error=access_denied&state=s&code=c")
	f.Add("state=%zz")
	f.Fuzz(func(t *testing.T, query string) {
		r, reason := readResponse(query)
		if reason == "" && (r.state == "" || r.code != "" && r.errorCode != "" || strings.Count("&"+query, "&state=") > 1) {
			t.Errorf("%q was read as %+v", query, r)
		}
	})
}

// FuzzLogoutForm has anybody post anything to the back channel: nothing is ever
// forwarded, and without the provider's word nothing is accepted.
func FuzzLogoutForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "logout_token=a.b.c")
	f.Add("application/x-www-form-urlencoded; charset=utf-8", "logout_token=&logout_token=")
	f.Add("text/plain", "logout_token=%zz")
	g := fuzzGate(f)
	f.Fuzz(func(t *testing.T, contentType, form string) {
		env := flow.Direct{Clock: g.now, Do: func(flow.Call) (flow.Response, error) {
			return flow.Response{}, flow.ErrUnavailable
		}}
		v, rest := g.Handle(&httpmsg.Request{
			Method: "POST", Scheme: "https", Authority: "app.example.com", Target: "/oauth2/backchannel_logout",
			Header: httpmsg.Fields{{Name: "content-type", Value: contentType}},
		})
		if v.Body != nil {
			v, rest = v.Body.Then([]byte(form), nil)
		}
		if rest != nil {
			v = rest(env)
		}
		if v.Forward != nil || v.Body != nil || v.Respond == nil || v.Respond.Status < 400 {
			t.Errorf("%q, %q was accepted: %+v", contentType, form, v)
		}
	})
}
