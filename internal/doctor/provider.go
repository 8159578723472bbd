package doctor

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
)

// metadata are the parts of a discovery document that are looked at.
type metadata struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Authorization string `json:"authorization_endpoint"`
}

// providers asks each provider itself, from here. That Envoy reaches it is told
// by provider_down.
func (v *visit) providers() {
	if v.host == nil {
		return
	}
	for i := range v.host.Config.Providers {
		if p := &v.host.Config.Providers[i]; !p.Plain() {
			v.provider(p)
		}
	}
}

// discovery is where a provider's metadata are (OpenID Connect Discovery 1.0,
// section 4).
func discovery(p *config.Provider) string {
	return strings.TrimSuffix(p.Issuer, "/") + "/.well-known/openid-configuration"
}

func (v *visit) provider(p *config.Provider) {
	path := "provider " + p.Name
	m, err := v.metadata(p)
	if err != "" {
		v.add(found("discovery_unreachable", path, "from here, %s: %s", discovery(p), err))
		return
	}
	// Entra's documents for many tenants have a place-holder.
	if m.Issuer != p.Issuer && !(p.Type == "entra" && strings.Contains(m.Issuer, "{tenantid}")) {
		v.add(found("issuer_differs", path, "it calls itself %q, and the settings call it %q", told(m.Issuer), p.Issuer))
		return
	}
	if n := v.keysAt(discovery(p), m.Keys); n == 0 {
		v.add(found("keys_unreadable", path, "from here, %s has no keys", told(m.Keys)))
	} else {
		v.add(well("discovery_unreachable", path, "from here it answers, is called as in the settings, and has %d keys", n))
	}
}

func (v *visit) metadata(p *config.Provider) (m metadata, flaw string) {
	answer, err := v.get(discovery(p), maxBody)
	switch {
	case err != nil:
		return m, told(err.Error())
	case answer.status != http.StatusOK:
		return m, "it answers with status " + strconv.Itoa(answer.status)
	case json.Unmarshal(answer.body, &m) != nil:
		return m, "its answer is not JSON"
	}
	return m, ""
}

// keysAt counts the keys at an address that a document names.
func (v *visit) keysAt(document, address string) int {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	from, errFrom := url.Parse(document)
	if to, err := url.Parse(address); errFrom != nil || err != nil || strays(from, to) {
		return 0
	}
	answer, err := v.get(address, maxBody)
	if err != nil || answer.status != http.StatusOK || json.Unmarshal(answer.body, &set) != nil {
		return 0
	}
	return len(set.Keys)
}

// dated is a clock that was seen.
type dated struct {
	host   string
	ahead  time.Duration // of ours
	unsure time.Duration
}

// noteDate notes what clock an answer shows, unless it was kept on its way.
func (v *visit) noteDate(host string, header http.Header, begun time.Time) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil || header.Get("Age") != "" {
		return
	}
	ended := v.Now()
	taken := ended.Sub(begun)
	// A Date is cut to whole seconds.
	d := dated{host, at.Add(500 * time.Millisecond).Sub(begun.Add(taken / 2)), taken/2 + 500*time.Millisecond}
	if i := slices.IndexFunc(v.dates, func(o dated) bool { return o.host == host }); i < 0 {
		v.dates = append(v.dates, d)
	} else if d.unsure < v.dates[i].unsure {
		v.dates[i] = d
	}
}

// clocks compares the clocks of front and providers, and ours with them.
func (v *visit) clocks() {
	front, ok := v.clockOf(v.URL)
	if !ok || v.host == nil {
		return
	}
	behind := false
	for i := range v.host.Config.Providers {
		p := &v.host.Config.Providers[i]
		at, ok := v.clockOf(p.Issuer)
		if !ok || at.host == front.host {
			continue
		}
		apart := (at.ahead - front.ahead).Abs()
		if sure := apart - at.unsure - front.unsure; sure > time.Duration(p.Leeway) {
			v.add(found("clock_skew", "provider "+p.Name, "its clock is %s from the front's; leeway is %s", seconds(apart), seconds(time.Duration(p.Leeway))))
		} else {
			v.add(well("clock_skew", "provider "+p.Name, "its clock is less than %s from the front's", seconds(apart+at.unsure+front.unsure)))
		}
		behind = behind || (at.ahead.Abs()-at.unsure > time.Minute)
	}
	if behind && front.ahead.Abs()-front.unsure > time.Minute {
		v.add(found("clock_here", "", "it is %s from the front's", seconds(front.ahead.Abs())))
	}
}

func (v *visit) clockOf(address string) (dated, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return dated{}, false
	}
	i := slices.IndexFunc(v.dates, func(d dated) bool { return d.host == u.Host })
	if i < 0 {
		return dated{}, false
	}
	return v.dates[i], true
}
