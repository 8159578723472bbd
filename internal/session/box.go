package session

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
)

// A box is what gates keep where others can reach it, beside browsers: the
// length of the key's id, the id, a nonce, and the plaintext under AES-256-GCM
// with a name as associated data, so that it opens under that name alone.

// nonceBytes is the length of a box's nonce, which is random. One key seals
// far fewer than the 2^32 boxes that this allows (NIST SP 800-38D, section 8.3).
const nonceBytes = 12

// SealBox seals plaintext for a purpose under a name.
func (r *Keyring) SealBox(p Purpose, name string, plaintext []byte, random io.Reader) ([]byte, error) {
	id := r.order[0]
	box := append(make([]byte, 0, 1+len(id)+nonceBytes+len(plaintext)+16), byte(len(id)))
	box = append(box, id...)
	nonce := box[len(box) : len(box)+nonceBytes]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("session: seal: %w", err)
	}
	return r.boxes(id, p).Seal(box[:len(box)+nonceBytes], nonce, plaintext, []byte(name)), nil
}

// OpenBox opens what SealBox returned for the same purpose and name.
func (r *Keyring) OpenBox(p Purpose, name string, box []byte) ([]byte, error) {
	id, rest := splitBox(box)
	aead := r.boxes(id, p)
	if aead == nil || len(rest) < nonceBytes {
		return nil, ErrSealed
	}
	plaintext, err := aead.Open(nil, rest[:nonceBytes], rest[nonceBytes:], []byte(name))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// splitBox returns the id of the key that a box says it was sealed with, and
// what follows it. The id of what is too short to be a box is "", which is no
// key's.
func splitBox(box []byte) (keyID string, rest []byte) {
	if len(box) == 0 || len(box) < 1+int(box[0]) {
		return "", nil
	}
	end := 1 + int(box[0])
	return string(box[1:end]), box[end:]
}

// SealedByFirst reports whether a box was sealed with the key that seals now.
func (r *Keyring) SealedByFirst(box []byte) bool {
	id, _ := splitBox(box)
	return id == r.order[0]
}

// SealedByOther reports whether a box says that it was sealed with a key that
// is not in the keyring, as one of a gate with newer keys may be.
func (r *Keyring) SealedByOther(box []byte) bool {
	id, _ := splitBox(box)
	return id != "" && r.keys[id] == nil
}

// boxes returns the cipher of a key and purpose, or nil for a key that is not
// known.
func (r *Keyring) boxes(id string, p Purpose) cipher.AEAD {
	keys, ok := r.keys[id]
	if !ok {
		return nil
	}
	of := boxKey{id, p}
	if aead, ok := r.ciphers[of]; ok {
		return aead
	}
	block, err := aes.NewCipher(keys[p])
	if err != nil {
		return nil // not with a key of 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil // nor with AES
	}
	r.ciphers[of] = aead
	return aead
}

type boxKey struct {
	id string
	p  Purpose
}
