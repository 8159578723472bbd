package config

import (
	"reflect"
	"slices"
	"time"
)

// decode reads a list of values, or an object with values and prefixes.
func (c *ClaimTest) decode(r *reader, path string, n *node) {
	if n.kind != kindObject {
		r.value(path, n, reflect.ValueOf(&c.Values).Elem())
		r.few(path, len(c.Values))
		r.once(path, c.Values)
		return
	}
	var form struct {
		Values   []string `json:"values"`
		Prefixes []string `json:"prefixes"`
	}
	r.fields(path, n, reflect.ValueOf(&form).Elem())
	c.Values, c.Prefixes = form.Values, form.Prefixes
	r.entries(at(path, "values"), c.Values)
	r.entries(at(path, "prefixes"), c.Prefixes)
	if c.Values == nil && c.Prefixes == nil && r.clean(path) {
		r.problem(path, "needs values or prefixes")
	}
}

// decode reads a claim's name, or an object that says more.
func (h *Header) decode(r *reader, path string, n *node) {
	if n.kind != kindObject {
		h.Claim, _ = r.text(path, n)
		return
	}
	var form struct {
		Claim    string `json:"claim"`
		Path     string `json:"path"`
		List     string `json:"list"`
		Encoding string `json:"encoding"`
	}
	form.List = "join"
	r.fields(path, n, reflect.ValueOf(&form).Elem())
	r.oneOf(at(path, "list"), form.List, "join", "repeat")
	if form.Encoding != "" {
		r.oneOf(at(path, "encoding"), form.Encoding, encodings...)
	}
	if (form.Claim == "") == (form.Path == "") && r.clean(path) {
		r.problem(path, "needs either claim or path")
	}
	*h = Header{Claim: form.Claim, Path: form.Path, Repeat: form.List == "repeat", Encoding: form.Encoding}
}

// encodings are how a header's values may be written.
var encodings = []string{"utf-8", "percent"}

// decode reads requirements, and refuses an age of zero: left out it would be
// any.
func (q *Require) decode(r *reader, path string, n *node) {
	if !r.is(path, n, kindObject) {
		return
	}
	r.fields(path, n, reflect.ValueOf(q).Elem())
	if here := at(path, "max_age"); slices.Contains(n.keys, "max_age") && r.clean(here) {
		r.within(here, q.MaxAge, time.Second, 400*day)
	}
}
