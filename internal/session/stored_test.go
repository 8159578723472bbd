package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
)

func TestAGateKnowsItsOwnTicketsForStoredSessions(t *testing.T) {
	now, old := Key{ID: "new", Secret: bytes.Repeat([]byte{1}, 32)}, Key{ID: "old", Secret: bytes.Repeat([]byte{2}, 32)}
	ring := func(keys ...Key) *Keyring {
		r, err := NewKeyring(keys)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ticket, err := NewStored(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ticket = ticket.Of(7)
	parts, err := ring(old).StoredParts(ticket)
	if err != nil || len(parts) != 1 || len(parts[0]) > 100 {
		t.Fatalf("%d bytes, %v", len(parts[0]), err)
	}
	value := parts[0][2:]
	if got, err := ring(now, old).ParseStored(value); err != nil || got != ticket {
		t.Errorf("with a key that is no longer the first: %v", err)
	}
	if _, err := ring(now).ParseStored(value); !errors.Is(err, ErrSealed) {
		t.Errorf("without its key: %v", err)
	}
	for i := range value {
		altered := []byte(value)
		altered[i] ^= 1
		if _, err := ring(old).ParseStored(string(altered)); !errors.Is(err, ErrSealed) {
			t.Errorf("with letter %d altered: %v", i, err)
		}
	}
	for _, other := range []string{"", value[:len(value)-1], value + "A"} {
		if _, err := ring(old).ParseStored(other); !errors.Is(err, ErrSealed) {
			t.Errorf("of %d letters: %v", len(other), err)
		}
	}
}
