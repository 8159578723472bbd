package wazerohost

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func allowStopIteration(c *Config) { c.AllowOnHeadersStopIteration = true }

func TestTheHeadersCallbackDecidesWhatHappens(t *testing.T) {
	for _, tt := range []struct {
		name    string
		script  string
		options []func(*Config)
		want    Kind
	}{
		{"0 lets the request go", "request_headers: return 0", nil, Forwarded},
		{"1 stops everything by default", "request_headers: return 1", nil, Pending},
		{"1 with the flag stops the headers", "request_headers: return 1", []func(*Config){allowStopIteration}, Pending},
		{"2 counts as continue", "request_headers: return 2", nil, Forwarded},
		{"3 stops everything and buffers", "request_headers: return 3", nil, Pending},
		{"4 stops everything", "request_headers: return 4", nil, Pending},
		{"an unknown answer stops everything", "request_headers: return 77", nil, Pending},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.script, tt.options...)
			wantKind(t, r.get(), tt.want)
			r.wantMisuse()
		})
	}
}

func TestWhatAStoppedRequestDoesWithItsBody(t *testing.T) {
	flag := []func(*Config){allowStopIteration}
	for _, tt := range []struct {
		name, script string
		options      []func(*Config)
		want         Kind
		log          []string
	}{
		{"1 keeps the body from the filter", "request_headers: return 1\nrequest_body: log 2 body", nil, Pending, nil},
		{"1 with the flag lets the body callback run, and its Continue releases the request",
			"request_headers: return 1\nrequest_body: buffer 0 0 99", flag, Forwarded,
			[]string{"request_body: buffer 0 0 99 -> 0 3 abc"}},
		{"1 with the flag stays stopped when the body callback stops",
			"request_headers: return 1\nrequest_body: buffer 0 0 99; return 1", flag, Pending,
			[]string{"request_body: buffer 0 0 99 -> 0 3 abc"}},
		{"4 with the flag keeps the body from the filter", "request_headers: return 4\nrequest_body: log 2 body", flag, Pending, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.script, tt.options...)
			s := r.send(false)
			s.SendBody([]byte("abc"), true)
			wantKind(t, s, tt.want)
			r.wantLog(tt.log...)
		})
	}
}

func TestAContinuedRequestShowsItsHeldBodyToTheFilterFirst(t *testing.T) {
	r := newRig(t, "request_headers: quiet call idp 0 - :method=GET :path=/ :authority=x; return 4\n"+
		"http_call_response: quiet effective last; quiet continue 0\nrequest_body: buffer 0 0 99; return 0")
	s := r.send(false)
	s.SendBody([]byte("held"), true)
	r.log()
	r.Calls()[0].Reply(200, nil, nil)
	o := wantKind(t, s, Forwarded)
	r.wantLog("http_call_response: token 1 headers 1 body 0 trailers 0", "request_body: buffer 0 0 99 -> 0 4 held")
	if string(o.Body) != "held" || !s.RequestComplete() {
		t.Errorf("forwarded body %q, complete %v", o.Body, s.RequestComplete())
	}
	r.wantMisuse()
}

func TestTheBodyCallbackDecidesWhatBecomesOfTheBody(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         string
		complete     bool
	}{
		{"0 passes each part", "request_body: return 0", "onetwo", true},
		{"1 holds the parts", "request_body: return 1", "", false},
		{"2 holds the parts", "request_body: return 2", "", false},
		{"3 drops the parts", "request_body: return 3", "", false},
		{"a replaced buffer is what passes", "request_body: quiet setbuffer 0 0 99 new", "newnew", true},
		{"a prepended buffer is what passes", "request_body: quiet setbuffer 0 0 0 +", "+one+two", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.script)
			s := r.send(false)
			s.SendBody([]byte("one"), false)
			s.SendBody([]byte("two"), true)
			o := wantKind(t, s, Forwarded)
			if string(o.Body) != tt.want || s.RequestComplete() != tt.complete {
				t.Errorf("forwarded %q complete %v, want %q %v", o.Body, s.RequestComplete(), tt.want, tt.complete)
			}
		})
	}
}

func TestABufferedBodyIsSeenWholeAndIsLimited(t *testing.T) {
	r := newRig(t, "request_body: buffer 0 0 99; return 1", func(c *Config) { c.MaxRequestBytes = 8 })
	s := r.send(false)
	s.SendBody([]byte("one"), false)
	s.SendBody([]byte("two"), false)
	r.wantLog("request_body: buffer 0 0 99 -> 0 3 one", "request_body: buffer 0 0 99 -> 0 6 onetwo")
	s.SendBody([]byte("three"), true)
	if o := wantKind(t, s, Replied); o.Status != 413 || !o.WasForwarded {
		t.Errorf("got %+v, want 413 after the headers had gone on", o)
	}
}

func TestTrailersCanHoldTheRequestBack(t *testing.T) {
	r := newRig(t, "request_headers: return 1\nrequest_body: return 1\nrequest_trailers: get 1 x-end; return 1", allowStopIteration)
	s := r.send(false)
	s.SendBody([]byte("abc"), false)
	s.SendTrailers([][2]string{{"X-End", "yes"}})
	wantKind(t, s, Pending)
	r.wantLog("request_trailers: get 1 x-end -> 0 yes")
}

func TestALocalReplyIsSentOnceTheCallbackHasReturned(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         Outcome
	}{
		{"it stops the request whatever the callback returns",
			"request_headers: quiet reply 303 -1 - Location=/x set-cookie=a set-cookie=b; return 0",
			Outcome{Kind: Replied, Status: 303, Details: "some_details",
				Headers: [][2]string{{"location", "/x"}, {"set-cookie", "a"}, {"set-cookie", "b"}}}},
		{"a body gets a length and a type",
			"request_headers: quiet reply 200 -1 hello",
			Outcome{Kind: Replied, Status: 200, Details: "some_details", Body: []byte("hello"),
				Headers: [][2]string{{"content-length", "5"}, {"content-type", "text/plain"}}}},
		{"a given type stays",
			"request_headers: quiet reply 200 -1 hello content-type=text/html",
			Outcome{Kind: Replied, Status: 200, Details: "some_details", Body: []byte("hello"),
				Headers: [][2]string{{"content-type", "text/html"}, {"content-length", "5"}}}},
		{"a type without a body goes",
			"request_headers: quiet reply 204 -1 - content-type=text/html",
			Outcome{Kind: Replied, Status: 204, Details: "some_details"}},
		{"it passes the response callbacks",
			"request_headers: quiet reply 200 -1 -\nresponse_headers: quiet add 2 x-seen yes",
			Outcome{Kind: Replied, Status: 200, Details: "some_details", Headers: [][2]string{{"x-seen", "yes"}}}},
		{"more headers than the limit are lost in silence",
			"request_headers: quiet reply 303 -1 - many",
			Outcome{Kind: Replied, Status: 303, Details: "some_details"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newRig(t, tt.script).get().Outcome()
			if diff := cmp.Diff(tt.want, o, equateEmpty); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReplyForAnotherStreamStopsThisOneToo(t *testing.T) {
	r := newRig(t, "request_headers: return 4")
	first := r.get()
	if err := r.Reconfigure([]byte("request_headers: quiet effective first; quiet reply 200 -1 -; return 0")); err != nil {
		t.Fatal(err)
	}
	wantKind(t, r.get(), Pending)
	wantKind(t, first, Replied)
}

var equateEmpty = cmp.FilterValues(func(a, b any) bool {
	return size(a) == 0 && size(b) == 0
}, cmp.Comparer(func(a, b any) bool { return true }))

func size(v any) int {
	switch v := v.(type) {
	case []byte:
		return len(v)
	case [][2]string:
		return len(v)
	}
	return -1
}

func TestALocalReplyToGRPCIsTrailersOnly(t *testing.T) {
	for _, tt := range []struct{ name, status, want string }{
		{"-1 leaves the status to the code", "-1", "16"},
		{"0 says OK, whatever the code", "0", "0"},
		{"a status of one's own holds", "7", "7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "request_headers: quiet reply 401 "+tt.status+" -")
			o := wantKind(t, r.get([2]string{"content-type", "application/grpc"}), Replied)
			if o.Status != 200 || o.Header("grpc-status") != tt.want {
				t.Errorf("got %d grpc-status %q, want 200 and %s", o.Status, o.Header("grpc-status"), tt.want)
			}
		})
	}
}

// The answers are those of real Envoys; e2e asks them the same.
func TestWhatIsKnownAsGRPCAndHowItsMessageIsWritten(t *testing.T) {
	type answer struct {
		Status                    int
		GRPC, Message, Type, Body string
	}
	grpc := answer{200, "16", "a%25%C3%A4%7E", "application/grpc", ""}
	plain := answer{401, "", "", "text/plain", "a%ä~"}
	for contentType, want := range map[string]answer{
		"application/grpc": grpc, "application/grpc+proto": grpc,
		"application/grpc;charset=x": plain, "Application/Grpc": plain, "application/grpc-web": plain, "application/grpc-web-text+proto": plain,
	} {
		r := newRig(t, "request_headers: quiet reply 401 16 a%ä~")
		o := wantKind(t, r.get([2]string{"content-type", contentType}), Replied)
		got := answer{o.Status, o.Header("grpc-status"), o.Header("grpc-message"), o.Header("content-type"), string(o.Body)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", contentType, diff)
		}
	}
}

func TestAReplyToHEADKeepsItsLengthAndLosesItsBody(t *testing.T) {
	r := newRig(t, "request_headers: quiet reply 200 -1 hello")
	s := r.Open(0, [][2]string{{":method", "HEAD"}, {":path", "/"}, {":authority", "a"}}, true)
	if o := wantKind(t, s, Replied); len(o.Body) != 0 || o.Header("content-length") != "5" {
		t.Errorf("got %+v", o)
	}
}

func TestWhatACorrectModuleNeverDoesIsNoted(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"replying twice", "request_headers: reply 200 -1 -; reply 201 -1 -", "send_local_response twice on a stream"},
		{"continuing in the callback itself", "request_headers: continue 0; return 4", "continue_stream inside the callback that should return Continue"},
		{"continuing after a reply", "request_headers: reply 200 -1 -; continue 0; return 4", "continue_stream after send_local_response"},
		{"continuing outside of a stream", "configure: return 1\ntick: continue 0\nrequest_headers: quiet tick 1", "continue_stream outside of a stream"},
		{"editing headers that have gone", "request_body: replace 0 x y", "header x edited where its map cannot be had"},
		{"a line break in a header", "request_headers: quiet add 0 x a%0ab", "control character in header x"},
		{"more pairs than are decoded", "request_headers: setpairs 0 1025 1", "set_header_map_pairs: pairs are malformed or over the limits and were dropped"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.script)
			s := r.send(false)
			s.SendBody(nil, true)
			r.Tick()
			r.wantMisuse(tt.want)
		})
	}
}

func TestContinuingTwiceIsNoted(t *testing.T) {
	r := newRig(t, "request_headers: quiet call idp 0 - :method=GET :path=/ :authority=x; return 4\n"+
		"http_call_response: quiet effective last; continue 0; continue 0")
	s := r.get()
	r.Calls()[0].Reply(200, nil, nil)
	wantKind(t, s, Forwarded)
	r.wantMisuse("continue_stream on a stream that is not paused")
}

func TestAReplyAfterContinueIsNoted(t *testing.T) {
	r := newRig(t, "request_headers: quiet call idp 0 - :method=GET :path=/ :authority=x; return 4\n"+
		"http_call_response: quiet effective last; continue 0; reply 200 -1 -")
	r.get()
	r.Calls()[0].Reply(200, nil, nil)
	r.wantMisuse("send_local_response after continue_stream")
}

func TestHeadersVanishWithContinue(t *testing.T) {
	r := newRig(t, "request_headers: quiet call idp 0 - :method=GET :path=/ :authority=x; return 4\n"+
		"http_call_response: quiet effective last; replace 0 x-user alice; continue 0; replace 0 x-user bob; get 0 x-user; pairs 0")
	s := r.get()
	r.log()
	r.Calls()[0].Reply(200, nil, nil)
	r.wantLog("http_call_response: token 1 headers 1 body 0 trailers 0",
		"http_call_response: replace 0 x-user alice -> 0", "http_call_response: continue 0 -> 0",
		"http_call_response: replace 0 x-user bob -> 2", "http_call_response: get 0 x-user -> 2 ",
		"http_call_response: pairs 0 -> 0 true false []")
	if got := wantKind(t, s, Forwarded).Values("x-user"); len(got) != 1 || got[0] != "alice" {
		t.Errorf("forwarded x-user %q, want alice alone", got)
	}
	r.wantMisuse("header x-user edited where its map cannot be had")
}

func TestAResponsePassesItsCallbacks(t *testing.T) {
	r := newRig(t, "response_headers: get 2 :status; replace 2 cache-control private; remove 2 server\n"+
		"response_body: buffer 1 0 99\nresponse_trailers: get 3 x-end")
	s := r.get()
	s.Respond([][2]string{{":status", "200"}, {"Server", "app"}}, false)
	s.RespondBody([]byte("hello"), false)
	s.RespondTrailers([][2]string{{"x-end", "1"}})
	want := Response{Status: 200, Headers: [][2]string{{"cache-control", "private"}}, Body: []byte("hello"),
		Trailers: [][2]string{{"x-end", "1"}}, Started: true, Complete: true}
	if diff := cmp.Diff(want, s.Response()); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	r.wantLog("response_headers: get 2 :status -> 0 200", "response_headers: replace 2 cache-control private -> 0",
		"response_headers: remove 2 server -> 0", "response_body: buffer 1 0 99 -> 0 5 hello",
		"response_trailers: get 3 x-end -> 0 1")
	if n := r.Streams(0); n != 0 {
		t.Errorf("%d streams are left after a complete response", n)
	}
}

func TestAStoppedResponseGoesOnWhenContinued(t *testing.T) {
	r := newRig(t, "configure: quiet tick 5; return 1\nresponse_headers: return 4\ntick: quiet effective last; quiet continue 1; quiet tick 0")
	s := r.get()
	s.Respond([][2]string{{":status", "200"}}, true)
	if s.Response().Started {
		t.Fatal("a stopped response has been sent")
	}
	r.Tick()
	if !s.Response().Complete {
		t.Error("a continued response has not been sent")
	}
	r.wantMisuse()
}

func TestCloseStreamCutsTheStream(t *testing.T) {
	r := newRig(t, "configure: quiet tick 5; return 1\ntick: quiet effective last; quiet close 2; quiet tick 0\ndelete: log 2 gone")
	s := r.get()
	s.Respond([][2]string{{":status", "200"}}, false)
	r.Tick()
	wantKind(t, s, Reset)
	r.wantLog("gone: ", "delete: log 2 gone -> 0")
}

func TestToCloseBothDirectionsIsMisuse(t *testing.T) {
	r := newRig(t, "configure: quiet tick 5; return 1\ntick: quiet effective last; quiet close 0; quiet close 1; quiet tick 0")
	s := r.get()
	r.Tick()
	wantKind(t, s, Reset)
	r.wantMisuse("close_stream twice, or after the stream's end")
}

func TestAStreamEndsWithLogDoneDelete(t *testing.T) {
	r := newRig(t, "log: get 0 :path; get 2 :status\ndone: log 2 done; return 1\ndelete: log 2 delete; effective last")
	s := r.get()
	s.Respond([][2]string{{":status", "204"}}, true)
	r.wantLog("log: get 0 :path -> 0 /a?b=c", "log: get 2 :status -> 0 204",
		"done: ", "done: log 2 done -> 0", "delete: ", "delete: log 2 delete -> 0", "delete: effective last -> 0")
	r.wantMisuse()
}

func TestAClientThatGoesAwayEndsTheStream(t *testing.T) {
	r := newRig(t, "request_headers: return 4\ndelete: log 2 gone")
	s := r.get()
	s.Close()
	s.Close()
	wantKind(t, s, Reset)
	r.wantLog("gone: ", "delete: log 2 gone -> 0")
}

func TestContextIDsRiseAndAreNotReused(t *testing.T) {
	r := newRig(t, "request_headers: return 4")
	first, second := r.get(), r.get()
	first.Close()
	third := r.get()
	if first.ID() != 2 || second.ID() != 3 || third.ID() != 4 {
		t.Errorf("ids %d %d %d, want 2 3 4 behind the root's 1", first.ID(), second.ID(), third.ID())
	}
}
