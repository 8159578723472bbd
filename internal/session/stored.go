package session

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/go-jose/go-jose/v4/json"
)

// Stored is the ticket for a session that is kept in a store. What is there is
// sealed under a key made of the gate's key and the ticket's secret: neither
// the store nor a ticket alone is enough to read it, and whoever can write to
// the store can invent no session.
type Stored struct {
	id         [16]byte
	secret     [32]byte
	generation uint32
}

// NewStored returns the ticket for a new session.
func NewStored(random io.Reader) (t Stored, err error) {
	for _, b := range [][]byte{t.id[:], t.secret[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return t, fmt.Errorf("session: ticket: %w", err)
		}
	}
	return t, nil
}

// Of returns the ticket for a generation of the same session.
func (t Stored) Of(generation int) Stored {
	t.generation = uint32(generation)
	return t
}

const (
	// storedBytes is the size of a ticket before it is encoded, with its mark.
	storedBytes = 16 + 32 + 4 + markBytes
	// markBytes is the size of the mark by which a gate knows its own tickets:
	// one that somebody made up is refused without asking the store.
	markBytes = 16
)

// String never shows a ticket.
func (Stored) String() string { return "ticket(redacted)" }

// GoString never shows a ticket.
func (Stored) GoString() string { return "ticket(redacted)" }

// StoredParts returns a ticket as the value of the session's one cookie.
func (r *Keyring) StoredParts(t Stored) ([]string, error) {
	plain := t.bytes()
	mark, err := r.derive(r.order[0], purposeStored, plain)
	if err != nil {
		return nil, err
	}
	return []string{string(ticketMark) + "." + base64.RawURLEncoding.EncodeToString(append(plain, mark[:markBytes]...))}, nil
}

func (t *Stored) bytes() []byte {
	b := append(append(make([]byte, 0, storedBytes), t.id[:]...), t.secret[:]...)
	return binary.BigEndian.AppendUint32(b, t.generation)
}

// ParseStored reads a ticket that StoredParts made with one of the keys.
func (r *Keyring) ParseStored(ticket string) (t Stored, err error) {
	if len(ticket) != base64.RawURLEncoding.EncodedLen(storedBytes) {
		return t, ErrSealed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(b) != storedBytes {
		return t, ErrSealed
	}
	plain, mark := b[:storedBytes-markBytes], b[storedBytes-markBytes:]
	for _, id := range r.order {
		want, err := r.derive(id, purposeStored, plain)
		if err == nil && hmac.Equal(mark, want[:markBytes]) {
			t.id, t.secret = [16]byte(b), [32]byte(b[16:])
			t.generation = binary.BigEndian.Uint32(b[48:])
			return t, nil
		}
	}
	return t, ErrSealed
}

// Name returns the name of the session in the store: it tells nothing of the
// ticket.
func (t Stored) Name() string {
	sum := sha256.Sum256(t.id[:])
	return hex.EncodeToString(sum[:16]) + ":" + strconv.FormatUint(uint64(t.generation), 10)
}

// SealStored seals a session for the store.
func (r *Keyring) SealStored(t Stored, s *Session, random io.Reader) (string, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	own, err := r.own(t, r.order[0])
	if err != nil {
		return "", err
	}
	box, err := own.SealBox(PurposeStore, t.Name(), plain, random)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(box), nil
}

// OpenStored opens what SealStored returned for the same ticket.
func (r *Keyring) OpenStored(t Stored, sealed string) (*Session, error) {
	box, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, ErrSealed
	}
	keyID, _ := splitBox(box)
	own, err := r.own(t, keyID)
	if err != nil {
		return nil, err
	}
	plain, err := own.OpenBox(PurposeStore, t.Name(), box)
	if err != nil {
		return nil, ErrSealed
	}
	var s Session
	if err := json.Unmarshal(plain, &s); err != nil || s.Generation != int(t.generation) {
		return nil, ErrSealed
	}
	s.keyID, s.ticket = keyID, &t
	return &s, nil
}

// own returns a keyring of one key, for what a ticket is for alone.
func (r *Keyring) own(t Stored, keyID string) (*Keyring, error) {
	keys, ok := r.keys[keyID]
	if !ok {
		return nil, ErrSealed
	}
	key, err := hkdf.Key(sha256.New, keys[PurposeStore], t.secret[:], "postern/1/ticket/"+string(t.id[:]), 32)
	if err != nil {
		return nil, fmt.Errorf("session: ticket: %w", err)
	}
	return &Keyring{
		order: []string{keyID}, keys: map[string]map[Purpose][]byte{keyID: {PurposeStore: key}}, ciphers: map[boxKey]cipher.AEAD{},
	}, nil
}
