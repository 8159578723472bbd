package e2e

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// Where the application has its streams.
const (
	socketPath = "/socket"
	eventsPath = "/events"
)

// serveSocket speaks as much of RFC 6455 as it takes to hold a WebSocket open
// and to send short texts back.
func serveSocket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		http.Error(w, "a WebSocket only", http.StatusUpgradeRequired)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	for {
		text, err := readText(buffered)
		if err != nil {
			return
		}
		if _, err := conn.Write(append([]byte{0x81, byte(len(text))}, text...)); err != nil {
			return
		}
	}
}

// acceptKey is RFC 6455, section 4.2.2.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// readText reads a frame that holds a short text, masked or not.
func readText(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length, masked := head[1]&0x7f, head[1]&0x80 != 0
	if head[0] != 0x81 || length > 125 {
		return nil, errors.New("e2e: not a short text")
	}
	var mask [4]byte
	if masked {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return nil, err
		}
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	for i := range text {
		text[i] ^= mask[i%4]
	}
	return text, nil
}

func serveEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: hello\n\n")
	if http.NewResponseController(w).Flush() != nil {
		return
	}
	<-r.Context().Done()
}

// Stream is an answer that stays open.
type Stream struct {
	conn net.Conn
	read *bufio.Reader
}

// OpenSocket opens the application's WebSocket with the browser's session.
func (g *Gate) OpenSocket(t testing.TB, b *Browser) *Stream {
	t.Helper()
	return g.openStream(t, b, socketPath, http.StatusSwitchingProtocols,
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-Fetch-Mode: websocket", "Sec-Fetch-Dest: empty")
}

// OpenEvents opens the application's event stream with the browser's session.
func (g *Gate) OpenEvents(t testing.TB, b *Browser) *Stream {
	t.Helper()
	s := g.openStream(t, b, eventsPath, http.StatusOK, "Accept: text/event-stream", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty")
	if _, err := s.until("hello\n\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (g *Gate) openStream(t testing.TB, b *Browser, path string, status int, headers ...string) *Stream {
	t.Helper()
	conn, err := net.Dial("tcp", g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &Stream{conn: conn, read: bufio.NewReader(conn)}
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: " + strings.TrimPrefix(g.URL(""), "http://"), "Cookie: " + b.cookieLine(g.URL(path)),
	}, headers...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	s.patience(10 * time.Second)
	head, err := s.until("\r\n\r\n")
	if err != nil || !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", status)) {
		t.Fatalf("e2e: %s answered %.100q, not %d: %v", path, head, status, err)
	}
	return s
}

func (s *Stream) patience(d time.Duration) { _ = s.conn.SetReadDeadline(time.Now().Add(d)) }

func (s *Stream) until(end string) (string, error) {
	var text strings.Builder
	for !strings.HasSuffix(text.String(), end) {
		c, err := s.read.ReadByte()
		if err != nil {
			return text.String(), err
		}
		text.WriteByte(c)
	}
	return text.String(), nil
}

// Echo sends a text over a WebSocket and waits for it to come back.
func (s *Stream) Echo(text string) error {
	s.patience(10 * time.Second)
	frame := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...) // masked, by zeros
	if _, err := s.conn.Write(frame); err != nil {
		return fmt.Errorf("e2e: socket: %w", err)
	}
	back, err := readText(s.read)
	if err != nil {
		return fmt.Errorf("e2e: socket: %w", err)
	}
	if string(back) != text {
		return fmt.Errorf("e2e: socket: %q came back as %q", text, back)
	}
	return nil
}

// Cut waits until the other side ends the stream.
func (s *Stream) Cut(limit time.Duration) error {
	s.patience(limit)
	_, err := io.Copy(io.Discard, s.read)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("e2e: the stream is still open after %v", limit)
	}
	return nil // an end, or a reset
}

// Open says whether nothing has ended the stream.
func (s *Stream) Open() bool {
	s.patience(50 * time.Millisecond)
	_, err := s.read.ReadByte()
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// cookieLine is the Cookie header that the browser would send.
func (b *Browser) cookieLine(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	var pairs []string
	for _, c := range b.Jar.For(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}
