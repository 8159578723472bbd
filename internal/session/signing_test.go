package session

import (
	"bytes"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"testing"
)

func TestASigningKeyIsDerivedFromEachKeyOfTheRingInOrder(t *testing.T) {
	one, err := ring(t, key("a", 1), key("b", 2)).SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ring(t, key("other-id", 2), key("a", 1)).SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	if len(one) != 2 || !one[0].Equal(other[1]) || !one[1].Equal(other[0]) || one[0].Equal(one[1]) {
		t.Error("not one key for each secret, whatever its id and its place")
	}
}

// Applications keep keys that were published, so the derivation is not to
// change. The expected key is reckoned here by the specifications' words alone.
func TestASigningKeyIsWhatTheSpecificationsSay(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 32)
	master, err := hkdf.Key(sha256.New, secret, nil, "postern/1/signing", 32)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := hkdf.Expand(sha256.New, master, "es256", 48)
	if err != nil {
		t.Fatal(err)
	}
	// FIPS 186-5, A.2.1: d = (c mod (n-1)) + 1.
	d := new(big.Int).SetBytes(wide)
	d.Mod(d, new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(1)))
	d.Add(d, big.NewInt(1))
	keys, err := ring(t, key("a", 1)).SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys[0].Bytes()
	if err != nil || !bytes.Equal(got, d.FillBytes(make([]byte, 32))) {
		t.Errorf("the key differs from the specifications': %v", err)
	}
	const published = "61e58c821dd962118be507745546c9d4"
	public, err := keys[0].PublicKey.Bytes()
	if err != nil || hex.EncodeToString(public[1:17]) != published {
		t.Errorf("the public key begins with %x: %v", public[1:17], err)
	}
}

func TestTokensAreBoundToAKeyOfTheirOwnForEachKeyOfTheRing(t *testing.T) {
	r := ring(t, key("a", 1), key("b", 2))
	keys := ProofKeys{r}
	signing, err := r.SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	a, b := keys.Key("a"), keys.Key("b")
	switch {
	case keys.Current() != "a" || a == nil || b == nil || a.Equal(b):
		t.Error("not one key for each of the ring's, the first one's the current")
	case a.Equal(signing[0]):
		t.Error("a token is bound to the key by which applications are told")
	case keys.Key("a") != a || keys.Key("c") != nil:
		t.Error("a key is made anew, or for an id that there is not")
	}
	if again := (ProofKeys{ring(t, key("b", 2), key("a", 1))}).Key("a"); !again.Equal(a) {
		t.Error("another gate with the same keys has another one")
	}
}
