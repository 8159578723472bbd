package demo

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/idp"
)

// forged are identity headers as an attacker would send them.
func forged() http.Header {
	return http.Header{
		"X-Auth-Request-User":   {"mallory", "mallory"},
		"x_auth_request_user":   {"mallory"},
		"X-AUTH_request-Email":  {"mallory@example.com"},
		"x-auth-request-groups": {"mallory"},
		"Authorization":         {"Basic bWFsbG9yeTp4"},

		"X-Auth-Request-Access-Token":       {"mallory"},
		"X-Auth-Request-Preferred-Username": {"mallory"},
	}
}

// isFrom checks that a request told the application about this person, once,
// and about nobody else.
func (s *seen) isFrom(person idp.User, token bool) error {
	want, got := expected(person, token), s.identity()
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !matches(want[name], got[name]) {
			return fmt.Errorf("the application was told %s: %q, not %q", name, got[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] == nil {
			return fmt.Errorf("the application was not told %s", name)
		}
	}
	return nil
}

// expected are the identity headers and how their one value begins.
func expected(person idp.User, token bool) map[string]string {
	want := map[string]string{}
	if person.PreferredUsername != "" {
		want["x-auth-request-user"] = person.PreferredUsername
		want["x-auth-request-preferred-username"] = person.PreferredUsername
		want["x-auth-request-email"] = person.Email
		want["x-auth-request-groups"] = strings.Join(person.Groups, ",")
	}
	if token {
		want["authorization"] = "Bearer eyJ…"
		want["x-auth-request-access-token"] = "eyJ…"
	}
	return want
}

// matches compares one value; what ends in … may go on.
func matches(want string, got []string) bool {
	if len(got) != 1 || want == "" {
		return false
	}
	start, open := strings.CutSuffix(want, "…")
	return got[0] == want || (open && strings.HasPrefix(got[0], start))
}

// identity are the headers that tell who is calling, under the name that a
// server which takes _ for - would give them.
func (s *seen) identity() map[string][]string {
	got := map[string][]string{}
	for _, h := range s.Headers {
		if h.Identity() {
			name := strings.ToLower(strings.ReplaceAll(h.Name, "_", "-"))
			got[name] = append(got[name], h.Value)
		}
	}
	return got
}
