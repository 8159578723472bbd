package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"slices"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
)

// standIns throw in a secret for each variable that the settings name and that is
// not set here: whoever tries settings out on a laptop has no secrets, and needs
// none, since nobody is shown them.
type standIns struct {
	keys map[string]string // variables that hold a private key, to what it signs with
	used []string          // in the order in which they were asked for
}

// standInsFor looks up which variables hold a private key. Whatever else is
// wrong with the settings is for their parser to say.
func standInsFor(settings []byte) *standIns {
	var s struct {
		Providers []struct {
			Key       struct{ Env string } `json:"client_key"`
			Algorithm string               `json:"client_key_algorithm"`
		}
	}
	in := &standIns{keys: map[string]string{}}
	_ = json.Unmarshal(settings, &s)
	for _, p := range s.Providers {
		if p.Key.Env != "" {
			in.keys[p.Key.Env] = p.Algorithm
		}
	}
	return in
}

// lookup returns what is in a variable, or what is thrown in for it.
func (in *standIns) lookup(name string) (string, bool) {
	if value, set := os.LookupEnv(name); set {
		return value, true
	}
	if !slices.Contains(in.used, name) {
		in.used = append(in.used, name)
	}
	if algorithm, is := in.keys[name]; is {
		return privateKey(algorithm), true
	}
	return newKey(), true
}

// privateKey makes a key that signs with an algorithm, in PEM.
func privateKey(algorithm string) string {
	key, err := tryout.NewKey(algorithm)
	if err != nil {
		return ""
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
