package pipeline

import (
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
)

// OnDiscard returns a stage that sends all items on, and calls fn with those that wait in
// front of it when a run ends early: by an error, the end of its context, a loop that was
// left or a [Take]. These are the values that the stage before has made, or a source has
// yielded, and that no function of the stage behind has begun to work on. fn closes them,
// returns them to a pool or to a broker, …: each value is received by the stage behind, or
// given to fn.
//
// The run calls fn for one value at a time, when all other functions of the run have
// returned, and then returns. A panic of fn is an error of the run. OnDiscard costs no
// goroutine; it is a part of the way between its neighbours, like a [Buffer]. OnDiscard
// panics if fn is nil.
func OnDiscard[T any](fn func(T), opts ...Option) Stage[T, T] {
	misuse.Nil(fn == nil, "pipeline: OnDiscard: function")
	n := named("OnDiscard", "on discard", "", opts)
	return Stage[T, T]{
		shape: shapeOf(n),
		connect: func(s scope, out *edge[T]) (*lifetime, *edge[T]) {
			out.keeps = true
			d := &discarding[T]{scope: s, edge: out, fn: fn, name: n.name}
			out.discard = d
			m := s.meter()
			m.from, m.to, m.left = out, []gauge{d}, d.total.Load
			m.begun = func() uint64 {
				if out.discard == gauge(d) {
					return out.Sent()
				}
				return out.discard.Sent()
			}
			s.run.finally(d.call)
			return out.life, out
		},
		exact: true,
	}
}

// A discarding is an OnDiscard in one run.
type discarding[T any] struct {
	scope
	edge  *edge[T]
	fn    func(T)
	name  string
	left  []T
	next  int
	total sched.Uint64
	over  sched.Bool
}

// call gives the values that are left over to the function. It is called again after a Goexit.
func (d *discarding[T]) call() {
	if !d.over.Load() {
		if d.edge.discard == gauge(d) { // not another one in front, on the same edge
			d.left = d.edge.rest()
			d.total.Store(uint64(len(d.left)))
		}
		d.over.Store(true)
	}
	for d.next < len(d.left) {
		v := d.left[d.next]
		d.next++
		outcome.Run(
			func() (struct{}, error) { d.fn(v); return struct{}{}, nil },
			func(_ struct{}, err error) {
				if err != nil {
					d.run.fail(d.name, -1, err)
				}
			})
	}
	d.left = nil
}

// Sent counts the values that have passed on to the stage behind.
func (d *discarding[T]) Sent() uint64 {
	if d.over.Load() {
		return d.edge.Sent() - d.total.Load()
	}
	return d.edge.ring.Freed()
}

func (d *discarding[T]) Freed() uint64 { return d.Sent() }
