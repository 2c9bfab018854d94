//go:build points

package explore

import "math/rand/v2"

// A move is one way for a goroutine to go on.
type move struct{ id, way int }

// A chooser chooses the next move. If the goroutine of the previous move can go on, its
// moves come first and last is true. A negative result abandons the run.
type chooser interface {
	choose(r *Run, moves []move, last bool) int
}

// fixed makes the given choices, and then always the first.
type fixed []int

func (f *fixed) choose(_ *Run, moves []move, _ bool) int {
	if len(*f) == 0 {
		return 0
	}
	n := (*f)[0]
	*f = (*f)[1:]
	return min(n, len(moves)-1)
}

// depthFirst makes all possible choices with at most bound preemptions, one run after
// the other.
type depthFirst struct {
	bound    int
	path     []choice
	depth    int
	used     int  // preemptions
	bounded  bool // the bound excluded choices
	diverged bool
}

type choice struct{ taken, of int }

func (d *depthFirst) begin() { d.depth, d.used, d.diverged = 0, 0, false }

func (d *depthFirst) choose(_ *Run, moves []move, last bool) int {
	of := len(moves)
	same := 0 // moves of the goroutine of the previous move
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

// next moves to the next path and reports whether there is one.
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

// priorities chooses the goroutine with the highest priority, and lowers its priority
// at a few random steps. If the goroutine has several moves, it chooses one at random.
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
