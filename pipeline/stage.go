package pipeline

import "context"

// A Stage turns a stream of In into a stream of Out. It is an immutable recipe:
// it holds no goroutine and no data, may be copied, shared and run any number
// of times, also at once. The zero value is not usable.
//
// Its methods append another stage. Those that change the type of the items, such as Map
// and Batch, need Go 1.27. An older compiler reports that Stage has no such method: use the
// functions of the same names and [Then] there.
type Stage[In, Out any] struct {
	shape shape
	// connect puts the stage into a run, in front of out. It returns the
	// sink of the stage before, and the lifetime of that one.
	connect func(s scope, out *edge[Out]) (*lifetime, *edge[In])
	// inline is connect for a stage that works on the goroutine of the stage
	// before; nil if it cannot.
	inline func(s scope, out sink[Out]) (*lifetime, sink[In])
	// before and after say that the stage runs no function of the user and costs
	// no parallelism on the goroutine of the stage before it, or behind it. A
	// Batch on that of the stage behind would not fill while that one works; an
	// Unbatch on that of the stage before would keep it from its next slice.
	before, after bool
	// exact: each item in gives one item out, in order.
	exact bool
}

// inlined returns a stage that inline describes, with a goroutine of its own
// wherever it is not fused.
func inlined[In, Out any](sh shape, inline func(scope, sink[Out]) (*lifetime, sink[In])) Stage[In, Out] {
	return Stage[In, Out]{shape: sh, inline: inline, connect: connected(inline)}
}

// Then returns the stage that feeds the output of first to second. Both run in
// parallel.
func Then[A, B, C any](first Stage[A, B], second Stage[B, C]) Stage[A, C] {
	first.require("Then")
	second.require("Then")
	if first.inline != nil && second.inline != nil && (first.after || second.before) {
		return fuse(first, second)
	}
	return Stage[A, C]{
		shape: first.shape.then(second.shape, false),
		connect: func(s scope, out *edge[C]) (*lifetime, *edge[A]) {
			life, mid := second.connect(s.at(len(first.shape.nodes)), out)
			return first.connect(s.under(life), mid)
		},
		exact: first.exact && second.exact,
	}
}

// Fuse is [Then] for two cheap stages: both work on one goroutine, and an item
// goes from the first to the second by a call, which saves a goroutine and takes
// less of the processor than the way to another one. They do not run in
// parallel, so it gains time only where there are more stages than cores and each
// does next to nothing. Everything else stays as it is: names, errors, counts,
// order.
//
// Neither may have goroutines, queues or a state of its own: Fuse panics if it is given a
// stage with several workers, a Buffer, an OnDiscard, a Stateful, a Batch with an age, a
// chain made by Then, or one that is observed on its own.
func Fuse[A, B, C any](first Stage[A, B], second Stage[B, C]) Stage[A, C] {
	first.require("Fuse")
	second.require("Fuse")
	if first.inline == nil {
		notFusible(first.shape)
	}
	if second.inline == nil {
		notFusible(second.shape)
	}
	return fuse(first, second)
}

func notFusible(sh shape) {
	panic("pipeline: Fuse: both stages must work on one goroutine each, got " + sh.text)
}

func fuse[A, B, C any](first Stage[A, B], second Stage[B, C]) Stage[A, C] {
	s := inlined(first.shape.then(second.shape, true), func(s scope, out sink[C]) (*lifetime, sink[A]) {
		life, mid := second.inline(s.at(len(first.shape.nodes)), out)
		return first.inline(s.under(life), counting(s, len(first.shape.nodes), mid))
	})
	s.before, s.after = first.before && second.before, first.after && second.after
	s.exact = first.exact && second.exact
	return s
}

func (s Stage[In, Out]) require(call string) {
	if s.connect == nil {
		panic("pipeline: " + call + ": the zero Stage is not usable, make one with Map, Filter, …")
	}
}

// Filter appends a [Filter] stage to s.
func (s Stage[In, Out]) Filter(keep func(context.Context, Out) (bool, error), opts ...Option) Stage[In, Out] {
	return Then(s, Filter(keep, opts...))
}

// Tap appends a [Tap] stage to s.
func (s Stage[In, Out]) Tap(fn func(Out), opts ...Option) Stage[In, Out] {
	return Then(s, Tap(fn, opts...))
}

// Take appends a [Take] stage to s.
func (s Stage[In, Out]) Take(n int, opts ...Option) Stage[In, Out] {
	return Then(s, Take[Out](n, opts...))
}

// Buffer appends a [Buffer] stage to s.
func (s Stage[In, Out]) Buffer(n int, opts ...Option) Stage[In, Out] {
	return Then(s, Buffer[Out](n, opts...))
}

// OnDiscard appends an [OnDiscard] stage to s.
func (s Stage[In, Out]) OnDiscard(fn func(Out), opts ...Option) Stage[In, Out] {
	return Then(s, OnDiscard(fn, opts...))
}

// Throttle appends a [Throttle] stage to s.
func (s Stage[In, Out]) Throttle(wait func(context.Context) error, opts ...Option) Stage[In, Out] {
	return Then(s, Throttle[Out](wait, opts...))
}
