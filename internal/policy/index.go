package policy

import (
	"math"
	"strings"
)

// index finds the first rule that matches without looking at the others: by
// host, and then by the path's segments, from the first to the last.
type index struct {
	anyHost *shelf
	hosts   map[string]*shelf
	below   map[string]*shelf // by the domain above
}

// shelf holds the rules of one host by their paths.
type shelf struct {
	least int // the smallest number of a rule on it
	root  node
	all   []int // rules that do not look at the path
}

type regexOf struct {
	rule    int
	prefix  string // of all paths that it fits
	pattern *pathPattern
}

// node is where a path has been followed to some segment. All lists of rules
// are in ascending order.
type node struct {
	least    int // the smallest number of a rule here or beyond
	exact    []int
	below    []int // rules for this path and everything below it
	children children
	globs    []globNode
	regexes  []regexOf // of paths that begin with this one's segments
}

type globNode struct {
	glob glob
	node *node
}

const none = math.MaxInt

func newIndex(rules []rule) index {
	ix := index{hosts: map[string]*shelf{}, below: map[string]*shelf{}}
	for i := range rules {
		for _, s := range ix.shelves(&rules[i].matcher) {
			s.add(i, &rules[i].matcher)
		}
	}
	return ix
}

// shelves returns where a rule belongs.
func (ix *index) shelves(m *Matcher) (all []*shelf) {
	if len(m.hosts) == 0 {
		if ix.anyHost == nil {
			ix.anyHost = newShelf()
		}
		return []*shelf{ix.anyHost}
	}
	for _, h := range m.hosts {
		name, itself, below := h.Name()
		if itself {
			all = append(all, shelfOf(ix.hosts, name))
		}
		if below {
			all = append(all, shelfOf(ix.below, name))
		}
	}
	return all
}

func newShelf() *shelf { return &shelf{least: none, root: node{least: none}} }

func shelfOf(by map[string]*shelf, name string) *shelf {
	s := by[name]
	if s == nil {
		s = newShelf()
		by[name] = s
	}
	return s
}

func (s *shelf) add(rule int, m *Matcher) {
	s.least = min(s.least, rule)
	if len(m.paths) == 0 {
		s.all = append(s.all, rule)
	}
	for i := range m.paths {
		if p := &m.paths[i]; p.regex != nil {
			s.root.addRegex(rule, p)
		} else {
			s.root.add(rule, p)
		}
	}
}

// addRegex puts an expression where all the paths that it fits come by.
func (n *node) addRegex(rule int, p *pathPattern) {
	prefix := p.regex.Prefix()
	n.least = min(n.least, rule)
	for rest := prefix[:max(0, strings.LastIndexByte(prefix, '/'))]; rest != ""; {
		var segment string
		segment, rest = cutSegment(rest)
		n = n.child(segment)
		n.least = min(n.least, rule)
	}
	n.regexes = append(n.regexes, regexOf{rule, prefix, p})
}

func (n *node) add(rule int, p *pathPattern) {
	n.least = min(n.least, rule)
	for rest, i := p.base, 0; rest != ""; i++ {
		var segment string
		segment, rest = cutSegment(rest)
		if len(p.globs) > 0 && len(p.globs[i].parts) > 1 {
			n = n.globChild(&p.globs[i])
		} else {
			n = n.child(segment)
		}
		n.least = min(n.least, rule)
	}
	if p.below {
		n.below = append(n.below, rule)
	} else {
		n.exact = append(n.exact, rule)
	}
}

func (n *node) child(segment string) *node {
	next := n.children.of(segment)
	if next == nil {
		next = &node{least: none}
		n.children.add(segment, next)
	}
	return next
}

// children are a node's by their segments. Most nodes have a few, for which a map
// would be more than all the rest for the collector to look through.
type children struct {
	few  []child
	many map[string]*node // in place of few
}

type child struct {
	segment string
	node    *node
}

const fewChildren = 8

func (c *children) of(segment string) *node {
	for i := range c.few {
		if c.few[i].segment == segment {
			return c.few[i].node
		}
	}
	return c.many[segment]
}

func (c *children) add(segment string, n *node) {
	if c.many == nil && len(c.few) < fewChildren {
		c.few = append(c.few, child{segment, n})
		return
	}
	if c.many == nil {
		c.many = make(map[string]*node, 2*fewChildren)
		for _, f := range c.few {
			c.many[f.segment] = f.node
		}
		c.few = nil
	}
	c.many[segment] = n
}

func (n *node) globChild(g *glob) *node {
	for i := range n.globs {
		if n.globs[i].glob.text == g.text {
			return n.globs[i].node
		}
	}
	next := &node{least: none}
	n.globs = append(n.globs, globNode{*g, next})
	return next
}

// search is one search for the first rule that matches.
type search struct {
	rules    []rule
	request  *Request
	best     int // the smallest number of those that matched so far
	repeated bool

	after  int  // only rules of larger numbers are looked for
	fields bool // the request's fields decide, too
}

// find returns the number of the first rule that matches, or -1.
func (ix *index) find(rules []rule, r *Request) (int, error) {
	s := search{rules: rules, request: r, best: none, after: -1, fields: true}
	s.run(ix)
	switch {
	case s.repeated:
		return -1, ErrRepeated
	case s.best == none:
		return -1, nil
	}
	return s.best, nil
}

// matching returns the numbers of the rules that match but for the request's
// fields, up to the first that looks at none.
func (ix *index) matching(rules []rule, r *Request) (all []int) {
	s := search{rules: rules, request: r, after: -1}
	for {
		s.best = none
		s.run(ix)
		if s.best == none {
			return all
		}
		all = append(all, s.best)
		if len(rules[s.best].matcher.headers) == 0 {
			return all
		}
		s.after = s.best
	}
}

func (s *search) run(ix *index) {
	r := s.request
	s.shelf(ix.anyHost)
	host := strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")
	if len(ix.hosts) > 0 {
		s.shelf(ix.hosts[host])
	}
	if len(ix.below) > 0 {
		for i := range len(host) {
			if host[i] == '.' {
				s.shelf(ix.below[host[i+1:]])
			}
		}
	}
}

func (s *search) shelf(shelf *shelf) {
	if shelf == nil || shelf.least >= s.best {
		return
	}
	s.consider(shelf.all)
	if strings.HasPrefix(s.request.Path, "/") {
		s.walk(&shelf.root, s.request.Path)
	}
}

// walk follows the rest of a path. What a tree of rules holds is looked at no
// more than once, however many ways lead on.
func (s *search) walk(n *node, rest string) {
	if n.least >= s.best {
		return
	}
	s.consider(n.below)
	s.regexes(n.regexes)
	if rest == "" {
		s.consider(n.exact)
		return
	}
	segment, rest := cutSegment(rest)
	if next := n.children.of(segment); next != nil {
		s.walk(next, rest)
	}
	for i := range n.globs {
		if g := &n.globs[i]; g.node.least < s.best && g.glob.match(segment) {
			s.walk(g.node, rest)
		}
	}
}

// consider looks at rules whose path matches. A rule that cannot be told, for a
// field of it is there more than once, decides as well.
func (s *search) consider(rules []int) {
	for _, i := range rules {
		if i >= s.best {
			return
		}
		if s.take(i) {
			return
		}
	}
}

func (s *search) regexes(all []regexOf) {
	for i := range all {
		r := &all[i]
		if r.rule >= s.best {
			return
		}
		if !strings.HasPrefix(s.request.Path, r.prefix) || !r.pattern.match(s.request.Path) {
			continue
		}
		if s.take(r.rule) {
			return
		}
	}
}

// take looks at a rule whose path matches.
func (s *search) take(i int) bool {
	if i <= s.after {
		return false
	}
	m, d := &s.rules[i].matcher, same
	switch {
	case s.fields:
		d = m.differsBesidePath(s.request)
	case !m.matchesHost(s.request.Host, s.request.Port) || !m.matchesMethod(s.request.Method):
		return false
	}
	if d != same && d != repeated {
		return false
	}
	s.best, s.repeated = i, d == repeated
	return true
}
