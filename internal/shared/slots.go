package shared

import (
	"crypto/sha256"
	"encoding/base64"
	"io"

	"github.com/postern-auth/postern/internal/session"
)

// Sealer is what a shared memory is opened with.
type Sealer struct {
	Memory Memory
	Keys   *session.Keyring
	Random io.Reader
	// Scope names whose memory this is: gates with the same scope share it.
	Scope []string
}

// slots are sealed values of a shared memory.
type slots struct {
	Sealer
	prefix string
}

func newSlots(s Sealer) slots {
	return slots{s, "postern/" + base64.RawURLEncoding.EncodeToString(s.ScopeHash()) + "/"}
}

// ScopeHash returns nine bytes that stand for the scope, whose parts cannot run
// into each other.
func (s Sealer) ScopeHash() []byte {
	h := sha256.New()
	for _, part := range s.Scope {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return h.Sum(nil)[:9]
}

// read opens a slot. Where it holds something that does not open, plain is nil
// and cas still is what replaces it. What an older key sealed is sealed anew, so
// that it can be read when that key has gone.
func (s *slots) read(name string) (plain []byte, cas uint32, there bool) {
	box, cas, there := s.Memory.Get(s.prefix + name)
	if !there {
		return nil, 0, false
	}
	plain, err := s.Keys.OpenBox(session.PurposeShared, s.prefix+name, box)
	if err != nil {
		return nil, cas, true
	}
	if !s.Keys.SealedByFirst(box) && s.write(name, plain, cas) {
		_, cas, _ = s.Memory.Get(s.prefix + name)
	}
	return plain, cas, true
}

// foreign reports whether a slot was sealed with a key that we do not have: by
// a configuration that took our place, while our last requests go on.
func (s *slots) foreign(name string) bool {
	box, _, _ := s.Memory.Get(s.prefix + name)
	return s.Keys.SealedByOther(box)
}

// write seals a slot and reports whether nobody else was first.
func (s *slots) write(name string, plain []byte, cas uint32) bool {
	box, err := s.Keys.SealBox(session.PurposeShared, s.prefix+name, plain, s.Random)
	return err == nil && s.Memory.Set(s.prefix+name, box, cas)
}

// attempts is how often a change is tried while others change the same slot.
// Each failed one means that another succeeded.
const attempts = 64
