package plugin

import "github.com/postern-auth/postern/internal/abi"

// watch has an ending of the stream's session cut the stream while it is open.
func (s *stream) watch() {
	if s.forward.Watch != nil {
		s.plugin.watched[s.id] = s
	}
}

// cutStreams cuts the open streams whose session is over, each once.
func (p *plugin) cutStreams() {
	cut := false
	for id, s := range p.watched {
		if !p.over(s.forward.Watch) {
			continue
		}
		delete(p.watched, id)
		if !s.makeCurrent() {
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
