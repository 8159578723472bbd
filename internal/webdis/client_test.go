package webdis

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/flow"
)

func TestOnlyTheFirstSetsAKeyThatIsNotThere(t *testing.T) {
	f, c := newFake(t)
	for i, want := range []bool{true, false} {
		if ok, err := c.SetNX(f.env(), "lease:1", "a", time.Second); ok != want || err != nil {
			t.Errorf("try %d: %v, %v", i, ok, err)
		}
	}
	if err := c.Delete(f.env(), "lease:1"); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.SetNX(f.env(), "lease:1", "b", time.Second); !ok || err != nil {
		t.Errorf("after the deletion: %v, %v", ok, err)
	}
}

func TestWhatWasSetIsFoundUnderThePrefix(t *testing.T) {
	f, c := newFake(t)
	if _, found, err := c.Get(f.env(), "s:1"); found || err != nil {
		t.Errorf("before: %v, %v", found, err)
	}
	if err := c.Set(f.env(), "s:1", "Zm9v_-", time.Minute); err != nil {
		t.Fatal(err)
	}
	if value, found, err := c.Get(f.env(), "s:1"); value != "Zm9v_-" || !found || err != nil {
		t.Errorf("got %q, %v, %v", value, found, err)
	}
	if _, ok := f.values["gate:s:1"]; !ok {
		t.Errorf("kept as %v", f.values)
	}
}

func TestACommandIsInTheBodyAndNotInThePath(t *testing.T) {
	f, c := newFake(t)
	if err := c.Set(f.env(), "s:1", "a-value", 1500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	call := f.calls[0]
	if got, want := string(call.Body), "SET/gate:s:1/a-value/PX/1500"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if strings.Contains(call.Path, "s:1") || strings.Contains(call.Path, "a-value") || call.Method != "POST" {
		t.Errorf("%s %s", call.Method, call.Path)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("postern:pass-word"))
	if got, _ := call.Header.Only("authorization"); got != want {
		t.Errorf("authorization %q", got)
	}
	if call.Timeout != time.Second || call.MaxBody == 0 || call.Cluster != "webdis" {
		t.Errorf("timeout %s, at most %d bytes, cluster %q", call.Timeout, call.MaxBody, call.Cluster)
	}
}

func TestATimeToLiveIsNeverForEver(t *testing.T) {
	f, c := newFake(t)
	for _, ttl := range []time.Duration{0, -time.Second, time.Microsecond} {
		if err := c.Set(f.env(), "k", "v", ttl); err != nil {
			t.Fatal(err)
		}
		if body := string(f.calls[len(f.calls)-1].Body); !strings.HasSuffix(body, "/PX/1") {
			t.Errorf("%s: %s", ttl, body)
		}
	}
}

func TestWordsThatCouldBeReadAsMoreAreNotSent(t *testing.T) {
	f, c := newFake(t)
	for _, key := range []string{"", "a/b", "a%2fb", "a.json", "A", "a b", "a\n", strings.Repeat("a", maxName+1)} {
		if _, err := c.SetNX(f.env(), key, "v", time.Second); !errors.Is(err, ErrRefused) {
			t.Errorf("key %q: %v", key, err)
		}
		_, _, err := c.Get(f.env(), key)
		_, appending := c.Append(f.env(), key, "v", 10)
		_, reading := c.After(f.env(), key, "", 10)
		for _, err := range []error{err, appending, reading, c.Delete(f.env(), key)} {
			if !errors.Is(err, ErrRefused) {
				t.Errorf("key %q: %v", key, err)
			}
		}
	}
	for _, value := range []string{"", "a/NX", "a.raw", "a+b", "a=", "é", strings.Repeat("a", maxValue+1)} {
		if err := c.Set(f.env(), "k", value, time.Second); !errors.Is(err, ErrRefused) {
			t.Errorf("value %.20q: %v", value, err)
		}
	}
	if _, err := c.Append(f.env(), "j", strings.Repeat("a", maxEntry+1), 10); !errors.Is(err, ErrRefused) {
		t.Errorf("a long entry: %v", err)
	}
	if len(f.calls) != 0 {
		t.Errorf("%d calls", len(f.calls))
	}
}

func TestAnAnswerIsBelievedOnlyInItsForm(t *testing.T) {
	const kept = "a-kept-value"
	for _, test := range []struct {
		name   string
		status int
		body   string // MARK stands for the call's own
		want   error
	}{
		{"the mark of another call", 200, `AAAAAAAAAAAAAAAA({"GET":"a-kept-value"});`, ErrAway},
		{"no mark", 200, `{"GET":"a-kept-value"}`, ErrAway},
		{"cut short", 200, `MARK({"GET":"a-kept-value"}`, ErrAway},
		{"more after the end", 200, `MARK({"GET":"a-kept-value"});x`, ErrAway},
		{"another command's", 200, `MARK({"SET":[true,"OK"]});`, ErrAway},
		{"two members", 200, `MARK({"GET":"a","get":"b"});`, ErrAway},
		{"a member twice", 200, `MARK({"GET":"a","GET":"b"});`, ErrAway},
		{"no JSON", 200, `MARK(<html>);`, ErrAway},
		{"no object", 200, `MARK(null);`, ErrAway},
		{"another type", 200, `MARK({"GET":[null]});`, ErrAway},
		{"a number", 200, `MARK({"GET":7});`, ErrAway},
		{"a value that nobody here wrote", 200, `MARK({"GET":"a.b"});`, ErrAway},
		{"an empty value", 200, `MARK({"GET":""});`, ErrAway},
		{"longer than any", 200, `MARK({"GET":"` + strings.Repeat("a", maxValue+maxFrame) + `"});`, ErrAway},
		{"an error that nobody knows", 200, `MARK({"GET":[false,"a-kept-value"]});`, ErrAway},
		{"an error without text", 200, `MARK({"GET":[false,null]});`, ErrAway},
		{"loading", 200, `MARK({"GET":[false,"LOADING a-kept-value"]});`, ErrAway},
		{"out of memory", 200, `MARK({"GET":[false,"OOM command not allowed"]});`, ErrAway},
		{"Redis' password", 200, `MARK({"GET":[false,"NOAUTH a-kept-value"]});`, ErrRefused},
		{"Redis' own list", 200, `MARK({"GET":[false,"NOPERM a-kept-value"]});`, ErrRefused},
		{"another kind of value", 200, `MARK({"GET":[false,"WRONGTYPE a-kept-value"]});`, ErrRefused},
		{"Webdis' list", 403, ``, ErrRefused},
		{"no Redis", 503, ``, ErrAway},
		{"no Webdis", 404, `a-kept-value`, ErrAway},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, c := newFake(t)
			f.answer = func(_ flow.Call, mark, _ string) (flow.Response, error) {
				return flow.Response{Status: test.status, Body: []byte(strings.ReplaceAll(test.body, "MARK", mark))}, nil
			}
			value, found, err := c.Get(f.env(), "k")
			if !errors.Is(err, test.want) || found || value != "" {
				t.Errorf("got %q, %v, %v", value, found, err)
			}
			if err != nil && strings.Contains(err.Error(), kept) {
				t.Errorf("the error tells what was kept: %v", err)
			}
		})
	}
}

func TestOtherCommandsBelieveOnlyTheirOwnAnswersToo(t *testing.T) {
	for verb, test := range map[string]struct {
		answers []string
		do      func(*Client, flow.Env) error
	}{
		"SET": {
			[]string{"null", `[true,"QUEUED"]`, `"OK"`, "1", "true"},
			func(c *Client, env flow.Env) error { return c.Set(env, "k", "v", time.Second) },
		},
		"DEL":   {[]string{"null", `"1"`, "1.5", `[true,"OK"]`}, func(c *Client, env flow.Env) error { return c.Delete(env, "k") }},
		"LPUSH": {[]string{"null", `"1"`}, func(c *Client, env flow.Env) error { _, err := c.Append(env, "j", "v", 9); return err }},
		"LRANGE": {
			[]string{"null", `"a"`, "[null]", "[1]", `["a.b"]`, `["a","a","a","a","a","a","a","a","a"]`},
			func(c *Client, env flow.Env) error { _, err := c.After(env, "j", "", 99); return err },
		},
	} {
		for _, answer := range test.answers {
			f, c := newFake(t)
			f.answer = func(_ flow.Call, mark, _ string) (flow.Response, error) {
				return marked(mark, `{"`+verb+`":`+answer+`}`), nil
			}
			if err := test.do(c, f.env()); !errors.Is(err, ErrAway) {
				t.Errorf("%s answered by %s: %v", verb, answer, err)
			}
		}
	}
}

func TestACallWithoutAnAnswerKeepsItsReason(t *testing.T) {
	f, c := newFake(t)
	for _, reason := range []error{flow.ErrUnavailable, flow.ErrCanceled} {
		f.answer = func(flow.Call, string, string) (flow.Response, error) { return flow.Response{}, reason }
		if _, err := c.SetNX(f.env(), "k", "v", time.Second); !errors.Is(err, ErrAway) || !errors.Is(err, reason) {
			t.Errorf("%v: got %v", reason, err)
		}
	}
}

func TestNoTwoCallsHaveTheSameMark(t *testing.T) {
	f, c := newFake(t)
	_, other := newFake(t)
	for range 3 {
		_, _, _ = c.Get(f.env(), "k")
	}
	_, _, _ = other.Get(f.env(), "l")
	f.now = f.now.Add(time.Nanosecond)
	_, _, _ = New(testSettings()).Get(f.env(), "k")
	marks := map[string]bool{}
	for _, call := range f.calls {
		marks[call.Path] = true
	}
	if diff := cmp.Diff(len(f.calls), len(marks)); diff != "" {
		t.Error(diff)
	}
}
