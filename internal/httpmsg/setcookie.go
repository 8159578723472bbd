package httpmsg

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// MaxCookie is how many bytes name and value of a cookie may have together;
// browsers drop a longer one without a word (RFC 6265bis section 5.6).
const MaxCookie = 4096

// SameSite is the SameSite attribute of a cookie; "" leaves it out.
type SameSite string

// The values that browsers know.
const (
	SameSiteLax    SameSite = "Lax"
	SameSiteStrict SameSite = "Strict"
	SameSiteNone   SameSite = "None"
)

// SetCookie is one Set-Cookie field.
type SetCookie struct {
	Name, Value  string
	Path, Domain string        // "" leaves the attribute out
	MaxAge       time.Duration // 0 for a session cookie, below 0 to delete it
	SameSite     SameSite
	Secure       bool
	HTTPOnly     bool
}

// Validate says why the cookie would be refused or misread by a browser, or
// returns nil. Its errors hold neither name nor value.
func (c SetCookie) Validate() error {
	switch {
	case !token(c.Name):
		return errors.New("httpmsg: cookie name is not a token")
	case !cookieOctets(c.Value):
		return errors.New("httpmsg: cookie value has a character that cookies cannot carry")
	case len(c.Name)+len(c.Value) > MaxCookie:
		return errors.New("httpmsg: cookie is longer than browsers take")
	case !attributeValue(c.Path) || c.Path != "" && c.Path[0] != '/':
		return errors.New("httpmsg: cookie path must begin with a slash and hold no semicolon")
	case c.Domain != "" && checkName(strings.TrimPrefix(c.Domain, ".")) != nil:
		return errors.New("httpmsg: cookie domain is not a host name")
	}
	return c.validateSecurity()
}

func (c SetCookie) validateSecurity() error {
	switch c.SameSite {
	case "", SameSiteLax, SameSiteStrict:
	case SameSiteNone:
		if !c.Secure {
			return errors.New("httpmsg: SameSite=None needs Secure")
		}
	default:
		return errors.New("httpmsg: unknown SameSite value")
	}
	// RFC 6265bis section 4.1.3; browsers compare the prefixes without case.
	switch {
	case hasPrefixFold(c.Name, "__Host-"):
		if !c.Secure || c.Path != "/" || c.Domain != "" {
			return errors.New("httpmsg: __Host- needs Secure, Path=/ and no Domain")
		}
	case hasPrefixFold(c.Name, "__Secure-") && !c.Secure:
		return errors.New("httpmsg: __Secure- needs Secure")
	}
	return nil
}

// Append appends the field value to dst. A cookie that Validate refuses
// appends nothing: better no cookie than one that says something else.
func (c SetCookie) Append(dst []byte) []byte {
	if c.Validate() != nil {
		return dst
	}
	dst = append(dst, c.Name...)
	dst = append(dst, '=')
	dst = append(dst, c.Value...)
	if c.Path != "" {
		dst = append(append(dst, "; Path="...), c.Path...)
	}
	if c.Domain != "" {
		dst = append(append(dst, "; Domain="...), c.Domain...)
	}
	dst = c.appendMaxAge(dst)
	if c.HTTPOnly {
		dst = append(dst, "; HttpOnly"...)
	}
	if c.Secure {
		dst = append(dst, "; Secure"...)
	}
	if c.SameSite != "" {
		dst = append(append(dst, "; SameSite="...), c.SameSite...)
	}
	return dst
}

func (c SetCookie) appendMaxAge(dst []byte) []byte {
	switch {
	case c.MaxAge < 0:
		return append(dst, "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"...)
	case c.MaxAge == 0:
		return dst
	}
	// Rounded up: Max-Age=0 would delete the cookie.
	seconds := int64((c.MaxAge + time.Second - 1) / time.Second)
	return strconv.AppendInt(append(dst, "; Max-Age="...), seconds, 10)
}

// String returns the field value, or "" for a cookie that Validate refuses.
func (c SetCookie) String() string { return string(c.Append(nil)) }

// SetCookieName returns the name under which a cookie will come back that a
// Set-Cookie field sets. A cookie set without a name comes back as its value
// alone, so that "=a=b" is sent as "a=b" and counts as "a" here (RFC 6265bis
// section 5.8.3).
func SetCookieName(fieldValue string) string {
	pair := fieldValue
	if i := strings.IndexByte(pair, ';'); i >= 0 {
		pair = pair[:i]
	}
	for {
		name, rest, ok := strings.Cut(pair, "=")
		if !ok {
			return ""
		}
		if name = trimBlank(name); name != "" {
			return name
		}
		pair = rest
	}
}

// token reports whether s is a token (RFC 9110 section 5.6.2).
func token(s string) bool {
	for i := 0; i < len(s); i++ {
		if !alphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// cookieOctets reports whether s consists of cookie-octets (RFC 6265 section
// 4.1.1).
func cookieOctets(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f, c == '"', c == ',', c == ';', c == '\\':
			return false
		}
	}
	return true
}

func attributeValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == ';' {
			return false
		}
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
