package gate

import (
	"sort"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/postern-auth/postern/internal/httpmsg"
	"github.com/postern-auth/postern/internal/session"
)

// pick takes the named claims out of what a provider said: each from the first
// document that has something at its path. It also reports whether the
// documents have something for every name.
func pick(paths map[string]string, documents ...[]byte) (claims map[string]session.Claim, complete bool) {
	claims, complete = map[string]session.Claim{}, true
	for name, path := range paths {
		found := false
		for _, doc := range documents {
			if claim, ok := claimAt(doc, path); ok {
				claims[name], found = claim, true
				break
			}
		}
		complete = complete && found
	}
	return claims, complete
}

// overlay returns claims with those that a document has put in their place.
func overlay(claims map[string]session.Claim, paths map[string]string, doc []byte) map[string]session.Claim {
	fresh, _ := pick(paths, doc)
	for name, claim := range claims {
		if _, found := fresh[name]; !found {
			fresh[name] = claim
		}
	}
	return fresh
}

// claimAt reads a claim: a string, a number, a truth value, or a list of
// these, which may be empty. Anything else, and an empty string, counts as absent.
func claimAt(doc []byte, path string) (session.Claim, bool) {
	v := gjson.GetBytes(doc, path)
	if v.IsArray() {
		claim := session.Claim{List: true}
		for _, item := range v.Array() {
			if s, ok := scalar(item); ok {
				claim.Values = append(claim.Values, s)
			}
		}
		return claim, true
	}
	s, ok := scalar(v)
	return session.Claim{Values: []string{s}}, ok
}

func scalar(v gjson.Result) (string, bool) {
	switch v.Type {
	case gjson.String:
		return strings.Clone(v.Str), v.Str != ""
	case gjson.Number, gjson.True, gjson.False:
		return strings.Clone(v.Raw), true
	}
	return "", false
}

// identity is what the application is told of whom a session or a token is of:
// what is known of them, and the access token with its scheme, "" where there
// is none. No value holds a control character: they are handed to the host
// without another look.
func (g *Gate) identity(claims map[string]session.Claim, scheme, accessToken string) (fields httpmsg.Fields) {
	for header, h := range g.settings.Forward.Headers {
		name := h.Claim
		claim, ok := claims[name]
		if !ok || len(claim.Values) == 0 {
			continue
		}
		// A provider may write a list of one as a string.
		claim.List = claim.List || name == "groups" || name == "roles"
		fields = append(fields, httpmsg.Field{Name: header, Value: fieldValue(claim)})
	}
	sort.Slice(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	if accessToken == "" {
		return fields
	}
	for _, header := range g.settings.Forward.AccessToken {
		value := accessToken
		if header == "authorization" {
			value = scheme + value
		}
		fields = append(fields, httpmsg.Field{Name: header, Value: value})
	}
	return fields
}

// fieldValue writes a claim as a header value, so that no two claims share
// one. The values of a list are joined by commas. Percent-encoded are percent
// signs and control characters (RFC 9110, section 5.5 forbids them), spaces at
// either end, which would get lost, and commas within a list: nobody gets into
// a group by the name of another.
func fieldValue(c session.Claim) string {
	var b strings.Builder
	for i, v := range c.Values {
		if i > 0 {
			b.WriteByte(',')
		}
		for j := range len(v) {
			edge := j == 0 || j == len(v)-1
			if ch := v[j]; ch < ' ' || ch == 0x7f || ch == '%' || ch == ' ' && edge || ch == ',' && c.List {
				const hex = "0123456789ABCDEF"
				b.WriteByte('%')
				b.WriteByte(hex[ch>>4])
				b.WriteByte(hex[ch&15])
			} else {
				b.WriteByte(ch)
			}
		}
	}
	return b.String()
}
