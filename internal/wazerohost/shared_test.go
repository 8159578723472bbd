package wazerohost

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSharedDataIsComparedAndSet(t *testing.T) {
	r := newRig(t, "request_headers: shared k; share k a 7; shared k; share k b 99; share k b 1; share k c 0; shared k")
	r.get()
	r.wantLog(
		"request_headers: shared k -> 1  0",  // not there
		"request_headers: share k a 7 -> 0",  // the first write ignores cas
		"request_headers: shared k -> 0 a 1", //
		"request_headers: share k b 99 -> 8", // mismatch
		"request_headers: share k b 1 -> 0",  // match
		"request_headers: share k c 0 -> 0",  // unconditional
		"request_headers: shared k -> 0 c 3", //
	)
}

func TestSharedDataIsOneStoreForAllWorkers(t *testing.T) {
	r := newRig(t, "request_headers: share k fromzero 0\nresponse_headers: shared k", func(c *Config) { c.Workers = 2 })
	r.get()
	s := r.Open(1, [][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "a"}}, true)
	r.log()
	r.SharedData().Poke("vm", "k", []byte("poked"))
	s.Respond([][2]string{{":status", "200"}}, true)
	r.wantLog("response_headers: shared k -> 0 poked 3")
	if got, ok := r.SharedData().Peek("vm", "k"); string(got) != "poked" || !ok || r.SharedData().Keys("vm") != 1 {
		t.Errorf("peeked %q %v, %d keys", got, ok, r.SharedData().Keys("vm"))
	}
}

func TestSharedDataIsKeyedByVMID(t *testing.T) {
	store := NewSharedData()
	store.Poke("other", "k", []byte("theirs"))
	r := newRig(t, "request_headers: shared k", func(c *Config) { c.SharedData = store })
	r.get()
	r.wantLog("request_headers: shared k -> 1  0")
	r = newRig(t, "request_headers: shared k", func(c *Config) { c.SharedData, c.VMID = store, "other" })
	r.get()
	r.wantLog("request_headers: shared k -> 0 theirs 1")
}

func TestQueuesWakeWhoRegisteredThem(t *testing.T) {
	r := newRig(t, "configure: quiet queue jobs; return 1\nrequest_headers: enqueue 1 job; enqueue 9 job\nqueue_ready: dequeue 1; dequeue 1")
	r.get()
	r.Tick() // lets the queue's task run
	r.wantLog("request_headers: enqueue 1 job -> 0", "request_headers: enqueue 9 job -> 1",
		"queue_ready: dequeue 1 -> 0 job", "queue_ready: dequeue 1 -> 7 ")
}

func TestMetricsAreOneScopeForAllWorkers(t *testing.T) {
	r := newRig(t, "configure: quiet define 0 hits; quiet define 1 level; quiet define 2 size; return 1\n"+
		"request_headers: increment 0 2; increment 0 -1; increment 1 5; increment 1 -2; record 1 9; record 2 70; metric 0; metric 2; metric 400; increment 2 1",
		func(c *Config) { c.Workers = 2 })
	r.get()
	r.wantLog(
		"request_headers: increment 0 2 -> 0", "request_headers: increment 0 -1 -> 2",
		"request_headers: increment 1 5 -> 0", "request_headers: increment 1 -2 -> 0", "request_headers: record 1 9 -> 0",
		"request_headers: record 2 70 -> 0", "request_headers: metric 0 -> 0 2", "request_headers: metric 2 -> 2 0",
		"request_headers: metric 400 -> 1 0", "request_headers: increment 2 1 -> 2")
	r.Open(1, [][2]string{{":method", "GET"}, {":path", "/"}, {":authority", "a"}}, true)
	if diff := cmp.Diff(map[string]uint64{"hits": 4, "level": 9, "size": 70}, r.Metrics()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProperties(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"request.path", `0 "/a?b=c"`},
		{"request.url_path", `0 "/a"`},
		{"request.method", `0 "GET"`},
		{"request.host", `0 "app.example"`},
		{"request.id", `0 "request-1"`},
		{"request.headers.x-forwarded-proto", `0 "http"`},
		{"request.headers.none", `1 ""`},
		{"source.address", `0 "127.0.0.1:40000"`},
		{"source.port", `0 "@\x9c\x00\x00\x00\x00\x00\x00"`},
		{"plugin_name", `0 "postern"`},
		{"plugin_root_id", `0 "root"`},
		{"plugin_vm_id", `0 "vm"`},
		{"node.id", `0 "sidecar"`},
		{"response.code", `1 ""`},
		{"no.such.thing", `1 ""`},
	} {
		t.Run(tt.path, func(t *testing.T) {
			r := newRig(t, "request_headers: property "+tt.path, func(c *Config) {
				c.PluginName, c.RootID = "postern", "root"
				c.Properties = map[string][]byte{"node.id": []byte("sidecar")}
			})
			r.get()
			r.wantLog("request_headers: property " + tt.path + " -> " + tt.want)
		})
	}
}

func TestAStreamKeepsWhatIsSetOnIt(t *testing.T) {
	r := newRig(t, "request_headers: setproperty mine yes; property mine; foreign compress; done\nconfigure: setproperty mine no; return 1")
	r.get()
	r.wantLog("request_headers: setproperty mine yes -> 0", `request_headers: property mine -> 0 "yes"`,
		"request_headers: foreign compress -> 1", "request_headers: done -> 1")
}
