package bearer

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

// Nonces are what proofs of possession may have to repeat, so that none can be
// made long before it is used (RFC 9449, section 9). They are sealed times:
// nothing is stored, and any gate with the same keys knows another one's.
type Nonces struct {
	Keys   *session.Keyring
	Random io.Reader
}

const (
	nonceName = "proof"
	maxNonce  = 512 // bytes
)

// New returns a nonce of this moment.
func (n Nonces) New(now time.Time) (string, error) {
	made := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	box, err := n.Keys.SealBox(session.PurposeProof, nonceName, made, n.Random)
	if err != nil {
		return "", fmt.Errorf("bearer: nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(box), nil
}

// Good reports whether a nonce was made no longer than window ago. Another
// gate's clock may be ahead of ours, by window at most.
func (n Nonces) Good(nonce string, now time.Time, window time.Duration) bool {
	if nonce == "" || len(nonce) > maxNonce {
		return false
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil {
		return false
	}
	plain, err := n.Keys.OpenBox(session.PurposeProof, nonceName, box)
	if err != nil || len(plain) != 8 {
		return false
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	return within(made, now, window)
}

// within reports whether two moments are no further apart than window.
func within(t, now time.Time, window time.Duration) bool {
	return !t.Before(now.Add(-window)) && !t.After(now.Add(window))
}
