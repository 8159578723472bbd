package sealed

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/session"
)

// Reasons why something is not what a gate would take, as its log has them where
// it has one.
const (
	ReasonTwice    = "cookie_sent_twice"
	ReasonParts    = "cookie_parts_missing"
	ReasonCut      = "cut_off"
	ReasonNotOurs  = "not_ours"
	ReasonOtherKey = "other_key"
	ReasonSealed   = "does_not_open"
	ReasonExpired  = "past_lifetime"
	ReasonBefore   = "before_not_before"
	ReasonForeign  = "other_provider_or_client"
	ReasonName     = "other_cookie_name"
	ReasonHost     = "other_host"
	ReasonStored   = "kept_in_store"
)

// Problem is why something would not be taken.
type Problem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Opener opens values.
type Opener struct {
	Keys []session.Key
	// Missing are ids of keys that the settings name, and whose variables are not
	// set here.
	Missing []string
	// Settings are held against what is found; nil for none.
	Settings *config.Config
	Now      time.Time

	ring *session.Keyring
}

// Finding is what became of one value, or of the parts of one.
type Finding struct {
	Kind     string       `json:"kind"` // session, login binding, state, start, ticket, sign-out, need, choice, stored session
	Names    []string     `json:"names,omitempty"`
	Host     string       `json:"host,omitempty"`
	Sizes    []int        `json:"bytes,omitempty"`     // of each part, with its name where that is known
	Budget   int          `json:"max_bytes,omitempty"` // of all, where it is a session
	KeyID    string       `json:"key,omitempty"`
	Sealed   string       `json:"sealed_by,omitempty"` // first key, or an older one; where it opens
	Problems []Problem    `json:"problems,omitempty"`
	Session  *SessionView `json:"session,omitempty"`
	Details  []Detail     `json:"details,omitempty"` // of everything else, in an order
}

// Bytes are those of all parts.
func (f *Finding) Bytes() (n int) {
	for _, size := range f.Sizes {
		n += size
	}
	return n
}

// Detail is a named thing that is worth knowing.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Good reports whether a gate would take it.
func (f *Finding) Good() bool { return len(f.Problems) == 0 }

func (f *Finding) problem(reason, hint, format string, args ...any) {
	f.Problems = append(f.Problems, Problem{reason, fmt.Sprintf(format, args...), hint})
}

func (f *Finding) detail(name, format string, args ...any) {
	f.Details = append(f.Details, Detail{name, fmt.Sprintf(format, args...)})
}

// Open opens all values that could be ours. What is not is passed over.
func (o *Opener) Open(values []Value) ([]*Finding, error) {
	if len(o.Keys) > 0 {
		ring, err := session.NewKeyring(o.Keys)
		if err != nil {
			return nil, err
		}
		o.ring = ring
	}
	findings, rest := o.sessions(values)
	for _, v := range rest {
		if f := o.single(v); f != nil {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// first is how the first cookie of a session begins, or the one that is a ticket
// for a session that is kept in a store.
var first = regexp.MustCompile(`^(?:[1-9]\.eyJ|t\.[A-Za-z0-9_-]{80,})`)

// sessions gathers the cookies that are parts of sessions, by their names.
func (o *Opener) sessions(values []Value) (findings []*Finding, rest []Value) {
	names := o.sessionNames(values)
	taken := make([]bool, len(values))
	for _, name := range names {
		jar := session.NewJar(name)
		reader := jar.Reader()
		f := &Finding{Kind: "session"}
		for i, v := range values {
			if !taken[i] && (v.Name == name || v.Name != "" && jar.Owns(v.Name)) && reader.Take(v.Name, v.Text) {
				taken[i] = true
				f.Names, f.Sizes, f.Host = append(f.Names, v.Name), append(f.Sizes, len(v.Name)+1+len(v.Text)), v.Host
			}
		}
		if len(f.Names) == 0 {
			continue
		}
		o.session(f, &reader, name)
		findings = append(findings, f)
	}
	bare, rest := o.bare(values, taken)
	if bare != nil {
		findings = append(findings, bare)
	}
	return findings, rest
}

// sessionNames are the names of cookies that are sessions: the settings' one, and
// those that look like it.
func (o *Opener) sessionNames(values []Value) (names []string) {
	if o.Settings != nil {
		names = append(names, o.Settings.Session.Cookie.Name)
	}
	for _, v := range values {
		if v.Name != "" && first.MatchString(v.Text) && !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}

// bare takes values without names for the parts of a session, in their order.
func (o *Opener) bare(values []Value, taken []bool) (f *Finding, rest []Value) {
	reader := session.NewJar("session").Reader()
	for i, v := range values {
		switch {
		case taken[i]:
		case v.Name == "" && (f != nil && compact(v.Text) == nil || first.MatchString(v.Text)):
			if f == nil {
				f = &Finding{Kind: "session"}
			}
			name := "session"
			if n := len(f.Sizes); n > 0 {
				name = fmt.Sprintf("session-%d", n)
			}
			reader.Take(name, v.Text)
			f.Sizes = append(f.Sizes, len(v.Text))
		default:
			rest = append(rest, v)
		}
	}
	if f != nil {
		o.session(f, &reader, "")
	}
	return f, rest
}

// envelope is what a sealed value says of itself, before it is opened.
type envelope struct {
	KeyID   string `json:"kid"`
	Type    string `json:"typ"`
	purpose session.Purpose
	cut     bool
}

// compact reads the head of a compact JWE of ours; nil where it is none.
func compact(sealed string) *envelope {
	head, rest, found := strings.Cut(sealed, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var e envelope
	if !found || err != nil || json.Unmarshal(text, &e) != nil || !strings.HasPrefix(e.Type, "postern-") {
		return nil
	}
	e.purpose = session.Purpose(strings.TrimPrefix(e.Type, "postern-"))
	parts := strings.Split(rest, ".")
	// A nonce of 96 bits, and a tag of 128 (RFC 7518, section 5.3).
	e.cut = len(parts) != 4 || len(parts[1]) != 16 || len(parts[3]) != 22
	return &e
}

// maxSealed bounds what is opened at all.
const maxSealed = 64 << 10

// unseal opens a compact JWE, or says why it does not open.
func (o *Opener) unseal(f *Finding, sealed string) []byte {
	e := compact(sealed)
	switch {
	case e == nil:
		f.problem(ReasonNotOurs, "", "it is not a value that a gate has sealed")
		return nil
	case e.cut:
		f.KeyID = e.KeyID
		f.problem(ReasonCut, "copy it whole: browsers' tools shorten what they show", "it is cut off, or something was added")
		return nil
	}
	f.KeyID = e.KeyID
	if !slices.ContainsFunc(o.Keys, func(k session.Key) bool { return k.ID == e.KeyID }) {
		f.problem(ReasonOtherKey, o.keyHint(e.KeyID), "it was sealed with the key %q, which is not among %s", e.KeyID, o.keyIDs())
		return nil
	}
	plain, _, err := o.ring.Open(e.purpose, sealed, maxSealed)
	if err != nil {
		f.problem(ReasonSealed, "hold the keys of the gate that made it against these", "it does not open with the key %q: that gate has another key of this id, or the value was changed", e.KeyID)
		return nil
	}
	f.sealedBy(o.ring, e.KeyID)
	return plain
}

func (f *Finding) sealedBy(ring *session.Keyring, id string) {
	f.Sealed = "an older key"
	if ring.Current(id) {
		f.Sealed = "the first key"
	}
}

func (o *Opener) keyIDs() string {
	if len(o.Keys) == 0 {
		return "the keys that were given, of which there are none"
	}
	var ids []string
	for _, k := range o.Keys {
		ids = append(ids, fmt.Sprintf("%q", k.ID))
	}
	return strings.Join(ids, ", ")
}

func (o *Opener) keyHint(id string) string {
	if slices.Contains(o.Missing, id) {
		return "the settings have this key, and its variable is not set here"
	}
	return "give it with --key " + id + "=env:NAME or --key " + id + "=file:PATH"
}
