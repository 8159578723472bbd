package e2e

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/e2e/standins"
)

// TestEnvoyVerifiesWhoAnswers is about the transport socket that the pages about
// providers show: it is Envoy, and not the gate, that knows a provider by its
// certificate.
func TestEnvoyVerifiesWhoAnswers(t *testing.T) {
	n, stranger := must(standins.NewInternet())(t), must(standins.NewInternet())(t)
	t.Cleanup(n.Close)
	t.Cleanup(stranger.Close)
	const host = "id.example.com"
	for _, served := range []struct {
		net  *standins.Internet
		host string
	}{{n, host}, {n, "evil.example.com"}, {stranger, host}} {
		if err := served.net.Serve(served.host, http.NotFoundHandler()); err != nil {
			t.Fatal(err)
		}
	}
	at := func(addr string) int {
		e := StartEnvoy(t, EnvoySetup{App: addr, Sockets: map[string]object{"app": verifiedTLS(host, n.Authority())}})
		return must(NewBrowser().Get(e.URL("/")))(t).Status
	}
	for _, test := range []struct {
		name, addr string
		want       int
	}{
		{"the host itself is asked", n.Addr(host), http.StatusMisdirectedRequest}, // by the name localhost, which is not its own
		{"another host of the same authority is not", n.Addr("evil.example.com"), http.StatusServiceUnavailable},
		{"one that says it is the host, by an authority of its own, is not", stranger.Addr(host), http.StatusServiceUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := at(test.addr); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}
