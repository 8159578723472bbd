package page

import (
	_ "embed"
	"strings"
)

// The files of texts. English comes first: it is what is said where the browser
// prefers nothing that there is, and to programs.
var (
	//go:embed texts/en.txt
	enTexts string
	//go:embed texts/de.txt
	deTexts string
	//go:embed texts/fr.txt
	frTexts string
	//go:embed texts/es.txt
	esTexts string
	//go:embed texts/zh.txt
	zhTexts string
	//go:embed texts/ja.txt
	jaTexts string
)

// languages are those that there are, for the settings to say texts otherwise.
func languages(own map[string]map[string]string) []*language {
	all := []*language{
		{tag: "en", name: "English", dir: "ltr", file: enTexts},
		{tag: "de", name: "Deutsch", dir: "ltr", file: deTexts},
		{tag: "fr", name: "Français", dir: "ltr", file: frTexts},
		{tag: "es", name: "Español", dir: "ltr", file: esTexts},
		{tag: "zh", name: "简体中文", dir: "ltr", file: zhTexts},
		{tag: "ja", name: "日本語", dir: "ltr", file: jaTexts},
	}
	for _, l := range all {
		l.own = own[l.tag]
	}
	return all
}

// english is for programs, whose answers the settings do not reword.
var english = &language{tag: "en", dir: "ltr", file: enTexts}

// Languages are the tags of the languages that there are.
func Languages() (tags []string) {
	for _, l := range languages(nil) {
		tags = append(tags, l.tag)
	}
	return tags
}

// Text is a text of a page and what it is called in the settings.
type Text struct{ Name, Text string }

// Texts are our own texts in a language, in the order in which they are kept;
// none for a language that there is not.
func Texts(tag string) (all []Text) {
	for _, l := range languages(nil) {
		if l.tag == tag {
			for _, t := range l.terms() {
				all = append(all, Text{t.key, t.text})
			}
		}
	}
	return all
}

// The bounds of what is looked at of Accept-Language, which anybody may send.
const (
	maxAccept = 1 << 10
	maxRanges = 10
)

// preferred is the language that fits Accept-Language best (RFC 9110, section
// 12.5.4): the one of the highest weight, the first of several. A range fits by
// its first subtag, so that each region and script has its language's words. The
// first language is for those who prefer nothing that there is.
func preferred(all []*language, accept string) *language {
	if len(accept) > maxAccept {
		accept = accept[:maxAccept]
	}
	best, most := all[0], 0
	refused := make([]bool, len(all))
	wildcard := 0
	for i := 0; i < maxRanges && accept != ""; i++ {
		var entry string
		entry, accept, _ = strings.Cut(accept, ",")
		tag, weight, ok := weighed(entry)
		if !ok {
			continue
		}
		if tag == "*" {
			wildcard = weight
			continue
		}
		for j, l := range all {
			if !strings.EqualFold(tag, l.tag) {
				continue
			}
			refused[j] = refused[j] || weight == 0
			if weight > most {
				best, most = l, weight
			}
		}
	}
	if wildcard > most {
		for j, l := range all {
			if !refused[j] {
				return l
			}
		}
	}
	return best
}

// weighed is the first subtag of an entry of Accept-Language, and its weight in
// thousandths.
func weighed(entry string) (tag string, weight int, ok bool) {
	entry, parameter, weighted := strings.Cut(entry, ";")
	tag, _, _ = strings.Cut(strings.Trim(entry, " \t"), "-")
	if tag == "" {
		return "", 0, false
	}
	if !weighted {
		return tag, 1000, true
	}
	name, value, _ := strings.Cut(strings.Trim(parameter, " \t"), "=")
	weight, ok = thousandths(value)
	return tag, weight, ok && strings.EqualFold(name, "q")
}

// thousandths reads a qvalue: 0 or 1, and up to three decimals, which of 1 are
// all 0.
func thousandths(s string) (n int, ok bool) {
	if s == "" || len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	n = int(s[0]-'0') * 1000
	for i, place := 2, 100; i < len(s); i, place = i+1, place/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n += int(s[i]-'0') * place
	}
	return n, n <= 1000
}
