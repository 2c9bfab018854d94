//go:build points

package explore

import (
	"slices"

	"github.com/tandemgo/tandem/internal/sched"
)

// A pruning runs one order of each class of orders that differ only in steps that
// commute.
//
// It searches the tree of choices depth-first. A node keeps the moves that have been
// explored from it. Explored moves that commute with the chosen move sleep at the next
// node: making one there leads to an order that has been run (Godefroid's sleep sets).
// The runs below a node determine its other moves to explore. A later step is in a race
// with the move chosen at the node if the two do not commute and neither follows from
// the other; then a move is explored that leads to the opposite order (Flanagan and
// Godefroid's backtracking sets).
type pruning struct {
	races    bool // if false, every move that does not sleep is explored
	path     []*node
	depth    int
	run      *Run
	asleep   bool // all moves slept: all continuations have been run
	diverged bool // the run did not repeat the choices of the path
}

// A node is a point of a run at which there is a choice.
type node struct {
	moves    []move
	pending  map[int]*sched.Op // by goroutine
	sleeping map[move][]access // with the accesses of the move when it was made
	explored map[move][]access
	wanted   map[move]bool
	chosen   move
	accesses []access // of the step of chosen
}

func (p *pruning) begin() { p.depth, p.asleep, p.diverged = 0, false, false }

func (p *pruning) choose(r *Run, moves []move, _ bool) int {
	p.run = r
	if p.depth < len(p.path) {
		n := p.path[p.depth]
		if i := slices.Index(moves, n.chosen); i >= 0 && slices.Equal(moves, n.moves) {
			n.note(r)
			p.depth++
			return i
		}
		p.diverged = true
		p.path = p.path[:p.depth]
	}
	n := &node{moves: moves, sleeping: map[move][]access{}, explored: map[move][]access{}, wanted: map[move]bool{}}
	n.note(r)
	if p.depth > 0 {
		before := p.path[p.depth-1]
		before.accesses = r.steps[len(r.steps)-1].accesses
		before.sleepBehind(n)
	}
	pick := slices.IndexFunc(moves, func(m move) bool { return !n.sleeps(m) })
	if pick < 0 {
		p.asleep = true
		return -1
	}
	n.chosen = moves[pick]
	for _, m := range moves {
		n.wanted[m] = !p.races || m.id == n.chosen.id
	}
	p.path = append(p.path, n)
	p.depth++
	return pick
}

// note records the pending operations of this run.
func (n *node) note(r *Run) {
	n.pending = make(map[int]*sched.Op, len(r.waiting))
	for _, a := range r.waiting {
		n.pending[a.id] = a.op
	}
}

func (n *node) sleeps(m move) bool {
	_, ok := n.sleeping[m]
	return ok
}

// sleepBehind puts to sleep at next the moves that have been explored from n, or sleep
// at n, and commute with the chosen move.
func (n *node) sleepBehind(next *node) {
	for _, set := range []map[move][]access{n.sleeping, n.explored} {
		for m, f := range set {
			same := m.id == n.chosen.id || dependent(f, n.accesses) || discovers(f) && discovers(n.accesses)
			if !same {
				next.sleeping[m] = f
			}
		}
	}
}

// next moves to the next path and reports whether there is one.
func (p *pruning) next() bool {
	r := p.run
	p.path = p.path[:min(len(p.path), len(r.steps))]
	for i, n := range p.path {
		n.accesses = r.steps[i].accesses
	}
	if p.races {
		p.findRaces()
	}
	for len(p.path) > 0 {
		n := p.path[len(p.path)-1]
		n.explored[n.chosen] = n.accesses
		for _, m := range n.moves {
			if _, done := n.explored[m]; n.wanted[m] && !done && !n.sleeps(m) {
				n.chosen = m
				return true
			}
		}
		p.path = p.path[:len(p.path)-1]
	}
	return false
}

// A vectorClock has for each goroutine the number of the run's steps up to the last
// step of that goroutine that happened before.
type vectorClock []int

func (c vectorClock) join(o vectorClock) {
	for i, n := range o {
		c[i] = max(c[i], n)
	}
}

// An event is a step of a run, or an operation that was pending at its end.
type event struct {
	move
	op       *sched.Op
	accesses []access
	before   vectorClock // the steps before the goroutine reached the operation
	clock    vectorClock // the steps before the event, and the event
}

// findRaces finds pairs of steps of the run that could have been made in the opposite
// order, and marks moves that lead to it.
func (p *pruning) findRaces() {
	steps := p.run.steps[:len(p.path)]
	none := func() vectorClock { return make(vectorClock, len(p.run.names)) }
	before := make([]vectorClock, len(p.run.names)) // by goroutine, of its next event
	for i := range before {
		before[i] = none()
	}
	all := none() // all steps so far
	var events []event
	for _, s := range steps {
		e := event{move: s.move, op: s.op, accesses: s.accesses, before: slices.Clone(before[s.id])}
		e.order(events)
		e.clock[s.id] = len(events) + 1
		p.findRacesOf(e, events)
		events = append(events, e)
		before[s.id].join(e.clock)
		all.join(e.clock)
		for _, a := range s.arrivals {
			before[a.id].join(e.clock)
			if s.quiet { // time passes only when no goroutine can go on
				before[a.id].join(all)
			}
		}
	}
	for _, a := range p.run.waiting { // operations that could have been performed
		e := event{move: move{a.id, -1}, op: a.op, accesses: p.run.ways(a.op), before: before[a.id]}
		e.order(events)
		p.findRacesOf(e, events)
	}
}

// order sets the clock of e, which comes after events.
func (e *event) order(events []event) {
	e.clock = slices.Clone(e.before)
	for _, f := range events {
		if f.id != e.id && dependent(f.accesses, e.accesses) {
			e.clock.join(f.clock)
		}
	}
}

// findRacesOf finds the steps that are in a race with e, which comes after events, and
// marks a move that leads to an order in which e comes first. In that order the events
// that precede e and do not follow from the step come before e. An event among them
// that follows from no other is explored in place of the step (the source sets of P.
// Abdulla et al., Optimal Dynamic Partial Order Reduction, POPL 2014).
func (p *pruning) findRacesOf(e event, events []event) {
	for j, f := range slices.Backward(events) {
		if f.id == e.id || e.before[f.id] > j || !racing(append(p.run.ways(f.op), f.accesses...), e.accesses) {
			continue
		}
		n := p.path[j]
		if e.way >= 0 && n.pending[e.id] == e.op && !slices.Contains(n.moves, e.move) &&
			(j+1 == len(p.path) || slices.Contains(p.path[j+1].moves, e.move)) {
			continue // f made e possible
		}
		var first []event // of the events that do not follow from f
		var rest []int
		for k := j + 1; k < len(events); k++ {
			if events[k].clock[f.id] <= j {
				if events[k].first(events, rest) {
					first = append(first, events[k])
				}
				rest = append(rest, k)
			}
		}
		if e.first(events, rest) {
			first = append(first, e)
		}
		if !slices.ContainsFunc(first, func(e event) bool { return n.wants(e) }) {
			n.wantOne(first)
		}
	}
}

// first reports whether e follows from none of the events with these indices.
func (e event) first(events []event, of []int) bool {
	return !slices.ContainsFunc(of, func(k int) bool { return e.clock[events[k].id] > k })
}

// wants reports whether the move of e is explored from n.
func (n *node) wants(e event) bool {
	return slices.ContainsFunc(n.moves, func(m move) bool {
		return m.id == e.id && (m.way == e.way || e.way < 0) && n.wanted[m]
	})
}

// wantOne marks one of the events as explored from n, or all moves if none of the
// events is possible there.
func (n *node) wantOne(events []event) {
	for _, e := range slices.Backward(events) {
		if slices.ContainsFunc(n.moves, func(m move) bool { return m.id == e.id }) {
			for _, m := range n.moves {
				n.wanted[m] = n.wanted[m] || m.id == e.id
			}
			return
		}
	}
	for _, m := range n.moves {
		n.wanted[m] = true
	}
}
