package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/session"
)

// kept are metrics by their full names.
type kept map[string]int64

func (k kept) Add(m *metric.Metric, n int64, values ...string) { k[m.Full(values...)] += n }

func (k kept) Record(m *metric.Metric, value uint64, values ...string) {
	k[m.Full(values...)] = int64(value)
}

// of are the values of one metric, by the values of its labels.
func (k kept) of(m *metric.Metric) map[string]int64 {
	found := map[string]int64{}
	for name, n := range k {
		labels, ok := strings.CutSuffix(name, m.Name)
		if !ok {
			continue
		}
		var values []string
		for _, l := range strings.Split(strings.TrimSuffix(labels, ";.;"), ";.;") {
			_, value, _ := strings.Cut(l, "=.=")
			values = append(values, value)
		}
		found[strings.Join(values, " ")] = n
	}
	return found
}

func (w *world) measures(m *metric.Metric, want map[string]int64) {
	w.t.Helper()
	for _, k := range w.workers {
		k.Measure()
	}
	if diff := cmp.Diff(want, w.metrics.of(m)); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", m.Name, diff)
	}
}

func TestARenewalIsCountedOnceForItsLeaderAndForEachThatFollows(t *testing.T) {
	w, cookie := due(t, 2, parts{})
	for i := range 4 { // two on each worker
		w.get(w.workers[i%2], "/page", cookie)
	}
	w.advance(100 * time.Millisecond)
	w.reply(w.call("/token"), 200, w.renewedTo(2))
	w.advance(poll)
	w.measures(metric.Refreshes, map[string]int64{"main leader": 1, "main follower": 3})
	w.begin(w.settings) // another worker, to which the old cookie comes late
	w.get(w.workers[2], "/page", cookie).want("forwarded alice")
	w.measures(metric.Refreshes, map[string]int64{"main leader": 1, "main follower": 3, "main grace": 1})
	w.measures(metric.RefreshesFailed, map[string]int64{})
	if n := w.metrics[metric.SessionCookieBytes.Full()]; n < 300 || n > 4000 {
		t.Errorf("the cookies have %d bytes", n)
	}
}

func TestRenewalsThatFailAreCountedByTheReason(t *testing.T) {
	w, cookie := due(t, 1, parts{})
	w.get(w.workers[0], "/page", cookie)
	w.reply(w.call("/token"), 400, `{"error":"invalid_grant"}`)
	w.measures(metric.RefreshesFailed, map[string]int64{"main provider_invalid_grant": 1})

	w, cookie = due(t, 1, parts{})
	w.get(w.workers[0], "/page", cookie)
	w.lose(w.call("/token"))
	w.measures(metric.RefreshesFailed, map[string]int64{"main no_answer": 1})
}

func TestSessionsAreCountedByHowTheyWereOpened(t *testing.T) {
	w := newWorld(t, 1, parts{})
	cookie := w.cookie(w.alice())
	for range 3 {
		w.get(w.workers[0], "/page", cookie).want("forwarded alice")
	}
	if got := w.metrics.of(metric.SessionsOpened); len(got) != 0 {
		t.Errorf("a request tells the host: %v", got)
	}
	w.measures(metric.SessionsOpened, map[string]int64{"cookie": 1, "cache": 2})
	w.measures(metric.SessionsOpened, map[string]int64{"cookie": 1, "cache": 2})
	w.get(w.workers[0], "/page", "__Host-postern=1.rubbish")
	w.measures(metric.SessionsRefused, map[string]int64{"does_not_open": 1})
}

func TestASessionFromTheStoreIsCountedForWhoeverBringsItsTicket(t *testing.T) {
	w := twoGates(t, `,"sessions":true`, parts{})
	ticket := w.ticket(w.alice())
	w.get(w.workers[1], "/page", ticket).want("forwarded alice")
	w.measures(metric.SessionsOpened, map[string]int64{"store": 1})
	w.advance(4 * time.Minute)
	w.renew(w.workers[0], ticket, 2) // which fetches what it wrote
	w.measures(metric.SessionsOpened, map[string]int64{"store": 2})
}

func TestANameWithALineBreakIsNoLineOfALog(t *testing.T) {
	claims := map[string]session.Claim{"user": {Values: []string{"alice\nGET /admin 200" + strings.Repeat("x", maxLogged)}}}
	of := who{opened: &opened{session: &session.Session{Claims: claims}}}
	if got := of.user(); !strings.HasPrefix(got, "alice%0AGET /admin 200x") || len(got) != maxLogged+2 {
		t.Errorf("user %q", got)
	}
}

func TestWhatIsWrittenIntoTheLogIsCounted(t *testing.T) {
	for name, tt := range map[string]struct {
		event  Event
		metric *metric.Metric
		labels string
	}{
		"a login":            {Event{Event: EventSignedIn, Provider: "main"}, metric.LoginsSucceeded, "main"},
		"a refused login":    {Event{Event: EventLoginRefused, Provider: "main", Reason: "state_expired"}, metric.LoginsFailed, "main state_expired"},
		"nobody's login":     {Event{Event: EventLoginRefused, Reason: "state_missing"}, metric.LoginsFailed, "none state_missing"},
		"a loop":             {Event{Event: EventLoginRefused, Reason: reasonLoginLoop}, metric.LoginLoops, ""},
		"an ended session":   {Event{Event: EventSessionEnded, Reason: "backchannel_logout"}, metric.SessionsEnded, "backchannel_logout"},
		"a sign-out":         {Event{Event: EventSignedOut}, metric.SessionsEnded, "signed_out"},
		"a replayed session": {Event{Event: EventSessionReplayed}, metric.SessionsEnded, "session_replayed"},
		"a refused token":    {Event{Event: EventTokenRefused, Reason: "expired"}, metric.Tokens, "expired"},
		"a denial":           {Event{Event: EventAccessDenied, Rule: "admin", Reason: "group_missing"}, metric.AccessDenied, "admin group_missing"},
		"an observed one":    {Event{Event: EventAccessObserved, Rule: "admin", Reason: "group_missing"}, metric.AccessObserved, "admin group_missing"},
		"a pass":             {Event{Event: EventAccessAllowed, Rule: "admin"}, metric.AccessAllowed, "admin"},
		"a sign-in":          {Event{Event: EventSignInNeeded, Rule: "admin", Reason: "no_session"}, metric.SignInNeeded, "admin no_session"},
		"anything":           {Event{Event: EventStoreGap}, metric.Events, "store_gap none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, parts{})
			w.workers[0].happened(tt.event)
			w.measures(tt.metric, map[string]int64{tt.labels: 1})
			if w.counted(tt.event.Event, tt.event.Reason) != 1 {
				t.Error("it is not in the log")
			}
		})
	}
}

func TestAProviderIsDownOnceRequestsWouldHaveWaitedInVain(t *testing.T) {
	w := newWorld(t, 1, parts{metadata: `"issuer":"https://other.example.com"`})
	w.measures(metric.ProviderUp, map[string]int64{})
	w.advance(oidc.ParkTime + time.Second)
	w.measures(metric.ProviderUp, map[string]int64{"main": 0})
	w.metadata["issuer"] = testIssuer
	w.advance(time.Minute)
	w.measures(metric.ProviderUp, map[string]int64{"main": 1})
	fetched := w.metrics[metric.ProviderKeysTime.Full("main")]
	if ago := w.now.Unix() - fetched; ago < 0 || ago > 60 {
		t.Errorf("the keys were fetched %d seconds ago", ago)
	}
}

func TestLoginsAreCountedWhereTheBrowserIsSentToTheProvider(t *testing.T) {
	w := newWorld(t, 1, parts{})
	w.get(w.workers[0], "/page", "").want("login")
	w.measures(metric.LoginsStarted, map[string]int64{"main": 1})
}
