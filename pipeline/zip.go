package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Zip returns a stage that sends each item through both a and b, joins the two results,
// and sends the joined ones in the order of the items. a and b run in
// parallel, and are part of the run.
//
// Each branch must give one item for each that it gets, in order, or Zip would join
// results that do not belong together. So Zip panics unless both are made of Map, MapOr,
// Tap, Throttle, Buffer, OnDiscard and Zip, with any number of ordered workers and without
// [WithErrorHandler], and [ErrSkip] ends the run. Zip also panics if join is nil.
func Zip[In, A, B, Out any](a Stage[In, A], b Stage[In, B], join func(A, B) Out, opts ...Option) Stage[In, Out] {
	misuse.Nil(join == nil, "pipeline: Zip: function")
	a.requireExact()
	b.requireExact()
	type pair struct {
		a A
		b B
	}
	o := newOptions("Zip", "zip", opts, perItem...)
	joining := step[pair, Out]{o, func(_ context.Context, p pair) (Out, error) { return join(p.a, p.b), nil }, nil}
	sh := zipped(o.name, a.shape, b.shape)
	s := inlined(sh, func(s scope, out sink[Out]) (*lifetime, sink[In]) {
		outA, outB := newEdge[A](s.life), newEdge[B](s.life)
		branch := s
		branch.exactly = true
		_, inA := a.connect(branch.at(1), outA)
		_, inB := b.connect(branch.at(1+len(a.shape.nodes)), outB)
		sends[In](s, inA)
		sends[In](s, inB)
		zs := s.at(len(sh.nodes) - 1)
		zs.team = s.newTeam()
		receives(zs, outA)
		sends(zs, out)
		to := newSerial(joining, zs, out)
		to.receivesFrom(func(p pair) {
			outA.giveBack(p.a)
			outB.giveBack(p.b)
		})
		s.run.spawn(zs.team.timed(func() {
			for {
				var p pair
				var ok bool
				var err error
				if p.a, ok, err = outA.receive(); err == nil && ok {
					if p.b, ok, err = outB.receive(); !ok {
						outA.giveBack(p.a)
					}
				}
				if err == nil && !ok {
					to.end()
					return
				}
				if err != nil || sendGuarded(to, p) != nil {
					s.run.interrupted()
					return
				}
			}
		}))
		t := &teeing[In]{a: inA, b: inB}
		s.meter().begun = func() uint64 { return t.begun }
		return s.life, t
	})
	s.exact = true
	return s
}

// requireExact panics unless s may be a branch of Zip.
func (s Stage[In, Out]) requireExact() {
	s.require("Zip")
	if !s.exact {
		panic("pipeline: Zip: a branch must give one item for each it gets, in order, got " + s.shape.text)
	}
}

// A teeing sends each item to two edges.
type teeing[T any] struct {
	a, b  *edge[T]
	begun uint64
}

func (t *teeing[T]) send(v T) error {
	t.begun++
	if err := t.a.send(v); err != nil {
		t.b.refuse(v)
		return err
	}
	return t.b.send(v)
}

func (t *teeing[T]) caught(error) (error, bool) { return nil, false }

func (t *teeing[T]) end() {
	t.a.end()
	t.b.end()
}
