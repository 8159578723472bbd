package session

import (
	"hash/maphash"
	"strings"
)

// Cache remembers what cookies opened to, so that a cookie seen before costs
// no cryptography. It is bounded in bytes: when the young half is full it
// becomes the old half, and the old half is forgotten; what is used moves back
// to the young one. Only values that opened are ever put in, so that failures
// push nothing out. It is used from one thread.
type Cache[V any] struct {
	seed       maphash.Seed
	half       int // bytes that one half may hold
	size       int // bytes in young
	young, old map[uint64]*cached[V]
}

type cached[V any] struct {
	chunks Chunks
	bytes  int
	value  V
}

// entryOverhead is about what an entry costs beside the cookie's own bytes and
// what it opened to.
const entryOverhead = 512

// NewCache returns a cache of at most the given number of bytes.
func NewCache[V any](bytes int) *Cache[V] {
	return &Cache[V]{seed: maphash.MakeSeed(), half: bytes / 2, young: map[uint64]*cached[V]{}}
}

// Get returns what the exact value opened to.
func (c *Cache[V]) Get(k *Chunks) (value V, ok bool) {
	h := c.hash(k)
	if e := c.young[h]; e != nil && equal(&e.chunks, k) {
		return e.value, true
	}
	if e := c.old[h]; e != nil && equal(&e.chunks, k) {
		delete(c.old, h)
		c.put(h, e)
		return e.value, true
	}
	return value, false
}

// Put remembers what a value opened to; bytes is about what it takes beside
// the cookie itself.
func (c *Cache[V]) Put(k *Chunks, value V, bytes int) {
	e := &cached[V]{value: value, bytes: bytes + entryOverhead}
	e.chunks.n = k.n
	for i, part := range k.parts[:k.n] {
		e.chunks.parts[i] = strings.Clone(part)
		e.bytes += len(part)
	}
	c.put(c.hash(k), e)
}

// Forget removes a value.
func (c *Cache[V]) Forget(k *Chunks) {
	h := c.hash(k)
	if e := c.young[h]; e != nil && equal(&e.chunks, k) {
		c.size -= e.bytes
		delete(c.young, h)
	}
	if e := c.old[h]; e != nil && equal(&e.chunks, k) {
		delete(c.old, h)
	}
}

func (c *Cache[V]) put(h uint64, e *cached[V]) {
	if e.bytes > c.half {
		return
	}
	if c.size+e.bytes > c.half {
		c.old, c.young, c.size = c.young, map[uint64]*cached[V]{}, 0
	}
	if before := c.young[h]; before != nil {
		c.size -= before.bytes
	}
	c.young[h] = e
	c.size += e.bytes
}

// tail is how much of each part the hash looks at: the end of a sealed value
// is its authentication tag, which no two values share but by chance. Whoever
// makes up a value with the same end misses the cache, as equal decides.
const tail = 24

func (c *Cache[V]) hash(k *Chunks) uint64 {
	h := uint64(k.n)
	for _, part := range k.parts[:k.n] {
		h = h*0x9E3779B97F4A7C15 + maphash.String(c.seed, part[max(0, len(part)-tail):])
	}
	return h
}

// equal compares the values in full.
func equal(a, b *Chunks) bool {
	if a.n != b.n {
		return false
	}
	for i := range a.n {
		if !equalStrings(a.parts[i], b.parts[i]) {
			return false
		}
	}
	return true
}

// equalStrings is a == b for long strings. In WebAssembly the language's own
// comparison goes byte by byte, which for a session takes six times as long.
func equalStrings(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for len(a) >= 32 && len(b) >= 32 {
		if word(a) != word(b) || word(a[8:]) != word(b[8:]) || word(a[16:]) != word(b[16:]) || word(a[24:]) != word(b[24:]) {
			return false
		}
		a, b = a[32:], b[32:]
	}
	return a == b
}

// word is one load of eight bytes once it is compiled.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
