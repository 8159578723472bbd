package gate

// Watch is the session that an open stream was begun with.
type Watch struct{ opened *opened }

// Over reports whether a stream's session was ended or is past its lifetime,
// so that the stream is to be cut.
func (g *Gate) Over(w *Watch) bool { return !g.now().Before(w.opened.ends) }
