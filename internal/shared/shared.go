// Package shared is what all workers of one Envoy know together: which
// refreshes are under way and what came of them, which sessions were ended,
// what a provider answered to a question that any of them may have, and which
// ids were used that are good once.
//
// It is kept in a fixed number of slots of the host's shared memory, which has
// neither deletion nor expiry. That memory is not private: any other plugin of
// the process may read and write it. So everything in it is sealed, with the
// slot's name as associated data, and what does not open is treated as absent.
// What a hostile neighbour can still do is to put an older value back.
//
// The package reads no clock but what it is handed.
package shared

import (
	"maps"
	"slices"
	"sync"
)

// Memory is the host's shared memory: values by name, guarded by
// compare-and-set.
type Memory interface {
	// Get returns a value and the number to change it with; ok is false where
	// there is none.
	Get(name string) (value []byte, cas uint32, ok bool)
	// Set stores a value if cas is still its number; 0 is for a name that has
	// no value yet. It reports whether it did: if not, another was first.
	Set(name string, value []byte, cas uint32) bool
}

// Signal is a number that every worker sees as soon as one of them raises it.
type Signal interface {
	// Raise changes the number.
	Raise()
	// Level returns the number.
	Level() uint64
}

// Local is a Memory and a Signal within one process of Go code: for tests and
// command-line tools.
type Local struct {
	mu     sync.Mutex
	values map[string]cell
	cas    uint32
	level  uint64
}

type cell struct {
	value []byte
	cas   uint32
}

// NewLocal returns an empty memory.
func NewLocal() *Local { return &Local{values: map[string]cell{}} }

// Get implements Memory.
func (l *Local) Get(name string) (value []byte, cas uint32, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.values[name]
	return append([]byte(nil), c.value...), c.cas, ok
}

// Set implements Memory.
func (l *Local) Set(name string, value []byte, cas uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.values[name]; ok && c.cas != cas {
		return false
	}
	l.cas++
	l.values[name] = cell{append([]byte(nil), value...), l.cas}
	return true
}

// Names returns the names that have a value, in no order.
func (l *Local) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.values))
}

// Raise implements Signal.
func (l *Local) Raise() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level++
}

// Level implements Signal.
func (l *Local) Level() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}
