package wazerohost

import (
	"slices"
	"strings"
)

// headerMap is a list of fields under Envoy's rules: names in lower case,
// pseudo-headers first, and some names that never have two entries.
type headerMap struct {
	pairs [][2]string
}

func newHeaderMap(pairs [][2]string) *headerMap {
	m := &headerMap{}
	for _, p := range pairs {
		m.add(p[0], p[1])
	}
	return m
}

// singleEntry lists names which Envoy keeps in one slot: adding a second value
// appends it to the first with a comma.
var singleEntry = map[string]bool{
	":authority": true, ":method": true, ":path": true, ":scheme": true, ":status": true,
	"authorization": true, "content-length": true, "content-type": true,
	"location": true, "user-agent": true, "x-forwarded-proto": true, "x-request-id": true,
}

func (m *headerMap) add(name, value string) {
	name = strings.ToLower(name)
	if singleEntry[name] {
		if i := m.index(name); i >= 0 {
			m.pairs[i][1] = joinNonEmpty(m.pairs[i][1], value)
			return
		}
	}
	at := len(m.pairs)
	if strings.HasPrefix(name, ":") {
		at = m.pseudoCount()
	}
	m.pairs = slices.Insert(m.pairs, at, [2]string{name, value})
}

func joinNonEmpty(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "," + b
}

func (m *headerMap) pseudoCount() int {
	for i, p := range m.pairs {
		if !strings.HasPrefix(p[0], ":") {
			return i
		}
	}
	return len(m.pairs)
}

// index finds the first entry under a name that is in lower case already.
func (m *headerMap) index(name string) int {
	return slices.IndexFunc(m.pairs, func(p [2]string) bool { return p[0] == name })
}

// get is the first value only, as in Envoy (proxy-wasm spec issue 53); an absent
// map has none.
func (m *headerMap) get(name string) (string, bool) {
	if m == nil {
		return "", false
	}
	i := m.index(strings.ToLower(name))
	if i < 0 {
		return "", false
	}
	return m.pairs[i][1], true
}

func (m *headerMap) value(name string) string {
	v, _ := m.get(name)
	return v
}

// set leaves one entry with this value.
func (m *headerMap) set(name, value string) {
	m.remove(name)
	m.add(name, value)
}

func (m *headerMap) remove(name string) {
	name = strings.ToLower(name)
	m.pairs = slices.DeleteFunc(m.pairs, func(p [2]string) bool { return p[0] == name })
}

// size is the number of fields; a nil map has none.
func (m *headerMap) size() int {
	if m == nil {
		return 0
	}
	return len(m.pairs)
}

func (m *headerMap) byteSize() int {
	n := 0
	for _, p := range m.pairs {
		n += len(p[0]) + len(p[1])
	}
	return n
}

// clone is a copy of the pairs that later edits do not reach.
func (m *headerMap) clone() [][2]string {
	if m == nil {
		return nil
	}
	return slices.Clone(m.pairs)
}
