package bearer

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/session"
)

func nonces(t *testing.T, ids ...string) Nonces {
	t.Helper()
	var keys []session.Key
	for _, id := range ids {
		keys = append(keys, session.Key{ID: id, Secret: bytes.Repeat([]byte(id), 32)})
	}
	ring, err := session.NewKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	return Nonces{Keys: ring, Random: rand.Reader}
}

func newNonce(t *testing.T, n Nonces) string {
	t.Helper()
	nonce, err := n.New(proofNow)
	if err != nil {
		t.Fatal(err)
	}
	return nonce
}

func TestANonceIsGoodForItsWindowAndOnEveryGateWithItsKey(t *testing.T) {
	n := nonces(t, "a")
	nonce := newNonce(t, n)
	for name, c := range map[string]struct {
		nonces Nonces
		after  time.Duration
		good   bool
	}{
		"at once":                           {n, 0, true},
		"at the end of its window":          {n, time.Minute, true},
		"past its window":                   {n, time.Minute + time.Millisecond, false},
		"by a clock that is a little slow":  {n, -time.Minute, true},
		"by a clock that is too slow":       {n, -time.Minute - time.Millisecond, false},
		"after the key that seals changed":  {nonces(t, "b", "a"), 0, true},
		"after the key was withdrawn":       {nonces(t, "b"), 0, false},
		"on another gate with the same key": {nonces(t, "a"), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.nonces.Good(nonce, proofNow.Add(c.after), time.Minute); got != c.good {
				t.Errorf("good: %t", got)
			}
		})
	}
	if newNonce(t, n) == nonce {
		t.Error("two nonces are the same")
	}
}

func TestAForgedNonceIsNotGood(t *testing.T) {
	n := nonces(t, "a")
	nonce := newNonce(t, n)
	other, err := n.Keys.SealBox(session.PurposeShared, nonceName, make([]byte, 8), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := n.Keys.SealBox(session.PurposeProof, nonceName, make([]byte, 7), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	for name, forged := range map[string]string{
		"nothing":                     "",
		"rubbish":                     "rubbish",
		"no base64":                   "%%",
		"an altered one":              "B" + nonce[1:],
		"one with something after it": nonce + "A",
		"what was sealed otherwise":   b64(other),
		"too short a time":            b64(short),
		"a very long one":             strings.Repeat("A", maxNonce+1),
	} {
		if n.Good(forged, proofNow, 100*365*24*time.Hour) {
			t.Errorf("%s is good", name)
		}
	}
}

func TestWithoutRandomnessThereIsNoNonce(t *testing.T) {
	n := nonces(t, "a")
	n.Random = strings.NewReader("")
	if nonce, err := n.New(proofNow); err == nil {
		t.Errorf("got %q", nonce)
	}
}
