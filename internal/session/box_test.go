package session

import (
	"bytes"
	"crypto/rand"
	"testing"
)

func TestABoxOpensUnderItsOwnNamePurposeAndKeyAlone(t *testing.T) {
	old := Key{"old", bytes.Repeat([]byte{1}, 32)}
	fresh := Key{"new", bytes.Repeat([]byte{2}, 32)}
	ring, err := NewKeyring([]Key{old})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := NewKeyring([]Key{fresh, old})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKeyring([]Key{fresh})
	if err != nil {
		t.Fatal(err)
	}
	box, err := ring.SealBox(PurposeShared, "slot/1", []byte("plain"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(box)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		ring  *Keyring
		p     Purpose
		name  string
		box   []byte
		opens bool
	}{
		"as it was sealed":           {ring, PurposeShared, "slot/1", box, true},
		"after the keys were turned": {rotated, PurposeShared, "slot/1", box, true},
		"another name":               {ring, PurposeShared, "slot/2", box, false},
		"another purpose":            {ring, PurposeStore, "slot/1", box, false},
		"a key that is gone":         {other, PurposeShared, "slot/1", box, false},
		"altered":                    {ring, PurposeShared, "slot/1", flipped, false},
		"cut":                        {ring, PurposeShared, "slot/1", box[:len(box)-1], false},
		"cut within the key's id":    {ring, PurposeShared, "slot/1", box[:2], false},
		"cut within the nonce":       {ring, PurposeShared, "slot/1", box[:9], false},
		"empty":                      {ring, PurposeShared, "slot/1", nil, false},
		"a length beyond the end":    {ring, PurposeShared, "slot/1", []byte{255, 1}, false},
		"the longest length":         {ring, PurposeShared, "slot/1", bytes.Repeat([]byte{255}, 300), false},
	} {
		t.Run(name, func(t *testing.T) {
			_ = c.ring.SealedByFirst(c.box) || c.ring.SealedByOther(c.box) // neither panics
			plain, err := c.ring.OpenBox(c.p, c.name, c.box)
			if opens := err == nil; opens != c.opens {
				t.Fatalf("opens: %v", opens)
			}
			if c.opens && string(plain) != "plain" {
				t.Errorf("opened to %q", plain)
			}
		})
	}
	if bytes.Contains(box, []byte("plain")) {
		t.Error("the box shows its content")
	}
}
