package gate

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
	"github.com/postern-auth/postern/internal/session"
	"github.com/postern-auth/postern/internal/shared"
	"github.com/postern-auth/postern/internal/webdis"
)

// store is what several gates know together: Redis, behind Webdis. Everything
// in it is sealed with its name, so that whoever can write to it can lose an
// entry or put an older one back, but not make one up.
type store struct {
	client   *webdis.Client
	settings *config.Webdis
	keys     *session.Keyring
	feed     *shared.Feed
	scope    []byte

	heard   time.Time  // when what other gates ended was last read
	first   flow.Event // fired when it was read for the first time
	away    bool       // whether the last reading failed
	unsent  []shared.Ending
	touched map[string]*session.Session // to be written again with the time of their last request
}

const (
	// journalLength is how many endings Redis keeps.
	journalLength = 1 << 14
	// journalEntry is how many endings one entry holds.
	journalEntry = 32
	// maxUnsent is how many endings wait for a store that is away.
	maxUnsent = 4096
	// maxWrites is how many writes begin at one tick.
	maxWrites = 64
	// sentFor is how long it is known that a refresh token was sent.
	sentFor = time.Hour
)

func newStore(c *config.Config, keys *session.Keyring, sealer shared.Sealer) *store {
	if c.Session.Store.Webdis == nil {
		return nil
	}
	return &store{
		client: webdis.New(c.Session.Store.Webdis), settings: c.Session.Store.Webdis,
		keys: keys, feed: shared.NewFeed(sealer), scope: sealer.ScopeHash(), touched: map[string]*session.Session{},
	}
}

// name returns the name of something in the store that belongs to a
// generation of a session.
func (st *store) name(kind string, s *session.Session, generation int) string {
	sum := sha256.Sum256(append(append([]byte(nil), st.scope...), s.ID...))
	return kind + ":" + hex.EncodeToString(sum[:16]) + ":" + strconv.Itoa(generation)
}

func (st *store) journal() string { return "ended:" + hex.EncodeToString(st.scope) }

func (g *Gate) sealFor(name string, plain []byte) (string, error) {
	box, err := g.keys.SealBox(session.PurposeStore, name, plain, g.random)
	return base64.RawURLEncoding.EncodeToString(box), err
}

func (st *store) open(name, value string) ([]byte, error) {
	box, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return nil, session.ErrSealed
	}
	return st.keys.OpenBox(session.PurposeStore, name, box)
}

// errStore says that the store is away, so that it is not known whether a
// session was ended elsewhere.
var errStore = errors.New("gate: store away")

// storeOutage is the outage of the store, which is asked again a second later.
func storeOutage(env flow.Env) *outage {
	return &outage{again: env.Now().Add(time.Second), cause: errStore}
}

// stale reports whether the store has been away for longer than the settings
// allow.
func (st *store) stale(now time.Time) bool {
	return st.heard.IsZero() || now.Sub(st.heard) > st.settings.Stale.Std()
}

// firstWait is how long a request waits for the first reading of what other
// gates ended.
const firstWait = 3 * time.Second

// vouched waits until it is known which sessions were ended elsewhere. Where
// that stays unknown, the settings say what happens.
func (g *Gate) vouched(env flow.Env) error {
	st := g.store
	if st.heard.IsZero() && !st.away {
		if err := env.Wait(&st.first, firstWait); errors.Is(err, flow.ErrCanceled) {
			return err
		}
	}
	if !st.stale(env.Now()) || st.settings.OnOutage == "admit" {
		return nil
	}
	return storeOutage(env)
}

// storeDue returns what is to be done with the store now.
func (g *Gate) storeDue(now time.Time) (due []flow.Func) {
	st := g.store
	r, mine := st.feed.Take(now, st.settings.Interval.Std()+st.settings.Timeout.Std())
	g.heardOf(r.Heard)
	if mine {
		due = append(due, func(env flow.Env) { g.readEndings(env, r.Place) })
	}
	if len(st.unsent) > 0 {
		list := st.unsent
		st.unsent = nil
		due = append(due, func(env flow.Env) { _ = g.sendEndings(env, list) })
	}
	for key, s := range st.touched {
		if len(due) >= maxWrites {
			break // the rest at the next tick
		}
		delete(st.touched, key)
		if g.current(s, now) {
			due = append(due, func(env flow.Env) { _, _ = g.keepStored(env, s, false) })
		}
	}
	if st.stale(now) && st.settings.OnOutage == "admit" && (st.away || !st.heard.IsZero()) {
		g.happened(Event{Event: EventStoreAdmits})
	}
	return due
}

// heardOf takes over when the feed was last read, by whichever worker.
func (g *Gate) heardOf(at time.Time) {
	if at.After(g.store.heard) {
		g.store.heard = at
		g.store.first.Fire()
	}
}

// readEndings reads what other gates ended.
func (g *Gate) readEndings(env flow.Env, place string) {
	st := g.store
	news, err := st.client.After(env, st.journal(), place, journalLength/journalEntry)
	if err != nil {
		if !st.away {
			g.storeFailure(err)
		}
		st.away = true
		return
	}
	st.away = false
	now := g.clock()
	list, whole := g.openEntries(news.Entries)
	if len(list) > 0 && g.endings.Add(now, list...) != nil {
		return // to be read again
	}
	switch n := len(news.Entries); {
	case n > 0:
		place = news.Entries[n-1].ID
	case !news.Complete:
		place = "" // from an empty journal the reading begins anew, so that once is enough
	}
	if !news.Complete || !whole {
		// Something that was ended may be missing: all must be confirmed anew.
		g.endings.Raise(now)
		g.happened(Event{Event: EventStoreGap})
	}
	st.feed.Done(place, now, st.settings.Interval.Std())
	g.heardOf(now)
}

// openEntries returns the endings in entries of the journal, and whether every
// entry opened.
func (g *Gate) openEntries(entries []webdis.Entry) (list []shared.Ending, whole bool) {
	whole = true
	for _, entry := range entries {
		plain, err := g.store.open(g.store.journal(), entry.Value)
		endings, ok := shared.DecodeEndings(plain)
		if err != nil || !ok {
			g.happened(Event{Event: EventStoreRefused, Reason: "does_not_open"})
			whole = false
			continue
		}
		list = append(list, endings...)
	}
	return list, whole
}

// sendEndings tells other gates what was ended. What cannot be told now is
// told later.
func (g *Gate) sendEndings(env flow.Env, list []shared.Ending) error {
	st := g.store
	for len(list) > 0 {
		some := list[:min(len(list), journalEntry)]
		value, err := g.sealFor(st.journal(), shared.EncodeEndings(some))
		if err == nil {
			_, err = st.client.Append(env, st.journal(), value, journalLength/journalEntry)
		}
		if err != nil {
			g.storeFailure(err)
			return g.sendLater(list, err)
		}
		list = list[len(some):]
	}
	return nil
}

// sendLater keeps endings that could not be told, as many as there is room for.
func (g *Gate) sendLater(list []shared.Ending, err error) error {
	st := g.store
	kept := min(len(list), max(0, maxUnsent-len(st.unsent)))
	st.unsent = append(st.unsent, list[:kept]...)
	if kept < len(list) {
		g.happened(Event{Event: EventEndingUnshared})
	}
	return err
}

func (g *Gate) storeFailure(err error) {
	reason := "no_answer"
	if errors.Is(err, webdis.ErrRefused) {
		reason = "refused"
	}
	g.happened(Event{Event: EventStoreFailure, Reason: reason})
}

// What a renewal left in the store for other gates.
const (
	leftCookie byte = 'c' // the new cookie
	leftFailed byte = 'f' // the provider could not be asked, until a time
	leftEnded  byte = 'e' // the session is over
)

// leaveOutcome leaves the outcome of a renewal for other gates.
func (g *Gate) leaveOutcome(env flow.Env, s *session.Session, what byte, until time.Time, cookie string, ttl time.Duration) {
	if g.store == nil {
		return
	}
	name := g.store.name("renewed", s, s.Generation)
	plain := binary.BigEndian.AppendUint64([]byte{what}, uint64(until.UnixMilli()))
	value, err := g.sealFor(name, append(plain, cookie...))
	if err == nil {
		err = g.store.client.Set(env, name, value, ttl)
	}
	if err == nil && what == leftFailed {
		err = g.store.client.Delete(env, g.store.name("sent", s, s.Generation))
	}
	if err != nil {
		g.storeFailure(err)
	}
}

// claimAmongGates sees to it that of all gates one sends a refresh token. It
// reports whether that is this one.
func (g *Gate) claimAmongGates(env flow.Env, s *session.Session) (bool, error) {
	if g.store == nil {
		return true, nil
	}
	name, ours := g.store.name("sent", s, s.Generation), hex.EncodeToString(g.endings.Process())
	won, err := g.store.client.SetNX(env, name, ours, sentFor)
	if err == nil && !won {
		// It may be our own, of an attempt that had no answer: in this process
		// the renewal is ours alone.
		var whose string
		whose, _, err = g.store.client.Get(env, name)
		won = whose == ours
	}
	if err == nil {
		return won, nil
	}
	g.storeFailure(err)
	if g.store.settings.OnOutage == "admit" {
		g.happened(Event{Event: EventStoreAdmits})
		return true, nil
	}
	return false, storeOutage(env)
}

// followGate waits for the gate that renews a session.
func (g *Gate) followGate(env flow.Env, s *session.Session, holder uint64) (*opened, []string, error) {
	st := g.store
	p := g.partyNamed(s.Provider).Settings()
	limit := p.Timeout.Std() + askFor(p) // for the tokens, and for what comes after them
	for end := g.clock().Add(limit); g.clock().Before(end); {
		value, found, err := st.client.Get(env, st.name("renewed", s, s.Generation))
		if err != nil {
			g.storeFailure(err)
			return g.postpone(s, errStore, time.Time{})
		}
		if found {
			return g.takeOutcome(env, s, value)
		}
		if !g.hold(s, holder, shared.Claimed, shared.Claimed) {
			return g.renew(env, s)
		}
		if err := flow.Pause(env, 2*poll); err != nil {
			return nil, nil, err
		}
	}
	return g.refreshLost(env, s, holder, 1)
}

// takeOutcome takes what another gate left of the renewal of a session.
func (g *Gate) takeOutcome(env flow.Env, s *session.Session, value string) (*opened, []string, error) {
	st := g.store
	plain, err := st.open(st.name("renewed", s, s.Generation), value)
	if err != nil || len(plain) < 9 {
		g.happened(Event{Event: EventStoreRefused, Reason: "does_not_open"})
		return g.postpone(s, errStore, time.Time{})
	}
	until := time.UnixMilli(int64(binary.BigEndian.Uint64(plain[1:])))
	switch plain[0] {
	case leftCookie:
		parts := session.CutParts(string(plain[9:]))
		g.publish(s, parts)
		g.took(s.Provider, follower)
		g.happened(Event{Event: EventSessionGrace, Provider: s.Provider})
		return g.openParts(env, parts)
	case leftEnded:
		g.endSession(env, s)
		return nil, nil, errEnded
	}
	return g.postpone(s, errProviderAway, until)
}
