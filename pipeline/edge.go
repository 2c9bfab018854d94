package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
)

// An edge is the way of items from one goroutine to the next.
type edge[T any] struct {
	// life is the sender's. The receiver leaves with it, too.
	life     *lifetime
	ring     *spsc.Ring[T]
	buffered int          // the sum of the Buffers; -1 if there is none
	blocks   *stage.Clock // how long the sender is parked; may be nil
	waits    *stage.Clock // the same for the receiver

	// unsent counts values that were made for the edge when the run was at its end.
	unsent  sched.Uint64
	keeps   bool  // an OnDiscard wants the values that are left over
	discard gauge // of the OnDiscard that gets it; nil if there is none
	mu      sched.Mutex
	left    []T // values that were not sent, or taken and not begun, if it keeps them
}

func newEdge[T any](life *lifetime) *edge[T] {
	e := &edge[T]{life: life, ring: spsc.Adaptive[T](spsc.Base), buffered: -1}
	life.wakes = append(life.wakes, e.ring.Wake)
	return e
}

// most bounds the items of an edge, so that sums of such bounds fit an int of 32 bits.
const most = 1 << 28

// buffer makes the edge hold n items more than other Buffers have asked for.
func (e *edge[T]) buffer(n int) {
	e.buffered = min(max(e.buffered, 0)+min(n, most), most)
	e.ring.Bound(e.buffered)
}

// widen makes room for the results of the workers, in work or waiting for their turn: two each.
func (e *edge[T]) widen(workers int) {
	n := 2 * min(workers, most/2)
	if e.buffered < 0 {
		e.ring.Adapt(max(n, spsc.Base))
		return
	}
	e.ring.Bound(e.buffered + n)
}

func (e *edge[T]) send(v T) error {
	if e.ring.TryPush(v) {
		return nil
	}
	e.blocks.Turn(1)
	err := e.ring.Push(e.life, v)
	e.blocks.Turn(-1)
	if err != nil {
		e.refuse(v)
	}
	return err
}

func (e *edge[T]) end() { e.ring.Close() }

func (e *edge[T]) caught(error) (error, bool) { return nil, false }

// receive takes the next item. It waits for one until the end, which is ok == false, or
// until the lifetime ends, which is an error.
func (e *edge[T]) receive() (v T, ok bool, err error) {
	if v, ok = e.ring.TryPop(); ok && !e.ring.Fresh() {
		return v, true, nil
	}
	return e.look(v, ok)
}

// look is receive when no item was there, or after one that was: then it looks at the
// context.
func (e *edge[T]) look(v T, ok bool) (T, bool, error) {
	switch {
	case ok && sched.Err(e.life.Context) != nil:
		e.giveBack(v)
		return v, false, context.Cause(e.life.Context)
	case ok:
		return v, true, nil
	}
	e.waits.Turn(1)
	defer e.waits.Turn(-1)
	return e.ring.Pop(e.life)
}

// refuse takes a value that was made for the edge and is not sent, as the run has ended. It
// counts as sent: it is discarded between two stages.
func (e *edge[T]) refuse(v T) {
	e.unsent.Add(1)
	e.giveBack(v)
}

// giveBack takes a value that was received from the edge and not begun.
func (e *edge[T]) giveBack(v T) {
	if e.keeps {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.left = append(e.left, v)
	}
}

// rest returns the values that are left over. It is called when all goroutines have ended.
func (e *edge[T]) rest() []T {
	for v, ok := e.ring.TryPop(); ok; v, ok = e.ring.TryPop() {
		e.left = append(e.left, v)
	}
	return e.left
}

// Sent and Freed make an edge a gauge.
func (e *edge[T]) Sent() uint64  { return e.ring.Sent() + e.unsent.Load() }
func (e *edge[T]) Freed() uint64 { return e.ring.Freed() }

// connected returns the connect of a stage that has inline: a goroutine that sends the
// items of an edge to it.
func connected[In, Out any](inline func(scope, sink[Out]) (*lifetime, sink[In])) func(scope, *edge[Out]) (*lifetime, *edge[In]) {
	return func(s scope, out *edge[Out]) (*lifetime, *edge[In]) { return drive(s, out, inline) }
}

// drive is connected for any sink.
func drive[In, Out any](s scope, out sink[Out], inline func(scope, sink[Out]) (*lifetime, sink[In])) (*lifetime, *edge[In]) {
	s.team = s.newTeam()
	life, to := inline(s, out)
	in := newEdge[In](life)
	receives(s, in)
	if w, ok := to.(interface{ receivesFrom(func(In)) }); ok {
		w.receivesFrom(in.giveBack)
	}
	s.run.spawn(s.team.timed(func() {
		if b, ok := to.(interface{ begin() error }); ok && b.begin() != nil || in.passAll(to) != nil {
			s.run.interrupted()
		}
	}))
	return life, in
}

// passAll sends the items of the edge to a sink, up to the end. An error says that it has
// stopped before.
func (e *edge[T]) passAll(to sink[T]) (err error) {
	for again := true; again && err == nil; {
		again, err = e.pass(to)
	}
	return err
}

// pass is passAll up to a panic of a function.
func (e *edge[T]) pass(to sink[T]) (again bool, err error) {
	again = true
	returned := false
	defer guard(to, &returned, &err)
	for {
		var end error
		v, ok := e.ring.TryPop() // as in receive, without a call
		if !ok || e.ring.Fresh() {
			v, ok, end = e.look(v, ok)
		}
		if end == nil && ok {
			end = to.send(v)
		} else if end == nil {
			to.end()
		}
		if end != nil || !ok {
			returned = true
			return false, end
		}
	}
}
