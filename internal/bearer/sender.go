package bearer

import (
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/shared"
)

// Sender is what a request shows of who sent it. Its Peer is asked only for what
// a token or the settings make matter.
type Sender struct {
	Token   string // as it was sent
	DPoP    bool   // under the scheme DPoP
	Method  string // RFC 9449, section 4.2: htm
	Address string // htu: without query and fragment
	Header  httpmsg.Fields

	Peer Peer
}

// ClientIDHeader is the name of the header field that names the token's client,
// compared and true, or "" where the settings have none.
func (c *Caller) ClientIDHeader() string { return c.entry.settings.ClientIDHeader }

// Peer is who sent a request, as far as the connection and trusted peers show.
type Peer interface {
	// IP is the caller's address, or "" where it is not known.
	IP() string
	// Certificate is the hash of the caller's certificate as tokens name it (RFC
	// 8705, section 3.1), or "" where there is none.
	Certificate() string
}

// CheckSender makes sure that a token comes from whom it was given to: the error
// is a *Refusal. A token that is bound is refused without its proof, whatever
// the settings demand.
func (v *Verifier) CheckSender(c *Caller, s *Sender, now time.Time) error {
	set := c.entry.settings
	if err := demanded(c, set); err != nil {
		return err
	}
	if set.ClientIDHeader != "" {
		if id, once := named(s.Header, set.ClientIDHeader); !once || c.Token.ClientID == "" || id != c.Token.ClientID {
			return refuse(InvalidToken, "client_id_differs")
		}
	}
	if set.ClientAddress && !fromAddress(c, s.Peer.IP()) {
		return refuse(InvalidToken, "client_address_differs")
	}
	if bound := c.Token.X5T; bound != "" && subtle.ConstantTimeCompare([]byte(s.Peer.Certificate()), []byte(bound)) != 1 {
		return refuse(InvalidToken, "certificate_differs")
	}
	if c.Token.JKT != "" || s.DPoP {
		return v.checkProof(c, s, now)
	}
	return nil
}

// named returns the value of a field that occurs exactly once, in whatever
// spelling an application could take for it, and in its own.
func named(h httpmsg.Fields, name string) (value string, once bool) {
	spellings := 0
	for i := range h {
		if httpmsg.SameSpelling(h[i].Name, name) {
			spellings++
		}
	}
	value, once = h.Only(name)
	return value, once && spellings == 1
}

// demanded refuses a token that is not bound as the settings demand.
func demanded(c *Caller, set *config.Bearer) error {
	key, certificate := c.Token.JKT != "", c.Token.X5T != ""
	switch {
	case set.Bound == "dpop" && !key, set.Bound == "certificate" && !certificate, set.Bound == "always" && !key && !certificate:
		return refuse(InvalidToken, "not_bound")
	}
	return nil
}

// fromAddress compares the caller's address with the one that Keycloak notes
// for a service account.
func fromAddress(c *Caller, address string) bool {
	for _, name := range []string{"clientAddress", "clientHost"} {
		if noted := gjson.GetBytes(c.Token.Claims, name); noted.Type == gjson.String {
			return address != "" && httpmsg.SameAddress(noted.Str, address)
		}
	}
	return false
}

// checkProof checks the proof of possession that a request brings (RFC 9449,
// section 4.3 and 7.1), once.
func (v *Verifier) checkProof(c *Caller, s *Sender, now time.Time) error {
	set := c.entry.settings
	switch {
	case c.Token.JKT == "":
		return refuse(InvalidToken, "not_bound")
	case !s.DPoP: // section 7.2: taken for a bearer token, it would be one
		return refuse(InvalidToken, "bound_token_as_bearer")
	}
	raw, once := s.Header.Only("dpop")
	if !once {
		return refuse(InvalidProof, "proof_missing_or_twice")
	}
	p, err := ReadProof(raw, s.Method, s.Address, s.Token, now, set.DPoP.Window.Std())
	if err != nil {
		return err
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(p.JKT), []byte(c.Token.JKT)) != 1:
		return refuse(InvalidToken, "proof_of_another_key")
	case set.DPoP.Nonce && !v.nonces.Good(p.Nonce, now, set.DPoP.Window.Std()):
		return refuse(UseNonce, "nonce_missing_or_old")
	}
	return v.usedOnce(p, now, set.DPoP.Window.Std())
}

// remembered is how long a proof is remembered at most: its time may lie ahead.
func remembered(window time.Duration) time.Duration { return 2*window + 2*time.Second }

// usedOnce notes that a proof was used. It is good once, for as long as its
// time is.
func (v *Verifier) usedOnce(p *Proof, now time.Time, window time.Duration) error {
	first, err := v.proofs.Use(p.JKT+" "+p.ID, now, p.Issued.Add(window+time.Second))
	switch {
	case errors.Is(err, shared.ErrBusy):
		return refuse(InvalidProof, "too_many_proofs")
	case err != nil:
		return err
	case !first:
		return refuse(InvalidProof, "proof_used")
	}
	return nil
}

// WantsAddress reports whether the caller's address may matter.
func (v *Verifier) WantsAddress() bool {
	return slices.ContainsFunc(v.entries, func(e *entry) bool { return e.settings.ClientAddress })
}

// Nonce returns a nonce for the next proof, or "" where nobody demands one.
func (v *Verifier) Nonce(now time.Time) string {
	for _, e := range v.entries {
		if e.settings.DPoP.Nonce {
			nonce, err := v.nonces.New(now)
			if err != nil {
				return ""
			}
			return nonce
		}
	}
	return ""
}

// OnlyDPoP reports whether no token does without DPoP.
func (v *Verifier) OnlyDPoP() bool {
	return !slices.ContainsFunc(v.entries, func(e *entry) bool { return e.settings.Bound != "dpop" })
}

// ProofAlgorithms are the algorithms by which proofs may be signed, by name.
func ProofAlgorithms() []string {
	names := make([]string, len(proofAlgorithms))
	for i, a := range proofAlgorithms {
		names[i] = string(a)
	}
	return names
}
