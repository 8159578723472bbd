package gate

import (
	"time"

	"github.com/postern-auth/postern/internal/metric"
	"github.com/postern-auth/postern/internal/oidc"
	"github.com/postern-auth/postern/internal/release"
)

// tallies are what is counted for each request, and told once a second: in Go it
// costs nothing, and each time that the host is told costs a call.
type tallies struct{ cached, opened, fetched, tokens int64 }

// learned is what the host was last told of a provider.
type learned struct {
	up   int // 1, 0, or -1 for nothing yet
	keys int64
}

// Measure tells the host what was counted since it was last called, and what has
// changed about providers. The host calls it once a second.
func (g *Gate) Measure() {
	t := g.tallies
	g.tallies = tallies{}
	for _, c := range []struct {
		m     *metric.Metric
		n     int64
		value string
	}{
		{metric.SessionsOpened, t.cached, "cache"},
		{metric.SessionsOpened, t.opened, "cookie"},
		{metric.SessionsOpened, t.fetched, "store"},
		{metric.Tokens, t.tokens, "accepted"},
	} {
		if c.n > 0 {
			g.meter.Add(c.m, c.n, c.value)
		}
	}
	now := g.now()
	if !g.introduced {
		g.introduced = true
		g.meter.Record(metric.BuildInfo, 1, release.Version)
		g.meter.Record(metric.SettingsTime, uint64(g.begun.Unix()))
	}
	for name, p := range g.providers {
		g.measureProvider(name, p, now)
	}
}

// measureProvider tells what has changed about a provider. One that has not been
// learned yet is down only once a request would have waited for it in vain.
func (g *Gate) measureProvider(name string, p *oidc.Provider, now time.Time) {
	said := g.said[name]
	is := learned{up: said.up, keys: p.KeysFetched().Unix()}
	switch {
	case p.Known():
		is.up = 1
	case now.Sub(g.begun) > oidc.ParkTime:
		is.up = 0
	}
	if is.up != said.up {
		g.meter.Record(metric.ProviderUp, uint64(is.up), name)
	}
	if is.keys != said.keys && is.keys > 0 {
		g.meter.Record(metric.ProviderKeysTime, uint64(is.keys), name)
	}
	g.said[name] = is
}

// happened logs an event and counts it.
func (g *Gate) happened(e Event) {
	g.log(e)
	g.meter.Add(metric.Events, 1, e.Event, e.Reason)
	switch e.Event {
	case EventSignedIn:
		g.meter.Add(metric.LoginsSucceeded, 1, e.Provider)
	case EventLoginRefused:
		g.meter.Add(metric.LoginsFailed, 1, e.Provider, e.Reason)
		if e.Reason == reasonLoginLoop {
			g.meter.Add(metric.LoginLoops, 1)
		}
	case EventSessionRefused:
		g.meter.Add(metric.SessionsRefused, 1, e.Reason)
	case EventSessionEnded:
		g.meter.Add(metric.SessionsEnded, 1, e.Reason)
	case EventSignedOut, EventSessionReplayed:
		g.meter.Add(metric.SessionsEnded, 1, e.Event)
	case EventTokenRefused:
		g.meter.Add(metric.Tokens, 1, e.Reason)
	case EventAccessDenied:
		g.meter.Add(metric.AccessDenied, 1, e.Rule, e.Reason)
	case EventAccessObserved:
		g.meter.Add(metric.AccessObserved, 1, e.Rule, e.Reason)
	case EventAccessAllowed:
		g.meter.Add(metric.AccessAllowed, 1, e.Rule)
	case EventSignInNeeded:
		g.meter.Add(metric.SignInNeeded, 1, e.Rule, e.Reason)
	}
}

// took counts the part that this worker, or a request of it, had in a renewal.
func (g *Gate) took(provider, role string) {
	g.meter.Add(metric.Refreshes, 1, provider, role)
}

// Parts in a renewal.
const (
	leader   = "leader"
	follower = "follower"
	grace    = "grace"
)
