package wazerohost

import (
	"io"
	"slices"
	"sync"
)

// message is what has left the filter in one direction. The worker's loop writes
// it, other goroutines read it; the stream's lock guards it.
type message struct {
	mu   *sync.Mutex
	cond *sync.Cond

	headers  [][2]string
	started  bool
	body     []byte // all of it, for scripted tests
	unread   int    // where Read goes on
	trailers [][2]string
	ended    bool
	broken   bool // the stream ended before the message did
	discard  bool // Read drops what it has handed out
}

// setHeaders reports whether they are new.
func (m *message) setHeaders(headers [][2]string, end bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started {
		return false
	}
	m.headers, m.started, m.ended = headers, true, end
	m.cond.Broadcast()
	return true
}

func (m *message) addData(part []byte, end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.broken {
		m.body = append(m.body, part...)
	}
	m.ended = m.ended || end
	m.cond.Broadcast()
}

func (m *message) addTrailers(trailers *headerMap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trailers, m.ended = trailers.clone(), true
	m.cond.Broadcast()
}

// abort tells readers that no more will come.
func (m *message) abort() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = m.broken || !m.ended
	m.cond.Broadcast()
}

func (m *message) isStarted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.started
}

func (m *message) isEnded() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
}

// isSpent reports that nothing is left to read: the message may have ended with a
// body that nobody has read yet.
func (m *message) isSpent() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended && m.unread == len(m.body)
}

// waitHeaders blocks until the headers are there or will never be.
func (m *message) waitHeaders() ([][2]string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.started && !m.broken {
		m.cond.Wait()
	}
	return slices.Clone(m.headers), m.started
}

// Read gives the body as it comes and forgets what it gave, if told to.
func (m *message) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.unread == len(m.body) && !m.ended && !m.broken {
		m.cond.Wait()
	}
	if m.unread == len(m.body) {
		if m.ended {
			return 0, io.EOF
		}
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, m.body[m.unread:])
	m.unread += n
	if m.discard && m.unread == len(m.body) {
		m.body, m.unread = m.body[:0], 0
	}
	m.cond.Broadcast()
	return n, nil
}

// Close lets the writer go on when the reader has had enough.
func (m *message) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = true
	m.cond.Broadcast()
	return nil
}

// waitBelow blocks until less than n bytes are unread, or nobody will read on.
func (m *message) waitBelow(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.body)-m.unread >= n && !m.broken {
		m.cond.Wait()
	}
}
