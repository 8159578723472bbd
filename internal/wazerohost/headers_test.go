package wazerohost

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeaderMapsFollowEnvoysRules(t *testing.T) {
	tests := []struct {
		name string
		edit func(m *headerMap)
		want [][2]string
	}{
		{"names are lower-cased", func(m *headerMap) { m.add("X-A", "1") }, [][2]string{{"x-a", "1"}}},
		{"adding appends", func(m *headerMap) { m.add("x", "1"); m.add("X", "2") }, [][2]string{{"x", "1"}, {"x", "2"}}},
		{"setting leaves one", func(m *headerMap) { m.add("x", "1"); m.add("x", "2"); m.set("X", "3") }, [][2]string{{"x", "3"}}},
		{"removing takes all", func(m *headerMap) { m.add("x", "1"); m.add("y", "2"); m.add("x", "3"); m.remove("X") }, [][2]string{{"y", "2"}}},
		{"a single-entry header joins its values", func(m *headerMap) { m.add("authorization", "a"); m.add("Authorization", "b") }, [][2]string{{"authorization", "a,b"}}},
		{"pseudo-headers come first", func(m *headerMap) { m.add("x", "1"); m.add(":path", "/") }, [][2]string{{":path", "/"}, {"x", "1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &headerMap{}
			tt.edit(m)
			if diff := cmp.Diff(tt.want, m.pairs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPairsSurviveTheCodec(t *testing.T) {
	pairs := [][2]string{{":path", "/"}, {"x", ""}, {"", "v"}, {"set-cookie", "a=b; c"}}
	got, ok := decodePairs(encodePairs(pairs))
	if diff := cmp.Diff(pairs, got); !ok || diff != "" {
		t.Errorf("ok %v (-want +got):\n%s", ok, diff)
	}
	golden := []byte("\x01\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00a\x00bc\x00")
	if got := encodePairs([][2]string{{"a", "bc"}}); !bytes.Equal(got, golden) {
		t.Errorf("encoded %q, want %q", got, golden)
	}
}

func TestPairsThatAreNotOfTheFormAreNone(t *testing.T) {
	good := string(encodePairs([][2]string{{"a", "b"}}))
	many := make([][2]string, maxPairsCount+1)
	for name, blob := range map[string]string{
		"short":                     "\x01\x00",
		"trailing byte":             good + "x",
		"truncated":                 good[:len(good)-1],
		"no zero behind the name":   strings.Replace(good, "a\x00", "ab", 1),
		"a length beyond the end":   strings.Replace(good, "\x01\x00\x00\x00\x01\x00\x00\x00a", "\xff\xff\xff\xffa", 1),
		"a count beyond the end":    "\xff\x03\x00\x00",
		"more than 1024 pairs":      string(encodePairs(many)),
		"more than 1 MiB of them":   string(encodePairs([][2]string{{"a", strings.Repeat("v", maxPairsBytes)}})),
		"a huge count and no space": "\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			if pairs, ok := decodePairs([]byte(blob)); ok || pairs != nil {
				t.Errorf("decoded %d pairs, ok %v", len(pairs), ok)
			}
		})
	}
	if pairs, ok := decodePairs(encodePairs(many[1:])); !ok || len(pairs) != maxPairsCount {
		t.Errorf("exactly %d pairs gave %d, ok %v", maxPairsCount, len(pairs), ok)
	}
}

func FuzzPairs(f *testing.F) {
	f.Add(encodePairs([][2]string{{"a", "b"}, {"", ""}}))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pairs, ok := decodePairs(b)
		if ok && len(b) > 0 && !bytes.Equal(encodePairs(pairs), b) {
			t.Errorf("%q decodes to %q, which encodes otherwise", b, pairs)
		}
	})
}

func TestHeaderHostCalls(t *testing.T) {
	two := [][2]string{{"X-Two", "first"}, {"x-two", "second"}}
	tests := []struct {
		name, command string
		want          string
	}{
		{"a getter gives the first value only", "get 0 X-Two", "0 first"},
		{"a missing header is NotFound", "get 0 x-none", "1 "},
		{"a map of another phase is BadArgument", "get 2 :status", "2 "},
		{"a map number beyond the last is BadArgument", "get 99 x", "2 "},
		{"an absent map reads as empty pairs at pointer 0", "pairs 2", "0 true false []"},
		{"editing a map of another phase is BadArgument", "add 2 x y", "2"},
		{"pseudo-headers can be read", "get 0 :path", "0 /a?b=c"},
		{"the request id is made where it is missing", "get 0 x-request-id", "0 request-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "request_headers: "+tt.command)
			r.get(two...)
			r.wantLog("request_headers: " + tt.command + " -> " + tt.want)
		})
	}
}

func TestHeaderEditsReachTheApplication(t *testing.T) {
	r := newRig(t, "request_headers: replace 0 X-Two one; add 0 X-New a; add 0 x-new b; remove 0 x-gone")
	o := wantKind(t, r.get([2]string{"x-two", "1"}, [2]string{"x-two", "2"}, [2]string{"x-gone", "1"}), Forwarded)
	for name, want := range map[string][]string{"x-two": {"one"}, "x-new": {"a", "b"}, "x-gone": nil} {
		if diff := cmp.Diff(want, o.Values(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	r.wantMisuse()
}

func TestOversizedPairsEraseTheRequestsHeaders(t *testing.T) {
	for _, tt := range []struct {
		name, command string
		want          int
	}{
		{"1024 pairs are set", "setpairs 0 1024 1", 1024},
		{"1025 pairs are none", "setpairs 0 1025 1", 0},
		{"a blob over 1 MiB is none", "setpairs 0 2 600000", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, "request_headers: "+tt.command)
			o := wantKind(t, r.get(), Forwarded)
			r.wantLog("request_headers: " + tt.command + " -> 0")
			if len(o.Headers) != tt.want {
				t.Errorf("%d headers went on, want %d", len(o.Headers), tt.want)
			}
		})
	}
}
