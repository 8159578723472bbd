package session

import (
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Key is one key of a keyring: 32 bytes or more of key material under an id.
type Key struct {
	ID     string
	Secret []byte
}

// Purpose names what a sealed value or a derived secret is for. Each has a key
// of its own, so that a value sealed for one purpose never opens for another.
type Purpose string

// The purposes in use. Their names are part of what is sealed: to change one
// is to void every value of that purpose.
const (
	PurposeSession  Purpose = "session"
	PurposeBinding  Purpose = "binding"
	PurposeState    Purpose = "state"
	PurposeStart    Purpose = "start"
	PurposeTicket   Purpose = "ticket"
	PurposeSignOut  Purpose = "sign-out"
	PurposeNeed     Purpose = "need"
	PurposeShared   Purpose = "shared" // what the workers of a gate share
	PurposeStore    Purpose = "store"  // what several gates share
	PurposeProof    Purpose = "proof"  // what a proof of possession has to repeat
	PurposeForm     Purpose = "form"   // what was to be posted when nobody was signed in
	purposeVerifier Purpose = "pkce-verifier"
	purposeNonce    Purpose = "nonce"
	purposeStored   Purpose = "stored-ticket" // the mark of a ticket for a stored session
	purposeSigning  Purpose = "signing"       // the keys by which applications are told
	purposeBound    Purpose = "token-binding" // the keys that access tokens are bound to
)

// ErrSealed says that a value was not sealed by this keyring for this purpose,
// or was altered since. It says no more, to nobody.
var ErrSealed = errors.New("session: value does not open")

// Keyring seals with its first key and opens with all.
type Keyring struct {
	order   []string
	keys    map[string]map[Purpose][]byte
	ciphers map[boxKey]cipher.AEAD       // of boxes, made when they are first needed
	bound   map[string]*ecdsa.PrivateKey // likewise, of tokens
}

// Current reports whether a key's id is that of the key that seals.
func (r *Keyring) Current(keyID string) bool { return keyID == r.order[0] }

// maxKeyID is the longest id that a box can name, in bytes.
const maxKeyID = 255

// NewKeyring derives the keys for each purpose by HKDF with SHA-256 (RFC 5869).
func NewKeyring(keys []Key) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("session: no keys")
	}
	ring := &Keyring{keys: map[string]map[Purpose][]byte{}, ciphers: map[boxKey]cipher.AEAD{}, bound: map[string]*ecdsa.PrivateKey{}}
	for _, k := range keys {
		if len(k.ID) == 0 || len(k.ID) > maxKeyID {
			return nil, fmt.Errorf("session: key %q: id not of 1 to %d bytes", k.ID, maxKeyID)
		}
		if len(k.Secret) < 32 {
			return nil, fmt.Errorf("session: key %q: shorter than 32 bytes", k.ID)
		}
		if _, dup := ring.keys[k.ID]; dup {
			return nil, fmt.Errorf("session: key %q: given twice", k.ID)
		}
		derived := map[Purpose][]byte{}
		for _, p := range []Purpose{
			PurposeSession, PurposeBinding, PurposeState, PurposeStart, PurposeTicket, PurposeSignOut, PurposeNeed, PurposeShared, PurposeStore, PurposeProof, PurposeForm,
			purposeVerifier, purposeNonce, purposeStored, purposeSigning, purposeBound,
		} {
			key, err := hkdf.Key(sha256.New, k.Secret, nil, "postern/1/"+string(p), 32)
			if err != nil {
				return nil, fmt.Errorf("session: key %q: %w", k.ID, err)
			}
			derived[p] = key
		}
		ring.order = append(ring.order, k.ID)
		ring.keys[k.ID] = derived
	}
	return ring, nil
}

// Seal encrypts plaintext for a purpose and returns a compact JWE (RFC 7516,
// dir and A256GCM) that names the key. With compress the plaintext is deflated
// first.
func (r *Keyring) Seal(p Purpose, plaintext []byte, compress bool) (string, error) {
	id := r.order[0]
	opts := (&jose.EncrypterOptions{}).WithType(jose.ContentType("postern-" + string(p)))
	if compress {
		opts.Compression = jose.DEFLATE
	}
	enc, err := jose.NewEncrypter(jose.A256GCM,
		jose.Recipient{Algorithm: jose.DIRECT, Key: r.keys[id][p], KeyID: id}, opts)
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	obj, err := enc.Encrypt(plaintext)
	if err != nil {
		return "", fmt.Errorf("session: seal: %w", err)
	}
	return obj.CompactSerialize()
}

// Open decrypts what Seal returned for the same purpose, and names the key it
// was sealed with. A value longer than limit bytes is refused unread.
func (r *Keyring) Open(p Purpose, sealed string, limit int) (plaintext []byte, keyID string, err error) {
	if len(sealed) > limit || !wellFormed(sealed) {
		return nil, "", ErrSealed
	}
	obj, err := jose.ParseEncryptedCompact(sealed,
		[]jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, "", ErrSealed
	}
	keyID = obj.Header.KeyID
	keys, ok := r.keys[keyID]
	if !ok {
		return nil, "", ErrSealed
	}
	plaintext, err = obj.Decrypt(keys[p])
	if err != nil {
		return nil, "", ErrSealed
	}
	return plaintext, keyID, nil
}

// maxHeader is the longest protected header that is looked at, encoded. Ours
// are about 110 bytes. The library reads it before anything is authenticated,
// and reads what it does not know by recursion: a few kilobytes of brackets
// would end the VM, for which Go's recover is no help.
const maxHeader = 256

// wellFormed reports whether a value could be one of Seal's: a short header, no
// encrypted key, which the library would pass over, and base64url that has but
// one spelling.
func wellFormed(sealed string) bool {
	parts := strings.SplitN(sealed, ".", 6)
	if len(parts) != 5 || len(parts[0]) > maxHeader || parts[1] != "" {
		return false
	}
	strict := base64.RawURLEncoding.Strict()
	for _, part := range parts {
		if strings.ContainsAny(part, "\r\n") {
			return false // which the decoder passes over
		}
		if _, err := strict.DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

// derive returns the HMAC with SHA-256, under the key of the given id and
// purpose, of the parts, each preceded by its length so that no two lists of
// parts share an encoding.
func (r *Keyring) derive(keyID string, p Purpose, parts ...[]byte) ([]byte, error) {
	keys, ok := r.keys[keyID]
	if !ok {
		return nil, ErrSealed
	}
	mac := hmac.New(sha256.New, keys[p])
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		mac.Write(n[:])
		mac.Write(part)
	}
	return mac.Sum(nil), nil
}
