package pathregex

import (
	"encoding/binary"
	"errors"
	"slices"
)

var (
	errLarge  = errors.New("is too large once its repetitions are written out")
	errStates = errors.New("would need too large a table; repeat fewer things that can stand for each other, or write it as several")
)

// program is an expression as a nondeterministic automaton (Thompson's): each
// instruction leads to one or two others.
type program struct {
	insts []inst
	start int
}

type inst struct {
	op       instOp
	set      set // of opSet
	out, alt int
}

type instOp uint8

const (
	opSet instOp = iota
	opFork
	opMatch
)

func (p *program) emit(i inst) int {
	p.insts = append(p.insts, i)
	return len(p.insts) - 1
}

// add writes the instructions for n, after which it goes on at then, and returns
// where they begin. It stops where the program is too large already.
func (p *program) add(n *node, then int) int {
	if len(p.insts) > maxProgram {
		return then
	}
	switch n.op {
	case opChar:
		return p.emit(inst{op: opSet, set: n.set, out: then})
	case opSequence:
		for i := len(n.parts) - 1; i >= 0; i-- {
			then = p.add(n.parts[i], then)
		}
		return then
	case opChoice:
		begin := p.add(n.parts[len(n.parts)-1], then)
		for i := len(n.parts) - 2; i >= 0; i-- {
			begin = p.emit(inst{op: opFork, out: p.add(n.parts[i], then), alt: begin})
		}
		return begin
	}
	return p.repeat(n, then)
}

// repeat writes x{2,4} as xx(x(x)?)?, and x{2,} as xxx*.
func (p *program) repeat(n *node, then int) int {
	part := n.parts[0]
	if n.max < 0 {
		fork := p.emit(inst{op: opFork, alt: then})
		p.insts[fork].out = p.add(part, fork)
		then = fork
	}
	end := then
	for range n.max - n.min {
		if len(p.insts) > maxProgram {
			return then
		}
		then = p.emit(inst{op: opFork, out: p.add(part, then), alt: end})
	}
	for range n.min {
		if len(p.insts) > maxProgram {
			return then
		}
		then = p.add(part, then)
	}
	return then
}

// classes divides the characters into those that no instruction tells apart, and
// returns one of each class. Class 0 is that of all that are in no path.
func (p *program) classes(r *Regex) (samples []byte) {
	for c := first; c <= last; c++ {
		r.class[c] = 1
	}
	samples = r.renumber()
	split := map[set]bool{}
	for i := range p.insts {
		s := p.insts[i].set
		if p.insts[i].op != opSet || split[s] {
			continue
		}
		split[s] = true
		number := uint8(len(samples)) // of at most 96; those that are new come to at most as many
		var inside [256]uint8         // the new number of the part of a class that is in the set
		for c := byte(first); c <= last; c++ {
			if !s.has(c) {
				continue
			}
			if inside[r.class[c]] == 0 {
				number++
				inside[r.class[c]] = number
			}
			r.class[c] = inside[r.class[c]]
		}
		samples = r.renumber()
	}
	return samples
}

// renumber gives the classes that are left numbers without gaps.
func (r *Regex) renumber() (samples []byte) {
	samples = []byte{0}
	var numbers [256]uint8
	for c := byte(first); c <= last; c++ {
		if numbers[r.class[c]] == 0 {
			numbers[r.class[c]] = uint8(len(samples))
			samples = append(samples, c)
		}
		r.class[c] = numbers[r.class[c]]
	}
	r.width = len(samples)
	return samples
}

// builder makes the deterministic automaton: each of its states is the set of
// the instructions at which the program can be at once.
type builder struct {
	program *program
	regex   *Regex
	numbers map[string]uint16
	sets    [][]int
	key     []byte
	to      []int // the set that is being made
	seen    []int // the number of the set that an instruction was last put into
	round   int
	work    int
}

func (p *program) automaton(pattern string) (*Regex, error) {
	b := &builder{program: p, regex: &Regex{pattern: pattern}, numbers: map[string]uint16{}, seen: make([]int, len(p.insts))}
	samples := p.classes(b.regex)
	b.state(nil)
	b.round++
	b.state(b.follow(nil, p.start))
	for from := 0; from < len(b.sets); from++ {
		for _, c := range samples {
			b.round++
			to := b.to[:0]
			for _, at := range b.sets[from] {
				b.work++
				if i := &p.insts[at]; i.op == opSet && i.set.has(c) {
					to = b.follow(to, i.out)
				}
			}
			b.to = to
			b.regex.next = append(b.regex.next, b.state(to))
			if len(b.sets) > maxStates || b.work > maxWork {
				return nil, errStates
			}
		}
	}
	return b.regex, nil
}

// follow adds to a set where the program can be once it is at an instruction.
func (b *builder) follow(to []int, at int) []int {
	for b.seen[at] != b.round {
		b.seen[at] = b.round
		b.work++
		i := &b.program.insts[at]
		if i.op != opFork {
			return append(to, at)
		}
		to = b.follow(to, i.out)
		at = i.alt
	}
	return to
}

// state returns the number of a set of instructions.
func (b *builder) state(at []int) uint16 {
	// Where sets differ in their order alone, the automaton is larger than it has
	// to be, and as good.
	b.key = b.key[:0]
	accepts := false
	for _, i := range at {
		b.key = binary.LittleEndian.AppendUint16(b.key, uint16(i))
		accepts = accepts || b.program.insts[i].op == opMatch
	}
	n, known := b.numbers[string(b.key)]
	if !known {
		n = uint16(len(b.sets))
		b.numbers[string(b.key)] = n
		b.sets = append(b.sets, slices.Clone(at))
		b.regex.accepts = append(b.regex.accepts, accepts)
	}
	return n
}
