package plugin

import (
	"github.com/postern-auth/postern/internal/abi"
	"github.com/postern-auth/postern/internal/gate"
)

// watchlist is the open streams that an ending cuts. They are a chain, as every
// request with a session gets in and, mostly a moment later, out again.
type watchlist struct{ first *stream }

// link is a stream's place in the list.
type link struct {
	watch         *gate.Watch // what ends the stream; nil outside the list
	before, after *stream
}

func (l *watchlist) add(s *stream, w *gate.Watch) {
	if w == nil {
		return
	}
	s.link = link{watch: w, after: l.first}
	if l.first != nil {
		l.first.before = s
	}
	l.first = s
}

func (l *watchlist) remove(s *stream) {
	if s.watch == nil {
		return
	}
	if s.before != nil {
		s.before.after = s.after
	} else {
		l.first = s.after
	}
	if s.after != nil {
		s.after.before = s.before
	}
	s.link = link{}
}

// cutStreams cuts the open streams whose session is over, each once.
func (p *plugin) cutStreams() {
	cut := false
	for s := p.watched.first; s != nil; {
		this := s
		s = s.after
		if !p.over(this.watch) {
			continue
		}
		p.watched.remove(this)
		if !this.makeCurrent() {
			continue // it has ended by itself
		}
		cut = true
		// One direction is enough, whatever the protocol: the host resets all
		// of the stream, towards both sides.
		if err := abi.CloseStream(abi.RequestStream); err != nil {
			abi.Log(abi.LevelError, "postern: "+err.Error())
		}
	}
	if !cut {
		return
	}
	if err := abi.SetEffectiveContext(p.id); err != nil {
		abi.Log(abi.LevelError, "postern: "+err.Error())
	}
}
