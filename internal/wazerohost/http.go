package wazerohost

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// inFlight is how much of a body may wait between the two sides of the filter.
const inFlight = 256 << 10

// ServeHTTP passes a request through the filter to Config.Upstream. It makes the
// host the embedded proxy of the demo. A server in front of it sees "OPTIONS *"
// only with http.Server.DisableGeneralOptionsHandler.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	headers := requestHeaders(r)
	hasBody := r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
	worker := h.workers[int(h.next.Add(1)-1)%len(h.workers)]
	s := h.open(worker, headers, !hasBody, func(s *Stream) {
		s.protocol, s.peer = r.Proto, peerOf(r)
		s.request.out.discard, s.response.out.discard = true, true
	})
	if s == nil {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	defer s.Close()
	bodyDone := make(chan struct{})
	if hasBody {
		// Without it net/http reads the whole body before it sends a reply, and
		// waits for whoever reads it now. HTTP/2 always does without.
		_ = http.NewResponseController(w).EnableFullDuplex()
		go func() { defer close(bodyDone); s.pumpRequest(r) }()
	} else {
		close(bodyDone)
	}
	ctx, cancel := context.WithCancel(r.Context())
	upstreamDone := make(chan struct{})
	go func() { defer close(upstreamDone); s.runUpstream(r.WithContext(ctx)) }()
	stop := context.AfterFunc(r.Context(), s.Close) // the client may leave first
	s.writeResponse(w)
	stop()
	s.Close()
	cancel() // an application that still works has nobody to work for
	select {
	case <-bodyDone:
	default:
		// Unblocks a read of a body that nobody wants any more. It also ends
		// the connection, whose reader net/http cannot use after that.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		<-bodyDone
	}
	<-upstreamDone
	if !s.response.out.isEnded() {
		panic(http.ErrAbortHandler) // cuts the connection, as Envoy's reset does
	}
}

// pumpRequest feeds the request's body to the filter, no faster than it leaves.
func (s *Stream) pumpRequest(r *http.Request) {
	buf := make([]byte, 32<<10)
	for {
		s.waitForRoom()
		n, err := r.Body.Read(buf)
		switch {
		case err == io.EOF && len(r.Trailer) > 0:
			s.SendBody(buf[:n], false)
			s.SendTrailers(headerPairs(r.Trailer))
			return
		case err == io.EOF:
			s.SendBody(buf[:n], true)
			return
		case err != nil:
			return
		}
		s.SendBody(buf[:n], false)
	}
}

// waitForRoom is the watermark: while the filter holds everything, or the
// application is slow, no more is read from the client.
func (s *Stream) waitForRoom() {
	s.mu.Lock()
	for s.holding && !s.request.out.broken {
		s.cond.Wait()
	}
	s.mu.Unlock()
	s.request.out.waitBelow(inFlight)
}

// runUpstream hands the request to the application once the filter lets it go.
func (s *Stream) runUpstream(r *http.Request) {
	headers, ok := s.request.out.waitHeaders()
	if !ok {
		return
	}
	w := &upstreamWriter{s: s, header: http.Header{}}
	defer w.finish()
	up, err := upstreamRequest(r, headers, s.request.out)
	if err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	if s.host.cfg.Upstream == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.host.cfg.Upstream.ServeHTTP(w, up)
}

// upstreamRequest is the request as the filter left it.
func upstreamRequest(r *http.Request, pairs [][2]string, body *message) (*http.Request, error) {
	m := &headerMap{pairs: pairs}
	target := m.value(":path")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	up := r.Clone(r.Context())
	up.Method, up.Host, up.URL, up.RequestURI = m.value(":method"), m.value(":authority"), u, target
	up.Header = httpHeader(pairs)
	up.TransferEncoding, up.Trailer = nil, nil
	up.ContentLength = -1
	if n, err := strconv.ParseInt(up.Header.Get("Content-Length"), 10, 64); err == nil {
		up.ContentLength = n
	}
	up.Body = body
	if body.isSpent() {
		up.Body, up.ContentLength = http.NoBody, 0
	}
	return up, nil
}

// requestHeaders is the request as Envoy's codec would show it: pseudo-headers,
// then the fields in lower case; what belongs to the connection is gone.
func requestHeaders(r *http.Request) *headerMap {
	m := newHeaderMap([][2]string{{":authority", r.Host}})
	if r.Method != http.MethodConnect {
		m.add(":path", requestTarget(r))
	}
	m.add(":method", r.Method)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	m.add(":scheme", scheme)
	for _, p := range headerPairs(r.Header) {
		if !hopByHop[p[0]] {
			m.add(p[0], p[1])
		}
	}
	if m.value("x-forwarded-proto") == "" {
		m.set("x-forwarded-proto", scheme)
	}
	return m
}

// requestTarget is the raw target; of an absolute one the path and query.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") || r.RequestURI == "*" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// upstreamWriter takes the application's response through the filter.
type upstreamWriter struct {
	s       *Stream
	header  http.Header
	started bool
}

func (w *upstreamWriter) Header() http.Header { return w.header }

func (w *upstreamWriter) WriteHeader(status int) {
	if w.started || status < 200 {
		return
	}
	w.started = true
	w.s.Respond(append([][2]string{{":status", strconv.Itoa(status)}}, headerPairs(w.header)...), false)
}

func (w *upstreamWriter) Write(p []byte) (int, error) {
	w.begin(p)
	w.s.response.out.waitBelow(inFlight)
	w.s.RespondBody(p, false)
	return len(p), nil
}

// begin sends the headers that a first write implies.
func (w *upstreamWriter) begin(p []byte) {
	if w.started {
		return
	}
	if w.header.Get("Content-Type") == "" && len(p) > 0 {
		w.header.Set("Content-Type", http.DetectContentType(p))
	}
	w.WriteHeader(http.StatusOK)
}

// Flush is there for applications that stream; nothing is held back here.
func (w *upstreamWriter) Flush() { w.begin(nil) }

func (w *upstreamWriter) finish() {
	w.begin(nil)
	w.s.RespondBody(nil, true)
}

// writeResponse gives the client what leaves the filter, as it comes.
func (s *Stream) writeResponse(w http.ResponseWriter) {
	out := s.response.out
	pairs, ok := out.waitHeaders()
	if !ok {
		return
	}
	status, fields := splitStatus(pairs)
	for _, p := range fields {
		if !hopByHop[p[0]] {
			w.Header().Add(p[0], p[1])
		}
	}
	w.WriteHeader(status)
	flusher := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := out.Read(buf)
		if n > 0 {
			// A HEAD or a 304 has no body, whatever the application wrote.
			if _, werr := w.Write(buf[:n]); werr != nil && werr != http.ErrBodyNotAllowed {
				return
			}
			_ = flusher.Flush()
		}
		if err != nil {
			s.writeTrailers(w)
			return
		}
	}
}

func (s *Stream) writeTrailers(w http.ResponseWriter) {
	for _, p := range s.Response().Trailers {
		w.Header().Add(http.TrailerPrefix+p[0], p[1])
	}
}
