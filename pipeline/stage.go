package pipeline

import (
	"context"
)

// A Stage turns a stream of In into a stream of Out. It is an immutable recipe:
// it holds no goroutine and no data, may be copied, shared and run any number
// of times, also at once. The zero value is not usable.
type Stage[In, Out any] struct {
	shape []node
	// build is called once a run, with the scope the stage is in.
	build func(scope) (up scope, connect func(link[In]) link[Out])
}

// Then returns the stage that feeds what first produces to second. Both run in
// parallel.
func Then[A, B, C any](first Stage[A, B], second Stage[B, C]) Stage[A, C] {
	first.require("Then")
	second.require("Then")
	return Stage[A, C]{
		shape: append(append([]node{}, first.shape...), second.shape...),
		build: func(s scope) (scope, func(link[A]) link[C]) {
			last := s
			last.position += len(first.shape)
			up, connectSecond := second.build(last)
			up.watch, up.position = s.watch, s.position
			up, connectFirst := first.build(up)
			return up, func(in link[A]) link[C] { return connectSecond(connectFirst(in)) }
		},
	}
}

func (s Stage[In, Out]) require(call string) {
	if s.build == nil {
		panic("pipeline: " + call + ": the zero Stage is not usable, make one with Map, Filter, …")
	}
}

// Filter is [Filter] behind s.
func (s Stage[In, Out]) Filter(keep func(context.Context, Out) (bool, error), opts ...Option) Stage[In, Out] {
	return Then(s, Filter(keep, opts...))
}

// Tap is [Tap] behind s.
func (s Stage[In, Out]) Tap(fn func(Out)) Stage[In, Out] { return Then(s, Tap(fn)) }

// Take is [Take] behind s.
func (s Stage[In, Out]) Take(n int) Stage[In, Out] { return Then(s, Take[Out](n)) }

// Buffer is [Buffer] behind s.
func (s Stage[In, Out]) Buffer(n int) Stage[In, Out] { return Then(s, Buffer[Out](n)) }

// Throttle is [Throttle] behind s.
func (s Stage[In, Out]) Throttle(wait func(context.Context) error) Stage[In, Out] {
	return Then(s, Throttle[Out](wait))
}

// Observe returns s with o counting what its stages do, in every run of it.
// Stages that an inner Observe watches are counted there.
func (s Stage[In, Out]) Observe(o *Observer) Stage[In, Out] {
	s.require("Observe")
	if o == nil {
		panic("pipeline: Observe: observer must not be nil")
	}
	o.register(s.shape)
	return Stage[In, Out]{
		shape: s.shape,
		build: func(sc scope) (scope, func(link[In]) link[Out]) {
			sc.watch, sc.position = o, 0
			return s.build(sc)
		},
	}
}
