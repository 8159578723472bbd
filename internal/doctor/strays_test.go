package doctor

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

func TestWhoeverAnswersDoesNotHaveUsAskThisMachine(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     bool
	}{
		"loopback":                     {"https://id.example.com/", "http://127.0.0.1:9901/quitquitquit", true},
		"loopback by its name":         {"https://id.example.com/", "http://LocalHost.:9901/", true},
		"loopback of IPv6":             {"https://id.example.com/", "http://[::1]/", true},
		"loopback of IPv4 in IPv6":     {"https://id.example.com/", "http://[::ffff:127.0.0.1]/", true},
		"no address":                   {"https://id.example.com/", "http://0.0.0.0/", true},
		"a cloud's metadata":           {"https://id.example.com/", "http://169.254.169.254/latest/", true},
		"a host of elsewhere":          {"https://id.example.com/", "https://keys.example.com/", false},
		"this machine, from itself":    {"http://app.localhost:10000/", "http://localhost:10001/authorize", false},
		"elsewhere, from this machine": {"http://localhost:10000/", "https://id.example.com/", false},
	} {
		t.Run(name, func(t *testing.T) {
			from, errFrom := url.Parse(c.from)
			to, errTo := url.Parse(c.to)
			if errFrom != nil || errTo != nil {
				t.Fatal(errFrom, errTo)
			}
			if got := strays(from, to); got != c.want {
				t.Errorf("%t", got)
			}
		})
	}
}

func TestNeitherARedirectNorADocumentLeadsToThisMachine(t *testing.T) {
	asked := 0
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(`{"keys": [{}]}`))
	}))
	defer inner.Close()
	v := &visit{Options: Options{Client: inner.Client(), Timeout: time.Second, Now: time.Now}, ctx: t.Context()}
	if n := v.keysAt("https://id.example.com/.well-known/openid-configuration", inner.URL); n != 0 || asked != 0 {
		t.Errorf("%d keys, asked %d times", n, asked)
	}
	l := login{visit: v, from: &url.URL{Scheme: "https", Host: "id.example.com"}}
	if _, err := l.open(inner.URL); err != errStrays || asked != 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if n := v.keysAt("http://localhost/", inner.URL); n != 1 || asked != 1 {
		t.Errorf("of this machine itself: %d keys, asked %d times", n, asked)
	}
}
