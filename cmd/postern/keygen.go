package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
)

// keyID is what the settings accept as the id of a key.
var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

func newKeygen() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key that seals sessions",
		Long: `Keygen prints a new key, 32 random bytes in base64, as openssl rand -base64 32
does. Put it where your secrets are, and name the variable that brings it to the
module in session.keys.

With --id it prints the whole entry for session.keys, in JSON, which YAML takes
too. Whoever can read the settings can read the key then.

To rotate: add the new key at the end of session.keys and restart every replica;
move it to the front and restart again; drop the old one after a session's
lifetime. The first key seals, all of them open.

It exits with 0, or with 2 if it was called wrongly.`,
		Example: "  export POSTERN_KEY=$(postern keygen)\n  postern keygen --id 2026-11",
		Args:    usageArgs(noArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text := newKey()
			if cmd.Flags().Changed("id") {
				var err error
				if text, err = keyEntry(id, text); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().StringVar(&id, "id", "", "print an entry for session.keys with this id")
	return cmd
}

// newKey is a new key as the settings take it.
func newKey() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the program instead
	return base64.StdEncoding.EncodeToString(key[:])
}

// keyEntry is a key as an entry of session.keys.
func keyEntry(id, key string) (string, error) {
	if !keyID.MatchString(id) {
		return "", usageError{fmt.Errorf("--id %q is not up to 32 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"", id)}
	}
	entry, err := json.Marshal(struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	}{id, key})
	return string(entry), err
}
