package gate

import (
	"errors"
	"strings"
)

// withForm goes on with the form that a request has for its body, still encoded;
// or has it refused.
func (g *Gate) withForm(q *request, limit int, then func(form string) (Verdict, Flow), refuse func(failure) Verdict) (Verdict, Flow) {
	if !urlEncoded(q) {
		return refuse(failure{status: 400, reason: "not_a_form"}), nil
	}
	return Verdict{Body: &Body{Limit: limit, Then: func(body []byte, err error) (Verdict, Flow) {
		if err != nil {
			return refuse(bodyFailure(err)), nil
		}
		return then(string(body))
	}}}, nil
}

// urlEncoded reports whether the body is said to be a form of names and values,
// without files.
func urlEncoded(q *request) bool {
	media, _ := q.Header.Only("content-type")
	media, _, _ = strings.Cut(media, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
}

// bodyFailure says why a request's body could not be read.
func bodyFailure(err error) failure {
	switch {
	case errors.Is(err, ErrBodyTooLarge):
		return failure{status: 413, reason: "body_too_large"}
	case errors.Is(err, ErrBodySlow):
		return failure{status: 408, reason: "body_too_slow"}
	}
	return failure{status: 501, reason: "bodies_not_let_through"}
}
