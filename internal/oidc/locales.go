package oidc

import (
	"strconv"
	"strings"
)

// Bounds of what is made of Accept-Language.
const (
	maxAcceptLanguage = 1024 // bytes; a longer one says nothing
	maxLocales        = 5
	maxTag            = 35 // bytes, RFC 5646, section 4.4.1
)

// uiLocales are the languages of an Accept-Language field (RFC 9110, section
// 12.5.4), the preferred ones first, as Core, section 3.1.2.1, has them.
func uiLocales(accept string) string {
	if len(accept) > maxAcceptLanguage {
		return ""
	}
	var tags []string
	var weights []float64
	for item := range strings.SplitSeq(accept, ",") {
		tag, parameter, _ := strings.Cut(item, ";")
		tag = strings.TrimSpace(tag)
		weight := weightOf(parameter)
		if !isTag(tag) || weight == 0 {
			continue
		}
		tags, weights = append(tags, tag), append(weights, weight)
		for i := len(tags) - 1; i > 0 && weights[i-1] < weights[i]; i-- {
			tags[i-1], tags[i] = tags[i], tags[i-1]
			weights[i-1], weights[i] = weights[i], weights[i-1]
		}
	}
	return strings.Join(tags[:min(len(tags), maxLocales)], " ")
}

// weightOf reads a weight, which is 0 where it cannot be read.
func weightOf(parameter string) float64 {
	if parameter = strings.TrimSpace(parameter); parameter == "" {
		return 1
	}
	value, ok := strings.CutPrefix(strings.ToLower(parameter), "q=")
	weight, err := strconv.ParseFloat(value, 64)
	if !ok || err != nil || !(weight >= 0 && weight <= 1) {
		return 0
	}
	return weight
}

// isTag reports whether s looks like a language tag (RFC 5646, section 2.1).
func isTag(s string) bool {
	if s == "" || len(s) > maxTag {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= s[i] && s[i] <= '9' || s[i] == '-'):
		default:
			return false
		}
	}
	return true
}
