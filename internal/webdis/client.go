// Package webdis speaks to a Redis behind Webdis, its HTTP front: what several
// Envoys must know together, for those who want that.
//
// A command travels in the body of a POST, never in the path, so that no access
// log has it. It is made of words that need no encoding: keys and values of
// other letters are refused here. What comes back is believed only if it is
// whole, in the form that the command has, and marked as the answer to this
// very call.
//
// The package knows nothing of what is kept. Whoever can write to that Redis
// can lose a value, put an older one back, or invent one: values have to be
// sealed by the caller, with their key as associated data.
//
// A command without an answer may have been carried out all the same.
package webdis

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/postern-auth/postern/internal/config"
	"github.com/postern-auth/postern/internal/flow"
)

// What an error is about.
var (
	// ErrAway says that there was no answer, or none that can be believed.
	ErrAway = errors.New("no answer")
	// ErrRefused says that Webdis or Redis refused: the password, the command,
	// or what is kept under the key.
	ErrRefused = errors.New("refused")
)

// Limits, in bytes.
const (
	maxName  = 200
	maxValue = 64 << 10
)

// Client sends commands to one Webdis. It belongs to one thread.
type Client struct {
	cluster, prefix string
	authorization   config.Secret
	timeout         time.Duration
	calls           uint64
}

// New returns a client for checked settings.
func New(s *config.Webdis) *Client {
	c := &Client{cluster: s.Cluster, prefix: s.Prefix + ":", timeout: s.Timeout.Std()}
	if s.Password.IsSet() {
		userinfo := s.User + ":" + s.Password.Reveal()
		c.authorization = config.NewSecret("Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo)))
	}
	return c
}

// SetNX sets a key that is not there, and reports whether it did.
func (c *Client) SetNX(env flow.Env, key, value string, ttl time.Duration) (ok bool, err error) {
	return c.set(env, key, value, ttl, "NX")
}

// Set sets a key, whatever it was.
func (c *Client) Set(env flow.Env, key, value string, ttl time.Duration) error {
	ok, err := c.set(env, key, value, ttl)
	if err == nil && !ok {
		err = away("SET", "answer malformed")
	}
	return err
}

func (c *Client) set(env flow.Env, key, value string, ttl time.Duration, condition ...string) (ok bool, err error) {
	if err := c.check("SET", key, value, maxValue); err != nil {
		return false, err
	}
	// Redis has no time to live of nothing, and one that was meant to be short
	// must not become for ever.
	px := strconv.FormatInt(max(ttl.Milliseconds(), 1), 10)
	a, err := c.do(env, 0, append([]string{"SET", c.prefix + key, value, "PX", px}, condition...)...)
	if err != nil {
		return false, err
	}
	return a.status()
}

// Get returns what is kept under a key, and whether anything is.
func (c *Client) Get(env flow.Env, key string) (value string, found bool, err error) {
	if err := c.check("GET", key, "-", maxValue); err != nil {
		return "", false, err
	}
	a, err := c.do(env, maxValue, "GET", c.prefix+key)
	if err != nil {
		return "", false, err
	}
	return a.text(maxValue)
}

// Delete removes a key. One that is not there is no error.
func (c *Client) Delete(env flow.Env, key string) error {
	if err := c.check("DEL", key, "-", maxValue); err != nil {
		return err
	}
	a, err := c.do(env, 0, "DEL", c.prefix+key)
	if err != nil {
		return err
	}
	_, err = a.integer()
	return err
}

// check refuses words that could be read as anything but one word: a slash
// begins the next, a plus sign becomes a blank, a percent sign begins an
// escape, and what follows a dot in the last word is taken for the format.
func (c *Client) check(verb, key, value string, most int) error {
	if !only(key, maxName, func(b byte) bool { return 'a' <= b && b <= 'z' || digit(b) || b == ':' || b == '_' || b == '-' }) {
		return refused(verb, "key not of a-z, 0-9, colon, _ and -")
	}
	if !valid(value, most) {
		return refused(verb, "value not of base64url, or too long")
	}
	return nil
}

// valid says whether a value is of the base64url alphabet, and not too long.
func valid(value string, most int) bool {
	return only(value, most, func(b byte) bool {
		return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || digit(b) || b == '_' || b == '-'
	})
}

func only(s string, most int, accepted func(byte) bool) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !accepted(s[i]) {
			return false
		}
	}
	return true
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// Errors say what happened, never what was sent or kept.
func away(verb, reason string) error { return fmt.Errorf("webdis: %s: %w: %s", verb, ErrAway, reason) }
func refused(verb, reason string) error {
	return fmt.Errorf("webdis: %s: %w: %s", verb, ErrRefused, reason)
}
