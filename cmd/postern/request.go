package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-auth/postern/cmd/postern/internal/tryout"
	"github.com/postern-auth/postern/internal/httpmsg"
)

// readRequest reads a method and an address.
func readRequest(method, address string) (string, *tryout.Address, error) {
	if !isToken(method) {
		return "", nil, errors.New(`must be a method and an address, such as "GET https://app.example.com/"`)
	}
	a, err := tryout.ParseAddress(strings.TrimSpace(address))
	return method, a, err
}

// readField reads a header field of the request.
func readField(name, value string) (httpmsg.Field, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	value = strings.TrimSpace(value)
	switch {
	case !isToken(name):
		return httpmsg.Field{}, fmt.Errorf("%s is no name of a header field", quoted(name))
	case slices.Contains([]string{"authorization", "dpop", "cookie"}, name):
		return httpmsg.Field{}, fmt.Errorf("%s cannot be tried out: who asks is told by claims", name)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return httpmsg.Field{}, fmt.Errorf("the value of %s holds a control character", name)
	}
	return httpmsg.Field{Name: name, Value: value}, nil
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
