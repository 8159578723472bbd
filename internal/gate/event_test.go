package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsOnlyObservedSaysWhatItWouldHaveBeen(t *testing.T) {
	w := newWorld(t, 1, parts{
		top: `,"bearer":[{"provider":"main","audiences":["shop-api"]}],"auth_request":{"rules":true},"trusted_peers":{"sans":["nginx"]}`,
		rules: `[{"name":"new","match":{"paths":["/new/*"]},"require":{"groups":["owners"]},"insecure_observe":true},
			{"name":"gold","match":{"paths":["/gold/*"]},"require":{"acr":["gold"]},"insecure_observe":true},
			{"name":"old","match":{"paths":["/old/*"]},"require":{"groups":["owners"]}}]`,
	})
	k := w.workers[0]
	w.peer.names = []string{"nginx"}
	alice := w.cookie(w.alice())
	for name, c := range map[string]struct {
		ask  func() *visit
		want string
	}{
		"a browser without a session":        {func() *visit { return w.get(k, "/new/a", "") }, EventSignInNeeded},
		"a script without one":               {func() *visit { return w.send(k, "/new/a", "accept", "application/json") }, EventAccessDenied},
		"a person who lacks a group":         {func() *visit { return w.get(k, "/new/a", alice) }, EventAccessDenied},
		"a person who lacks a level":         {func() *visit { return w.get(k, "/gold/a", alice) }, EventSignInNeeded},
		"a token that is none":               {func() *visit { return w.send(k, "/new/a", "authorization", "Bearer nonsense") }, EventTokenRefused},
		"a proxy that asks about a person":   {func() *visit { return w.subrequest(k, "", alice, "x-original-url", "/new/a") }, EventAccessDenied},
		"what is not only observed says not": {func() *visit { return w.get(k, "/old/a", alice) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.t, w.events = t, nil
			c.ask()
			var told []string
			for _, e := range w.events {
				told = append(told, e.Would)
				if (e.Event == EventAccessObserved) != (e.Would != "") {
					t.Errorf("%+v", e)
				}
			}
			if diff := cmp.Diff([]string{c.want}, told); diff != "" {
				t.Error(diff)
			}
		})
	}
	if line := (Event{Event: EventAccessObserved, Would: EventAccessDenied}).JSON(); !strings.Contains(line, `"would":"access_denied"`) {
		t.Error(line)
	}
	if line := (Event{Event: EventAccessDenied}).JSON(); strings.Contains(line, "would") {
		t.Error(line)
	}
}
