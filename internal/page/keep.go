package page

import (
	_ "embed"

	"github.com/postern-auth/postern/internal/httpmsg"
)

// KeepPage leads to where somebody signs in, and keeps what stands behind "#" in
// the address that they wanted, which browsers send nobody.
type KeepPage struct {
	Plain string // where to go where there is nothing to keep, or nothing that keeps it
	Kept  string // … and where what was kept is put back in the end
	Link  string // where to go by hand, however much later
}

// ResumePage leads on to an address of this host, with what was kept for it.
type ResumePage struct{ URL string }

var (
	//go:embed html/keep.html
	keepHTML markup
	//go:embed html/keep.js
	keepScript string
	//go:embed html/resume.html
	resumeHTML markup
	//go:embed html/resume.js
	resumeScript string
)

// Keep writes a page that a browser leaves at once.
func (s *Pages) Keep(accept string, p KeepPage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	return s.scripted(frame{t: t, heading: t.say("onward")}, keepScript, keepHTML, text("lead", t.say("onward_lead")),
		text("plain", link(p.Plain)), text("kept", link(p.Kept)), part("actions", t.ways(way{p.Link, "onward_now"})))
}

// Resume writes a page that a browser leaves at once.
func (s *Pages) Resume(accept string, p ResumePage) (body []byte, header httpmsg.Fields) {
	t := s.language(accept)
	return s.scripted(frame{t: t, heading: t.say("onward")}, resumeScript, resumeHTML, text("lead", t.say("onward_lead")),
		text("to", link(p.URL)), part("actions", t.ways(way{p.URL, "onward_now"})))
}

// scripted writes a page that runs one script, which is a constant, and no other.
func (s *Pages) scripted(f frame, script string, content markup, slots ...slot) (body []byte, header httpmsg.Fields) {
	f.mark, f.script = doorMark, hashOf(script)
	return s.write(f, content, append(slots, part("script", markup(script)))...)
}
