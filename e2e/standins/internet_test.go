package standins

import (
	"net/http"
	"testing"
)

func TestAHostAnswersForItsOwnNameAlone(t *testing.T) {
	n, v := newNet(t)
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	for _, host := range []string{"a.example.com", "b.example.com"} {
		if err := n.Serve(host, ok); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "the answer", v.do(http.MethodGet, "https://a.example.com/x", nil, nil).body, "hello")
	// b's server under a's address: its certificate is not a's.
	n.servers["a.example.com"] = n.servers["b.example.com"]
	v.client.CloseIdleConnections()
	if _, err := v.client.Get("https://a.example.com/x"); err == nil {
		t.Error("a server with another host's certificate was taken for this host")
	}
	want(t, "the number of calls", len(n.Calls("a.example.com", "/")), 1)
	if _, err := v.client.Get("https://c.example.com/x"); err == nil {
		t.Error("a host that is not on the net was reached")
	}
}
