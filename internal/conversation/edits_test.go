package conversation

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/wazerohost"
)

// Istio edits a plugin by putting a new root context beside the old one in the same
// VM; the old one goes on until the last of its streams has ended. These tests are
// of the module under such edits.

// byAnotherName has the application told who somebody is in another header.
func byAnotherName(s map[string]any) {
	s["forward"] = map[string]any{"headers": map[string]any{"x-person": "user"}}
}

func TestALoginBegunUnderOldSettingsIsFinishedUnderNewOnes(t *testing.T) {
	g := newEdited(t, settingsWith(t, nil))
	callback := g.begin(0, "/wanted?a=b")
	g.edit(settingsWith(t, byAnotherName))
	o := g.get(1, callback)
	if o.Status != http.StatusSeeOther || !strings.HasSuffix(o.Header("location"), "/wanted?a=b") {
		t.Fatalf("%d %s to %s", o.Status, o.Details, o.Header("location"))
	}
	if user := g.known(0, "x-person"); user != "alice" {
		t.Errorf("the application knows %q", user)
	}
	g.wantPlugins(1)
}

func TestASessionOutlivesEditsAndAChangeOfKeys(t *testing.T) {
	g := newEdited(t, settingsWith(t, nil))
	g.signIn(0)
	cookies := len(g.jar)
	g.edit(settingsWith(t, func(s map[string]any) {
		// The variable was there from the beginning: those of a VM are read once.
		s["session"] = map[string]any{"keys": []any{map[string]any{"id": "2", "env": "POSTERN_KEY_2"}, map[string]any{"id": "1", "env": "POSTERN_KEY"}}}
	}))
	for worker := range g.Workers() {
		if user := g.known(worker, "x-user"); user != "alice" {
			t.Errorf("on worker %d the application knows %q", worker, user)
		}
	}
	if len(g.jar) != cookies {
		t.Errorf("%d cookies became %d", cookies, len(g.jar))
	}
}

func TestALoginAtTheProviderEndsUnderTheSettingsItsCallbackCameUnder(t *testing.T) {
	g := newEdited(t, settingsWith(t, nil))
	callback := g.send(0, g.begin(0, "/"))
	calls := g.Calls()
	if len(calls) != 1 || !strings.HasSuffix(calls[0].Header(":path"), "/token") {
		t.Fatalf("%d calls wait", len(calls))
	}
	if err := g.Reconfigure(settingsWith(t, byAnotherName)); err != nil {
		t.Fatal(err)
	}
	if n := g.Plugins(0); n != 2 {
		t.Errorf("%d configurations while the old one has a stream", n)
	}
	g.answer()
	if o := g.finish(callback); o.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", o.Status, o.Details)
	}
	if user := g.known(1, "x-person"); user != "alice" {
		t.Errorf("the application knows %q", user)
	}
	g.advance(30 * time.Second)
	g.wantPlugins(1)
}

func TestAnOpenStreamOfOldSettingsIsCutByASignOutUnderNewOnes(t *testing.T) {
	g := newEdited(t, settingsWith(t, nil))
	g.signIn(0)
	open := g.send(0, "/events")
	g.answer()
	open.Respond([][2]string{{":status", "200"}, {"content-type", "text/event-stream"}}, false)
	g.edit(settingsWith(t, byAnotherName))
	g.advance(5 * time.Second)
	open.RespondBody([]byte("data: 1\n\n"), false)
	if got := string(open.Response().Body); open.Outcome().Kind != wazerohost.Forwarded || got != "data: 1\n\n" {
		t.Fatalf("the stream did not go on: %v %q", open.Outcome().Kind, got)
	}
	if n := g.Plugins(0); n != 2 {
		t.Errorf("%d configurations while the old one has a stream", n)
	}
	if o := g.get(1, "/oauth2/sign_out"); o.Status >= 400 {
		t.Fatalf("sign out: %d %s", o.Status, o.Details)
	}
	g.advance(5 * time.Second)
	if kind := open.Outcome().Kind; kind != wazerohost.Reset {
		t.Errorf("the stream is %v", kind)
	}
	g.advance(30 * time.Second)
	g.wantPlugins(1)
}

func TestSettingsThatAreRefusedLeaveTheOldInForce(t *testing.T) {
	g := newEdited(t, settingsWith(t, nil))
	g.signIn(0)
	for name, bad := range map[string][]byte{
		"an unknown key": settingsWith(t, func(s map[string]any) { s["host"] = []any{"x"} }),
		"a variable of no value": settingsWith(t, func(s map[string]any) {
			s["session"] = map[string]any{"keys": []any{map[string]any{"id": "3", "env": "POSTERN_KEY_3"}}}
		}),
		"no JSON":                 []byte("providers:"),
		"nothing":                 nil,
		"a rule that opens it up": settingsWith(t, func(s map[string]any) { s["rules"] = []any{map[string]any{"allow": "anybody"}} }),
	} {
		if err := g.Reconfigure(bad); err == nil || !strings.Contains(err.Error(), "settings refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
	g.advance(30 * time.Second)
	g.wantPlugins(1)
	for worker := range g.Workers() {
		if user := g.known(worker, "x-user"); user != "alice" {
			t.Errorf("on worker %d the application knows %q", worker, user)
		}
	}
}

// manyRules are rules enough for an old configuration that stayed to be seen in
// the memory.
func manyRules(edit int) func(map[string]any) {
	return func(s map[string]any) {
		var rules []any
		for i := range 60 {
			rules = append(rules, map[string]any{
				"name": fmt.Sprintf("rule-%d", i), "match": map[string]any{"paths": []any{fmt.Sprintf("/edit-%d/section-%d/*", edit, i)}},
				"require": map[string]any{"groups": []any{fmt.Sprintf("group-%d-%d", edit, i)}},
			})
		}
		s["rules"] = rules
	}
}

func TestAHundredEditsLeaveNothingBehind(t *testing.T) {
	g := newEdited(t, settingsWith(t, manyRules(0)))
	g.signIn(0)
	const warm = 20
	var memory, keys uint64
	for edit := range 100 + warm {
		if edit == warm {
			memory, keys = g.MemoryBytes(0), uint64(g.SharedData().Keys(""))
		}
		old := g.send(0, "/page")
		if err := g.Reconfigure(settingsWith(t, manyRules(edit+1))); err != nil {
			t.Fatal(err)
		}
		g.advance(1100 * time.Millisecond)
		if o := g.finish(old); o.Kind != wazerohost.Forwarded || o.Header("x-user") != "alice" {
			t.Fatalf("edit %d: the request under way: %d %s", edit, o.Status, o.Details)
		}
		if user := g.known(edit%2, "x-user"); user != "alice" {
			t.Fatalf("edit %d: the application knows %q", edit, user)
		}
	}
	g.advance(30 * time.Second)
	g.wantPlugins(1)
	if now := g.MemoryBytes(0); now > memory+memory/10 {
		t.Errorf("the memory grew from %d to %d bytes", memory, now)
	}
	if now := uint64(g.SharedData().Keys("")); now != keys {
		t.Errorf("%d entries of shared data became %d", keys, now)
	}
	forwarded := g.Metrics()["decision=.=forwarded;.;postern_requests_total"]
	if want := uint64(2 * (100 + warm)); forwarded != want {
		t.Errorf("%d requests are counted as forwarded, of %d", forwarded, want)
	}
}
