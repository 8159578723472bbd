package config

import "strings"

// picture checks the picture of a button or a page. Browsers alone fetch it, and
// run nothing of what is in it.
func (r *reader) picture(path, s string) {
	const form = `must be an https address, or "data:image/" with at most 8192 bytes`
	switch {
	case s == "" || !r.clean(path):
	case !only(s, maxString, func(c byte) bool { return visible(c) && c != '"' && c != '\'' && c != '<' && c != '>' && c != '\\' }):
		r.problem(path, form)
	case strings.HasPrefix(s, "data:image/"):
		if !strings.Contains(s, ",") {
			r.problem(path, form)
		}
	default:
		address, _, _ := strings.Cut(s, "?")
		if u, ok := r.address(path, address); ok && u.scheme != "https" || strings.Contains(s, "#") {
			r.problem(path, form)
		}
	}
}

// color checks a colour.
func (r *reader) color(path, s string) {
	digits, ok := strings.CutPrefix(s, "#")
	hex := func(c byte) bool { return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
	if s != "" && (!ok || len(digits) != 6 || !only(digits, 6, hex)) {
		r.problem(path, `%s is not a colour: "#" and six hexadecimal digits`, quote(s))
	}
}
