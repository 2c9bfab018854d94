package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// Zip returns a stage that sends each item through both a and b, and what join
// makes of the two results on, in the order of the items. a and b run in
// parallel, and are part of the run.
//
// Each of them must give one item for each that it gets, in order, or results
// would be joined that do not belong together: Zip panics unless they are made
// of Map, Tap, Throttle, Buffer and Zip, with any number of ordered Workers,
// Retry, Timeout and Replace, and without OnError or DeadLetter. It panics, too,
// if join is nil.
func Zip[In, A, B, Out any](a Stage[In, A], b Stage[In, B], join func(A, B) Out) Stage[In, Out] {
	misuse.Nil(join == nil, "pipeline: Zip: function")
	a.require("Zip")
	b.require("Zip")
	for _, e := range []struct {
		exact bool
		shape
	}{{a.exact, a.shape}, {b.exact, b.shape}} {
		if !e.exact {
			panic("pipeline: Zip: a branch must give one item for each it gets, in order, got " + e.text)
		}
	}
	type pair struct {
		a A
		b B
	}
	joining := newStep("zip", newOptions(nil), func(_ context.Context, p pair) (Out, error) { return join(p.a, p.b), nil })
	sh := zipped(a.shape, b.shape)
	s := inlined(sh, func(s scope, out outlet[Out]) (context.Context, outlet[In]) {
		outA, outB := newHop[A](s.run, s.ctx), newHop[B](s.run, s.ctx)
		_, inA := a.connect(s.at(1), outA)
		_, inB := b.connect(s.at(1+len(a.shape.nodes)), outB)
		sends[In](s, inA)
		sends[In](s, inB)
		zs := s.at(len(sh.nodes) - 1)
		zs.team = s.newTeam()
		receives(zs, outA)
		_, to := joining.connectInline(zs, out)
		s.run.spawn(zs.team.timed(func() {
			for s.ctx.Err() == nil {
				var p pair
				var ok bool
				var err error
				if p.a, ok, err = outA.items.Receive(s.ctx); err == nil && ok {
					p.b, ok, err = outB.items.Receive(s.ctx)
				}
				if err != nil {
					break
				}
				if !ok {
					point.At("pipeline: before a stage ends")
					to.end()
					return
				}
				if to.send(p) != nil {
					break
				}
			}
			s.run.interrupted()
		}))
		t := &teeing[In]{a: inA, b: inB}
		s.begins(func() uint64 { return t.begun })
		return s.ctx, t
	})
	s.exact = true
	return s
}

// A teeing sends each item to two hops.
type teeing[T any] struct {
	a, b  *hop[T]
	begun uint64
}

func (t *teeing[T]) send(v T) error {
	t.begun++
	if err := t.a.send(v); err != nil {
		return err
	}
	return t.b.send(v)
}

func (t *teeing[T]) end() {
	t.a.end()
	t.b.end()
}
