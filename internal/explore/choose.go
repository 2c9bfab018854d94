//go:build points

package explore

import "math/rand/v2"

// A move is one way for a goroutine to go on.
type move struct{ id, way int }

// A chooser chooses which move is made. Those of the goroutine that went on last come
// first, if it can go on; last says that it can. A negative number gives the run up.
type chooser interface {
	choose(r *Run, moves []move, last bool) int
}

// fixed makes choices that are given, and the first one thereafter.
type fixed []int

func (f *fixed) choose(_ *Run, moves []move, _ bool) int {
	if len(*f) == 0 {
		return 0
	}
	n := (*f)[0]
	*f = (*f)[1:]
	return min(n, len(moves)-1)
}

// depthFirst makes all choices there are, one after the other, with so many
// preemptions at most.
type depthFirst struct {
	bound    int
	path     []choice
	depth    int
	used     int  // preemptions
	bounded  bool // there would have been more choices
	diverged bool
}

type choice struct{ taken, of int }

func (d *depthFirst) begin() { d.depth, d.used, d.diverged = 0, 0, false }

func (d *depthFirst) choose(_ *Run, moves []move, last bool) int {
	of := len(moves)
	same := 0 // moves of the goroutine that went on last
	for last && same < of && moves[same].id == moves[0].id {
		same++
	}
	if last && of > same && d.used == d.bound {
		d.bounded = true
		of = same
	}
	if d.depth == len(d.path) {
		d.path = append(d.path, choice{0, of})
	}
	c := &d.path[d.depth]
	if c.of != of {
		d.diverged = true
		c.of, c.taken = of, min(c.taken, of-1)
		d.path = d.path[:d.depth+1]
	}
	d.depth++
	if last && c.taken >= same {
		d.used++
	}
	return c.taken
}

// next goes to the next path and reports whether there is one.
func (d *depthFirst) next() bool {
	d.path = d.path[:d.depth]
	for n := len(d.path); n > 0; n-- {
		if c := &d.path[n-1]; c.taken+1 < c.of {
			c.taken++
			d.path = d.path[:n]
			return true
		}
	}
	return false
}

// priorities lets the goroutine with the highest priority go on, which changes at a
// few steps at random. If it has several moves, one is chosen at random.
type priorities struct {
	rand    *rand.Rand
	of      map[int]int
	changes map[int]bool
	steps   int
	low     int
}

func newPriorities(r *rand.Rand, steps int) *priorities {
	p := &priorities{rand: r, of: make(map[int]int), changes: make(map[int]bool)}
	for range 1 + r.IntN(4) {
		p.changes[r.IntN(steps)] = true
	}
	return p
}

func (p *priorities) choose(_ *Run, moves []move, _ bool) int {
	best := 0
	for i, m := range moves {
		if _, ok := p.of[m.id]; !ok {
			p.of[m.id] = 1 + p.rand.IntN(1<<30)
		}
		b := moves[best].id
		if p.of[m.id] > p.of[b] || i > best && m.id == b && p.rand.IntN(2) == 0 {
			best = i
		}
	}
	if p.changes[p.steps] {
		p.low--
		p.of[moves[best].id] = p.low
	}
	p.steps++
	return best
}
