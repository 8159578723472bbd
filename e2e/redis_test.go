package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/webdis"
)

func TestWebdisDoesWhatTheGateNeeds(t *testing.T) {
	for _, way := range []string{"straight", "through Envoy"} {
		t.Run(way, func(t *testing.T) {
			r := StartRedis(t)
			if way != "straight" {
				r = r.Behind(StartEnvoy(t, EnvoySetup{App: r.Addr}))
			}
			serves(t, r)
		})
	}
}

func serves(t *testing.T, r *Redis) {
	c, env := webdis.New(r.Settings()), r.Env()
	long := strings.Repeat("Ab0_-", 12_000) // many reads for Webdis

	t.Run("a key is set once, and again after it was deleted", func(t *testing.T) {
		for i, want := range []bool{true, false} {
			if ok, err := c.SetNX(env, "lease:a-1_b", "me", time.Minute); ok != want || err != nil {
				t.Errorf("try %d: %v, %v", i, ok, err)
			}
		}
		if err := c.Delete(env, "lease:a-1_b"); err != nil {
			t.Error(err)
		}
		if ok, err := c.SetNX(env, "lease:a-1_b", "me", time.Minute); !ok || err != nil {
			t.Errorf("after the deletion: %v, %v", ok, err)
		}
	})
	t.Run("a key ends by itself", func(t *testing.T) {
		if err := c.Set(env, "short", "v", time.Millisecond); err != nil {
			t.Fatal(err)
		}
		Eventually(t, 10*time.Second, func() error {
			if _, found, err := c.Get(env, "short"); found || err != nil {
				return errors.Join(err, errors.New("still there"))
			}
			return nil
		})
	})
	t.Run("what was set is found as it was, short or long", func(t *testing.T) {
		if _, found, err := c.Get(env, "value"); found || err != nil {
			t.Errorf("before: %v, %v", found, err)
		}
		for _, value := range []string{"a", "0", "-", "json", "raw", "null", long} {
			if err := c.Set(env, "value", value, time.Minute); err != nil {
				t.Fatal(err)
			}
			if got, found, err := c.Get(env, "value"); got != value || !found || err != nil {
				t.Errorf("%.10s: got %.10s, %v, %v", value, got, found, err)
			}
		}
	})
	t.Run("a journal gives what is new, and knows when something is missing", func(t *testing.T) {
		journal(t, c, r)
	})
	t.Run("a key of another kind is a refusal", func(t *testing.T) {
		if _, err := c.Append(env, "value", "v", 10); !errors.Is(err, webdis.ErrRefused) {
			t.Errorf("append: %v", err)
		}
		if _, _, err := c.Get(env, "journal"); !errors.Is(err, webdis.ErrRefused) {
			t.Errorf("get: %v", err)
		}
	})
}

func journal(t *testing.T, c *webdis.Client, r *Redis) {
	const most = 100
	env := r.Env()
	var ids, values []string
	for i := range 150 {
		values = append(values, strings.Repeat("v", i+1))
		id, err := c.Append(env, "journal", values[i], most)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for _, test := range []struct {
		after    string
		from     int
		complete bool
	}{{ids[149], 150, true}, {ids[148], 149, true}, {ids[60], 61, true}, {ids[10], 50, false}, {"", 50, false}} {
		news, err := c.After(env, "journal", test.after, most)
		if err != nil || news.Complete != test.complete {
			t.Errorf("from %d: complete %v, %v", test.from, news.Complete, err)
		}
		var got []string
		for _, e := range news.Entries {
			got = append(got, e.Value)
		}
		if diff := cmp.Diff(values[test.from:], got, cmp.Transformer("length", func(s string) int { return len(s) })); test.from < 150 && diff != "" {
			t.Errorf("from %d: %s", test.from, diff)
		}
	}
	if news, err := c.After(env, "none", "", most); err != nil || !news.Complete || len(news.Entries) != 0 {
		t.Errorf("an empty journal: %v, %v", news, err)
	}
}

func TestWebdisAllowsNothingElse(t *testing.T) {
	r := StartRedis(t)
	for _, command := range []string{
		"FLUSHALL", "FLUSHDB", "EVAL/return/0", "CONFIG/GET/dir", "config/get/dir", "KEYS/%2A", "SCAN/0", "INFO", "MONITOR", "SHUTDOWN",
		"SAVE", "DEBUG/SLEEP/1", "AUTH/x", "ACL/LIST", "SELECT/0", "SUBSCRIBE/x", "PUBLISH/x/y", "RENAME/postern:a/postern:b", "1/GET/x/y",
		"EXPIRE/postern:a/1", "GETDEL/postern:a", "REPLICAOF/127.0.0.1/1", "MODULE/LIST", "",
	} {
		status, answer, err := r.Command(t.Context(), r.Password, command)
		if err != nil || status != http.StatusForbidden && !strings.Contains(answer, "[false,") {
			t.Fatalf("%s: %d %s, %v", command, status, answer, err)
		}
	}
	for _, command := range []string{"GET/other:key", "SET/other:key/v", "LRANGE/posternity/0/1"} {
		status, answer, err := r.Command(t.Context(), r.Password, command)
		if err != nil || status == http.StatusOK && !strings.Contains(answer, "NOPERM") {
			t.Errorf("a key that is not the gate's: %s: %d %s, %v", command, status, answer, err)
		}
	}
	for _, wrong := range []string{"", "wrong", r.Password[1:], r.Password + "=", "$WEBDIS_PASSWORD"} {
		for _, command := range []string{"GET/postern:a", "PING", "FLUSHALL"} {
			if status, answer, err := r.Command(t.Context(), wrong, command); err != nil || status != http.StatusForbidden {
				t.Errorf("with a wrong password: %s: %d %s, %v", command, status, answer, err)
			}
		}
	}
	settings := r.Settings()
	settings.Password = config.NewSecret("wrong")
	if _, _, err := webdis.New(settings).Get(r.Env(), "a"); !errors.Is(err, webdis.ErrRefused) {
		t.Errorf("the client with a wrong password: %v", err)
	}
	if _, _, err := webdis.New(r.Settings()).Get(r.Env(), "a"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestRedisForgetsNothingThatWasAcknowledged(t *testing.T) {
	for name, end := range map[string]func(*Redis, testing.TB){"stopped": (*Redis).Stop, "killed": (*Redis).Kill} {
		t.Run(name, func(t *testing.T) {
			r := StartRedis(t)
			c, env := webdis.New(r.Settings()), r.Env()
			if err := c.Set(env, "k", "kept", time.Hour); err != nil {
				t.Fatal(err)
			}
			id, err := c.Append(env, "journal", "first", 10)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Append(env, "journal", "second", 10); err != nil {
				t.Fatal(err)
			}
			end(r, t)
			if _, _, err := c.Get(env, "k"); !errors.Is(err, webdis.ErrAway) {
				t.Errorf("while it is away: %v", err)
			}
			r.Start(t)
			if value, _, err := c.Get(env, "k"); value != "kept" || err != nil {
				t.Errorf("afterwards: %q, %v", value, err)
			}
			news, err := c.After(env, "journal", id, 10)
			if err != nil || !news.Complete || len(news.Entries) != 1 || news.Entries[0].Value != "second" {
				t.Errorf("the journal: %v, %v", news, err)
			}
		})
	}
}

func TestWebdisWithoutRedisIsAway(t *testing.T) {
	r := StartRedis(t)
	c := webdis.New(r.Settings())
	r.redis.stop()
	if _, _, err := c.Get(r.Env(), "k"); !errors.Is(err, webdis.ErrAway) {
		t.Errorf("got %v", err)
	}
}

// Webdis of Debian 12 gives the answer to a client that has left to whoever
// connects next.
func TestAnAnswerForSomebodyWhoLeftIsNotTaken(t *testing.T) {
	r := StartRedis(t)
	patient := webdis.New(r.Settings())
	if err := patient.Set(r.Env(), "theirs", "theirs", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := patient.Set(r.Env(), "ours", "ours", time.Minute); err != nil {
		t.Fatal(err)
	}
	thaw := r.Freeze(t)
	hasty := r.Settings()
	hasty.Timeout = config.Duration(100 * time.Millisecond)
	if _, _, err := webdis.New(hasty).Get(r.Env(), "theirs"); !errors.Is(err, webdis.ErrAway) {
		t.Fatalf("while Redis is frozen: %v", err)
	}
	type outcome struct {
		value string
		err   error
	}
	got, asked := make(chan outcome, 1), make(chan struct{})
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(asked) }}
	go func() {
		value, _, err := patient.Get(r.env(httptrace.WithClientTrace(t.Context(), trace)), "ours")
		got <- outcome{value, err}
	}()
	<-asked
	thaw()
	o := <-got
	if o.err == nil && o.value != "ours" || o.err != nil && !errors.Is(o.err, webdis.ErrAway) {
		t.Errorf("got %q, %v", o.value, o.err)
	}
	t.Logf("the outcome here: %q, %v", o.value, o.err)
	Eventually(t, 10*time.Second, func() error { // the answer that was not waited for may meet the next call
		value, _, err := patient.Get(r.Env(), "ours")
		if err == nil && value != "ours" {
			t.Errorf("afterwards: %q", value)
		}
		return err
	})
}

func TestAStallOfRedisPassesAndNobodyGetsAnothersAnswer(t *testing.T) {
	straight := StartRedis(t)
	r := straight.Behind(StartEnvoy(t, EnvoySetup{App: straight.Addr, Workers: 2}))
	settings := r.Settings()
	var keys []string
	for i := range 8 {
		keys = append(keys, "k"+strconv.Itoa(i))
		if err := webdis.New(settings).Set(r.Env(), keys[i], keys[i], time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	// ask has every key asked for by a client of its own, all at once, and
	// returns how many answers came.
	ask := func(timeout, times int) (answers int64) {
		settings.Timeout = config.Duration(time.Duration(timeout) * time.Millisecond)
		var wg sync.WaitGroup
		var n atomic.Int64
		for _, key := range keys {
			c := webdis.New(settings)
			wg.Go(func() {
				for range times {
					value, _, err := c.Get(r.Env(), key)
					switch {
					case err == nil && value == key:
						n.Add(1)
					case !errors.Is(err, webdis.ErrAway):
						t.Errorf("for %s: %q, %v", key, value, err)
					}
				}
			})
		}
		wg.Wait()
		return n.Load()
	}
	if n := ask(5000, 10); n != 80 {
		t.Errorf("before: %d answers of 80", n)
	}
	thaw := straight.Freeze(t)
	if n := ask(100, 3); n != 0 {
		t.Errorf("%d answers from a frozen Redis", n)
	}
	thaw()
	Eventually(t, 10*time.Second, func() error {
		if n := ask(1000, 10); n != 80 {
			return fmt.Errorf("%d answers of 80", n)
		}
		return nil
	})
}
