package config

import "crypto"

// ClientKey is a private key of this gate's. It is never printed.
type ClientKey struct {
	secret Secret
	signer crypto.Signer
	id     string
}

// Signer returns the key, or nil where there is none.
func (k ClientKey) Signer() crypto.Signer { return k.signer }

// ID returns the name that a JSON Web Key gives itself, or "".
func (k ClientKey) ID() string { return k.id }

// IsSet says whether there is a key.
func (k ClientKey) IsSet() bool { return k.secret.IsSet() }

func (k *ClientKey) decode(r *reader, path string, n *node) {
	k.secret.decode(r, path, n)
}
