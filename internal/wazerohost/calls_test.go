package wazerohost

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const callIDP = "call idp 5000 - :method=POST :path=/token :authority=id.example"

func TestACallIsCheckedBeforeItStarts(t *testing.T) {
	for _, tt := range []struct{ name, call, want string }{
		{"a good one has a token", callIDP, "0 1"},
		{"an unknown cluster is BadArgument", strings.Replace(callIDP, "idp", "nobody", 1), "2 0"},
		{"a cluster without a healthy host is InternalFailure", strings.Replace(callIDP, "idp", "down", 1), "10 0"},
		{"no method is BadArgument", "call idp 0 - :path=/ :authority=a", "2 0"},
		{"no path is BadArgument", "call idp 0 - :method=GET :authority=a", "2 0"},
		{"no authority is BadArgument", "call idp 0 - :method=GET :path=/", "2 0"},
		{"a negative time-out is BadArgument", "call idp -1 - :method=GET :path=/ :authority=a", "2 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "request_headers: "+tt.call+"; return 4", func(c *Config) { c.Clusters["down"] = Cluster{Down: true} })
			r.get()
			r.wantLog("request_headers: " + tt.call + " -> " + tt.want)
			started := 0
			if strings.HasPrefix(tt.want, "0") {
				started = 1
			}
			if n := len(r.Calls()); n != started {
				t.Errorf("%d calls wait, want %d", n, started)
			}
		})
	}
}

func TestACallCarriesWhatTheModuleGave(t *testing.T) {
	r := newRig(t, "request_headers: quiet call idp 5000 grant=code :method=POST :path=/token :authority=id.example X-A=b; return 4")
	r.get()
	c := r.Calls()[0]
	want := [][2]string{{":method", "POST"}, {":path", "/token"}, {":authority", "id.example"}, {"x-a", "b"}, {"content-length", "10"}}
	if diff := cmp.Diff(want, c.Headers); diff != "" || string(c.Body) != "grant=code" || c.Timeout != 5*time.Second {
		t.Errorf("body %q time-out %v headers (-want +got):\n%s", c.Body, c.Timeout, diff)
	}
}

const readAnswer = "http_call_response: get 6 :status; get 6 X-B; buffer 4 0 99; get 7 x-t; status"

func TestTheAnswerToACallReachesThePluginContext(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(r *rig, c *Call)
		want   []string
	}{
		{"a reply", func(_ *rig, c *Call) {
			c.ReplyWithTrailers(200, [][2]string{{"X-B", "b"}}, []byte("ok"), [][2]string{{"x-t", "t"}})
		}, []string{"token 1 headers 2 body 2 trailers 1", "get 6 :status -> 0 200", "get 6 X-B -> 0 b",
			"buffer 4 0 99 -> 0 2 ok", "get 7 x-t -> 0 t", "status -> 0 0 "}},
		{"a time-out is a 504", func(r *rig, _ *Call) { r.clock.Advance(5 * time.Second) },
			[]string{"token 1 headers 3 body 24 trailers 0", "get 6 :status -> 0 504", "get 6 X-B -> 1 ",
				"buffer 4 0 99 -> 0 24 upstream request timeout", "get 7 x-t -> 1 ", "status -> 0 0 "}},
		{"a reset has no headers", func(_ *rig, c *Call) { c.Reset() },
			[]string{"token 1 headers 0 body 0 trailers 0", "get 6 :status -> 2 ", "get 6 X-B -> 2 ",
				"buffer 4 0 99 -> 1 0 ", "get 7 x-t -> 2 ", "status -> 0 11 reset"}},
		{"an oversized body is a reset", func(r *rig, c *Call) { c.Reply(200, nil, make([]byte, defaultMaxBytes+1)) },
			[]string{"token 1 headers 0 body 0 trailers 0", "get 6 :status -> 2 ", "get 6 X-B -> 2 ",
				"buffer 4 0 99 -> 1 0 ", "get 7 x-t -> 2 ", "status -> 0 11 reset"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "request_headers: quiet "+callIDP+"; return 4\n"+readAnswer)
			r.get()
			c := r.Calls()[0]
			tt.answer(r, c)
			want := make([]string, len(tt.want))
			for i, w := range tt.want {
				want[i] = "http_call_response: " + w
			}
			r.wantLog(want...)
			c.Reply(200, nil, nil)
			r.wantLog() // only the first answer counts
			if n := len(r.Calls()); n != 0 {
				t.Errorf("%d calls still wait", n)
			}
		})
	}
}

func TestTheAnswerComesEvenWhenTheStreamIsGone(t *testing.T) {
	r := newRig(t, "request_headers: quiet "+callIDP+"; return 4\nhttp_call_response: effective last; get 0 :path")
	s := r.get()
	s.Close()
	r.Calls()[0].Reply(200, nil, nil)
	r.wantLog("http_call_response: token 1 headers 1 body 0 trailers 0",
		"http_call_response: effective last -> 2", "http_call_response: get 0 :path -> 2 ")
}

func TestTheEffectiveContextLastsForOneCallback(t *testing.T) {
	r := newRig(t, "configure: quiet tick 1000; return 1\nrequest_headers: quiet "+callIDP+"; return 4\n"+
		"http_call_response: get 0 :path; effective last; get 0 :path; get 0 :method\ntick: get 0 :path")
	r.get()
	r.Calls()[0].Reply(200, nil, nil)
	r.Tick()
	r.wantLog("http_call_response: token 1 headers 1 body 0 trailers 0",
		"http_call_response: get 0 :path -> 2 ", "http_call_response: effective last -> 0",
		"http_call_response: get 0 :path -> 0 /a?b=c",
		"http_call_response: get 0 :method -> 0 GET", // an allocation in between does not end it
		"tick: get 0 :path -> 2 ")
}

func TestACallWithoutTimeoutWaits(t *testing.T) {
	r := newRig(t, "request_headers: quiet call idp 0 - :method=GET :path=/ :authority=a; return 4")
	r.get()
	r.clock.Advance(24 * time.Hour)
	if n := len(r.Calls()); n != 1 {
		t.Errorf("%d calls wait after a day, want 1", n)
	}
}

func TestClustersComeAndGo(t *testing.T) {
	r := newRig(t, "request_headers: "+callIDP+"; return 4")
	for _, step := range []struct {
		change func()
		want   string
	}{
		{func() { r.RemoveCluster("idp") }, "2 0"},
		{func() { r.SetCluster("idp", Cluster{Down: true}) }, "10 0"},
		{func() { r.SetCluster("idp", Cluster{}) }, "0 1"},
	} {
		step.change()
		r.get()
		r.wantLog("request_headers: " + callIDP + " -> " + step.want)
	}
}

func TestACallTravelsOverHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-B", strings.Join([]string{r.Method, r.RequestURI, r.Host, string(body), r.Header.Get("User-Agent"), r.Header.Get("Accept-Encoding")}, "|"))
		io.WriteString(w, "ok")
	}))
	defer server.Close()
	script := "request_headers: quiet call idp 5000 hello :method=POST :path=/token?a=%2F :authority=id.example; return 4\n" +
		"http_call_response: get 6 :status; get 6 x-b; buffer 4 0 99; quiet effective last; quiet continue 0"
	r := newRig(t, script, func(c *Config) {
		c.Clusters["idp"] = Cluster{Address: strings.TrimPrefix(server.URL, "http://")}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if o := r.get().Wait(ctx); o.Kind != Forwarded {
		t.Fatalf("the stream is %v", o.Kind)
	}
	log := r.log()
	want := []string{"http_call_response: get 6 :status -> 0 200",
		"http_call_response: get 6 x-b -> 0 POST|/token?a=%2F|id.example|hello||", "http_call_response: buffer 4 0 99 -> 0 2 ok"}
	if diff := cmp.Diff(want, log[1:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTransportsFailAsEnvoysRouterSays(t *testing.T) {
	truncated := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half")
	}
	large := func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2000)) }
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"a refused connection is a 503", nil, "get 6 :status -> 0 503"},
		{"a truncated body is a reset", truncated, "get 6 :status -> 2 "},
		{"an oversized body is a reset", large, "get 6 :status -> 2 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := closed.Addr().String()
			if tt.handler != nil {
				server := httptest.NewServer(tt.handler)
				defer server.Close()
				address = strings.TrimPrefix(server.URL, "http://")
			}
			r := newRig(t, "request_headers: quiet "+callIDP+"; return 4\nhttp_call_response: get 6 :status; quiet effective last; quiet continue 0",
				func(c *Config) { c.Clusters["idp"], c.MaxResponseBytes = Cluster{Address: address}, 1000 })
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			r.get().Wait(ctx)
			if log := r.log(); len(log) != 2 || log[1] != "http_call_response: "+tt.want {
				t.Errorf("got %q, want %q", log, tt.want)
			}
		})
	}
}
