package webdis

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// fake is a Webdis with a Redis behind it, as far as the client goes. A test
// may put itself between the two by answer.
type fake struct {
	t      *testing.T
	now    time.Time
	values map[string]string
	lists  map[string][]string
	calls  []flow.Call
	answer func(c flow.Call, mark, body string) (flow.Response, error)
	lost   string // the command that never arrives
}

func newFake(t *testing.T) (*fake, *Client) {
	f := &fake{t: t, now: time.Unix(1_800_000_000, 0), values: map[string]string{}, lists: map[string][]string{}}
	return f, New(testSettings())
}

func testSettings() *config.Webdis {
	return &config.Webdis{
		Cluster: "webdis", User: "postern", Password: config.NewSecret("pass-word"), Prefix: "gate",
		Timeout: config.Duration(time.Second),
	}
}

func (f *fake) env() flow.Env {
	return flow.Direct{Clock: func() time.Time { return f.now }, Do: func(c flow.Call) (flow.Response, error) {
		f.calls = append(f.calls, c)
		u, err := url.Parse(c.Path)
		if err != nil {
			f.t.Fatal(err)
		}
		mark := u.Query().Get("jsonp")
		words := strings.Split(string(c.Body), "/")
		if words[0] == f.lost {
			return flow.Response{}, flow.ErrUnavailable
		}
		answer, err := json.Marshal(map[string]any{words[0]: f.run(words)})
		if err != nil {
			f.t.Fatal(err)
		}
		if f.answer != nil {
			return f.answer(c, mark, string(answer))
		}
		return marked(mark, string(answer)), nil
	}}
}

func marked(mark, body string) flow.Response {
	return flow.Response{Status: 200, Body: []byte(mark + "(" + body + ");\n")}
}

func (f *fake) run(words []string) any {
	switch key := words[1]; words[0] {
	case "SET":
		if _, there := f.values[key]; there && words[len(words)-1] == "NX" {
			return nil
		}
		f.values[key] = words[2]
		return []any{true, "OK"}
	case "GET":
		if value, there := f.values[key]; there {
			return value
		}
		return nil
	case "DEL":
		delete(f.values, key)
		return 1
	case "LPUSH":
		f.lists[key] = append([]string{words[2]}, f.lists[key]...)
		return len(f.lists[key])
	case "LTRIM":
		f.lists[key] = f.slice(words)
		return []any{true, "OK"}
	case "LRANGE":
		return f.slice(words)
	}
	return []any{false, fmt.Sprintf("ERR unknown command '%s'", words[0])}
}

func (f *fake) slice(words []string) []string {
	list := f.lists[words[1]]
	start, err1 := strconv.Atoi(words[2])
	stop, err2 := strconv.Atoi(words[3])
	if err1 != nil || err2 != nil {
		f.t.Fatalf("a range of %q", words)
	}
	return slices.Clone(append([]string{}, list[min(start, len(list)):min(stop+1, len(list))]...))
}
