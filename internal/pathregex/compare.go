package pathregex

// Covers reports whether r fits every path that other fits. A path begins with
// a slash.
func (r *Regex) Covers(other *Regex) bool {
	type pair struct{ ours, theirs uint16 }
	begin := pair{r.step(1, '/'), other.step(1, '/')}
	seen := map[pair]bool{begin: true}
	for todo := []pair{begin}; len(todo) > 0 && begin.theirs != 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if other.accepts[at.theirs] && !r.accepts[at.ours] {
			return false
		}
		for c := byte(first); c <= last; c++ {
			next := pair{r.step(at.ours, c), other.step(at.theirs, c)}
			if next.theirs != 0 && !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return true
}

// Example returns a shortest path that the expression fits, and whether there is
// any: letters where it may have them.
func (r *Regex) Example() (string, bool) {
	type step struct {
		from uint16
		c    byte
	}
	begin := r.step(1, '/')
	by := map[uint16]step{0: {}, begin: {}}
	for todo := []uint16{begin}; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		if r.accepts[at] {
			var path []byte
			for ; at != begin; at = by[at].from {
				path = append([]byte{by[at].c}, path...)
			}
			return "/" + string(path), true
		}
		for i := range byte(last - first + 1) {
			c := first + (i+'x'-first)%(last-first+1) // from x on
			next := r.step(at, c)
			if _, known := by[next]; !known {
				by[next] = step{at, c}
				todo = append(todo, next)
			}
		}
	}
	return "", false
}

func (r *Regex) step(state uint16, c byte) uint16 {
	return r.next[int(state)*r.width+int(r.class[c])]
}

// Prefix returns what every path begins with that the expression fits, as far as
// only one character can come next.
func (r *Regex) Prefix() string {
	var prefix []byte
	for at := uint16(1); !r.accepts[at] && len(prefix) < maxPattern; {
		only, next := byte(0), uint16(0)
		for c := byte(first); c <= last; c++ {
			to := r.step(at, c)
			switch {
			case to == 0:
			case next != 0:
				return string(prefix)
			default:
				only, next = c, to
			}
		}
		if next == 0 {
			break
		}
		prefix, at = append(prefix, only), next
	}
	return string(prefix)
}
