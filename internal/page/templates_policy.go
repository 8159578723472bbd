package page

import "strings"

// Our policy has browsers drop some things without a word. Whoever wrote them into a
// template is told instead. Nothing hangs on this: what is not found here is dropped.

// blockedAttribute says why what an attribute asks for would not be there; "" for
// nothing wrong.
func blockedAttribute(element, name, value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	switch {
	case strings.HasPrefix(value, "javascript:"):
		return "a javascript: address would never run: pages of ours run no script"
	case element == "link" && name == "rel" && strings.Contains(" "+value+" ", " stylesheet "):
		return "a style sheet from elsewhere is not loaded under our policy: put it into a <style> element"
	case name == "srcset" && strings.Contains(value, "http:"), showsPicture(element, name) && strings.HasPrefix(value, "http:"):
		return byHTTP
	}
	return ""
}

func showsPicture(element, name string) bool {
	return name == "src" || name == "poster" || name == "background" || element == "image" && strings.HasSuffix(name, "href")
}

// blockedStyle says what of a style sheet would not be there, and where in it that
// begins.
func blockedStyle(sheet string) (message string, at int) {
	sheet = strings.ToLower(sheet)
	for _, b := range [...][2]string{
		{"@import", "@import loads nothing under our policy: put the styles here"},
		{"@font-face", "@font-face loads nothing under our policy: name fonts that people have"},
		{"url(http:", byHTTP}, {`url("http:`, byHTTP}, {"url('http:", byHTTP},
	} {
		if at = strings.Index(sheet, b[0]); at >= 0 {
			return b[1], at
		}
	}
	return "", 0
}

const byHTTP = "a picture by http: is not loaded under our policy: it takes an https: or data: address"
