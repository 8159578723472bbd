package plugin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/abi/abitest"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// plain is a plugin with a gate that no call goes to, and no context of its own.
func plain(t *testing.T) (*abitest.Host, *plugin) {
	t.Helper()
	h, _ := started(t, settings)
	p := NewVM().NewPluginContext(1).(*plugin)
	h.Buffers[abi.PluginConfigurationBuffer] = []byte(settings)
	if !p.OnPluginStart(0) {
		t.Fatalf("the plugin did not start: %v", h.Lines)
	}
	return h, p
}

// forwardedWith is a stream that went on, whose answer is to have cookies.
func forwardedWith(p *plugin, values ...string) (s *stream, asked *int) {
	asked = new(int)
	return &stream{plugin: p, id: 2, state: forwarded, asks: func() (f httpmsg.Fields) {
		*asked++
		for _, v := range values {
			f = append(f, httpmsg.Field{Name: "set-cookie", Value: v})
		}
		return f
	}}, asked
}

func TestTheApplicationsAnswerTakesTheGatesCookiesAlong(t *testing.T) {
	h, p := plain(t)
	for name, test := range map[string]struct{ answer, want [][2]string }{
		"behind its own, and is private": {
			answer: [][2]string{{":status", "200"}, {"cache-control", "public, max-age=60"}, {"set-cookie", "a=1"}, {"surrogate-control", "max-age=9"}, {"etag", "x"}},
			want:   [][2]string{{":status", "200"}, {"set-cookie", "a=1"}, {"etag", "x"}, {"cache-control", "private, max-age=60"}, {"set-cookie", "s=1"}, {"set-cookie", "t=2"}},
		},
		"in place of one of our name": {
			answer: [][2]string{{":status", "304"}, {"set-cookie", "__Host-postern=evil"}, {"set-cookie", "a=1"}},
			want:   [][2]string{{":status", "304"}, {"set-cookie", "a=1"}, {"cache-control", "private"}, {"set-cookie", "s=1"}, {"set-cookie", "t=2"}},
		},
		"when the protocol changes": {
			answer: [][2]string{{":status", "101"}, {"upgrade", "websocket"}},
			want:   [][2]string{{":status", "101"}, {"upgrade", "websocket"}, {"cache-control", "private"}, {"set-cookie", "s=1"}, {"set-cookie", "t=2"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, asked := forwardedWith(p, "s=1", "t=2")
			h.Maps[abi.ResponseHeaders] = test.answer
			s.OnHttpResponseHeaders(len(test.answer), true)
			if diff := cmp.Diff(test.want, h.Maps[abi.ResponseHeaders]); diff != "" || *asked != 1 {
				t.Errorf("asked %d times: %s", *asked, diff)
			}
		})
	}
}

func TestAnAnswerBeforeTheAnswerDoesNotUseUpTheCookies(t *testing.T) {
	h, p := plain(t)
	s, asked := forwardedWith(p, "s=1")
	early := [][2]string{{":status", "103"}, {"link", "</a.css>"}, {"set-cookie", "__Host-postern=evil"}}
	h.Maps[abi.ResponseHeaders] = early
	s.OnHttpResponseHeaders(3, false)
	if diff := cmp.Diff(early[:2], h.Maps[abi.ResponseHeaders]); diff != "" {
		t.Error(diff)
	}
	h.Maps[abi.ResponseHeaders] = [][2]string{{":status", "200"}}
	s.OnHttpResponseHeaders(1, true)
	want := [][2]string{{":status", "200"}, {"cache-control", "private"}, {"set-cookie", "s=1"}}
	if diff := cmp.Diff(want, h.Maps[abi.ResponseHeaders]); diff != "" || *asked != 1 {
		t.Errorf("asked %d times: %s", *asked, diff)
	}
}

func TestAnAnswerWithoutCookiesOfTheGateStaysAsItIs(t *testing.T) {
	h, p := plain(t)
	answer := [][2]string{{":status", "200"}, {"cache-control", "public"}, {"set-cookie", "a=1"}}
	for name, s := range map[string]*stream{
		"none is ever made": {plugin: p, state: forwarded},
		"none is needed":    func() *stream { s, _ := forwardedWith(p); return s }(),
		"it is our own":     {plugin: p, state: responded},
	} {
		t.Run(name, func(t *testing.T) {
			h.Maps[abi.ResponseHeaders] = append([][2]string(nil), answer...)
			s.OnHttpResponseHeaders(3, true)
			if diff := cmp.Diff(answer, h.Maps[abi.ResponseHeaders]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// readOnly is a host whose answers cannot be made private.
type readOnly struct{ *abitest.Host }

func (readOnly) ReplaceHeader(abi.MapType, string, string) abi.Status { return abi.StatusBadArgument }

func TestACookieNeverGoesOutWithAnAnswerThatCouldNotBeMadePrivate(t *testing.T) {
	h, p := plain(t)
	_, restore := abi.UseHost(readOnly{h})
	defer restore()
	s, _ := forwardedWith(p, "s=1")
	h.Maps[abi.ResponseHeaders] = [][2]string{{":status", "200"}, {"cache-control", "public"}, {"set-cookie", "a=1"}}
	s.OnHttpResponseHeaders(3, true)
	want := [][2]string{{":status", "200"}, {"cache-control", "public"}}
	if diff := cmp.Diff(want, h.Maps[abi.ResponseHeaders]); diff != "" {
		t.Error(diff)
	}
}

// A host gives its own answers to gRPC calls the status 200.
func TestAnAnswerThatIsNotTheApplicationsSaysByItsStatusWhatWasMeant(t *testing.T) {
	h, p := plain(t)
	for name, test := range map[string]struct {
		stream    stream
		got, want string
	}{
		"ours, by a status":               {stream{state: responded, status: 401}, "200", "401"},
		"ours, by a status that it has":   {stream{state: responded, status: 202}, "202", "202"},
		"ours, by a gRPC status":          {stream{state: responded}, "200", "200"},
		"the host's, before any decision": {stream{}, "200", "503"},
		"the host's, which is a no":       {stream{}, "408", "408"},
		"the application's":               {stream{state: forwarded}, "200", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.stream
			s.plugin = p
			h.Maps[abi.ResponseHeaders] = [][2]string{{":status", test.got}}
			s.OnHttpResponseHeaders(1, true)
			if got := h.Maps[abi.ResponseHeaders][0][1]; got != test.want {
				t.Errorf("status %s, want %s", got, test.want)
			}
		})
	}
}
