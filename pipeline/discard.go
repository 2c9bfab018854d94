package pipeline

import (
	"context"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
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
		connect: func(s scope, out *hop[T]) (context.Context, *hop[T]) {
			out.keeps = true
			d := &discarding[T]{scope: s, hop: out, fn: fn, name: n.name}
			out.discard = d
			if m := s.meter(); m != nil {
				s.begins(func() uint64 {
					if out.discard == gauge(d) {
						return out.Sent()
					}
					return out.discard.Sent()
				})
				s.leaves(d.total.Load)
				s.run.prepare(func() { m.from, m.to = out, []gauge{d} })
			}
			s.run.finally(d.call)
			return out.ctx, out
		},
		exact: true,
	}
}

// A discarding is an OnDiscard in one run.
type discarding[T any] struct {
	scope
	hop   *hop[T]
	fn    func(T)
	name  string
	left  []T
	next  int
	total atomic.Uint64
	over  atomic.Bool
}

// call gives the values that are left over to the function. It is called again after a Goexit.
func (d *discarding[T]) call() {
	if !d.over.Load() {
		if d.hop.discard == gauge(d) { // not another one in front, on the same hop
			d.left = d.hop.rest()
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
		return d.hop.Sent() - d.total.Load()
	}
	return d.hop.items.Freed()
}

func (d *discarding[T]) Freed() uint64 { return d.Sent() }
