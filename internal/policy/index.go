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
	children map[string]*node
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
	if n.children == nil {
		n.children = map[string]*node{}
	}
	next := n.children[segment]
	if next == nil {
		next = &node{least: none}
		n.children[segment] = next
	}
	return next
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
}

// find returns the number of the first rule that matches, or -1.
func (ix *index) find(rules []rule, r *Request) (int, error) {
	s := search{rules: rules, request: r, best: none}
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
	switch {
	case s.repeated:
		return -1, ErrRepeated
	case s.best == none:
		return -1, nil
	}
	return s.best, nil
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
	if next := n.children[segment]; next != nil {
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
		if d := s.rules[i].matcher.differsBesidePath(s.request); d == same || d == repeated {
			s.best, s.repeated = i, d == repeated
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
		if d := s.rules[r.rule].matcher.differsBesidePath(s.request); d == same || d == repeated {
			s.best, s.repeated = r.rule, d == repeated
			return
		}
	}
}
