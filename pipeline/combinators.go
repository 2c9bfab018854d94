package pipeline

import (
	"context"
	"fmt"
)

// Map returns a stage that sends fn of each item.
func Map[In, Out any](fn func(context.Context, In) (Out, error), opts ...Option) Stage[In, Out] {
	require(fn == nil, "Map")
	return process[In, Out]{
		options: newOptions("map", opts),
		direct:  true,
		burst:   1,
		fn: func(ctx context.Context, in In, emit func(Out) error) error {
			out, err := fn(ctx, in)
			if err != nil {
				return err
			}
			return emit(out)
		},
	}.stage()
}

// Filter returns a stage that sends the items for which keep returns true.
func Filter[T any](keep func(context.Context, T) (bool, error), opts ...Option) Stage[T, T] {
	require(keep == nil, "Filter")
	return process[T, T]{
		options: newOptions("filter", opts),
		direct:  true,
		burst:   1,
		fn: func(ctx context.Context, v T, emit func(T) error) error {
			ok, err := keep(ctx, v)
			if err != nil || !ok {
				return err
			}
			return emit(v)
		},
	}.stage()
}

// FlatMap returns a stage that sends what fn emits for each item: any number of
// items, each at once. emit waits while downstream is busy, and returns an
// error when the run has ended, for fn to return. It may be called by several
// goroutines, until fn returns; later it returns an error. In an ordered stage
// with several workers, a call may be up to 16 items ahead of its turn.
func FlatMap[In, Out any](fn func(ctx context.Context, in In, emit func(Out) error) error, opts ...Option) Stage[In, Out] {
	require(fn == nil, "FlatMap")
	return process[In, Out]{options: newOptions("flatmap", opts), burst: defaultLink, fn: fn}.stage()
}

// Tap returns a stage that calls fn for each item and sends it on.
func Tap[T any](fn func(T)) Stage[T, T] {
	require(fn == nil, "Tap")
	return process[T, T]{
		options: newOptions("tap", nil),
		direct:  true,
		fn: func(_ context.Context, v T, emit func(T) error) error {
			fn(v)
			return emit(v)
		},
	}.stage()
}

// Throttle returns a stage that calls wait before it sends each item on, such
// as the Wait method of a rate limiter. An error of wait ends the run.
func Throttle[T any](wait func(context.Context) error) Stage[T, T] {
	require(wait == nil, "Throttle")
	return process[T, T]{
		options: newOptions("throttle", nil),
		direct:  true,
		fn: func(ctx context.Context, v T, emit func(T) error) error {
			if err := wait(ctx); err != nil {
				return err
			}
			return emit(v)
		},
	}.stage()
}

// Unbatch returns a stage that sends the elements of each slice.
func Unbatch[T any]() Stage[[]T, T] {
	return process[[]T, T]{
		options: newOptions("unbatch", nil),
		direct:  true,
		fn: func(_ context.Context, vs []T, emit func(T) error) error {
			for _, v := range vs {
				if err := emit(v); err != nil {
					return err
				}
			}
			return nil
		},
	}.stage()
}

// Buffer returns a stage that lets up to n items wait between its neighbours;
// without one it is 16. It costs no goroutine. It panics if n is negative.
func Buffer[T any](n int) Stage[T, T] {
	if n < 0 {
		panic(fmt.Sprintf("pipeline: Buffer: size must not be negative, got %d", n))
	}
	return Stage[T, T]{
		shape: []node{{"buffer", fmt.Sprint(n)}},
		build: func(s scope) (scope, func(link[T]) link[T]) {
			// It is the capacity of the link that the stage before sends to.
			up := s.upstream()
			up.capacity = n
			return up, func(in link[T]) link[T] { return in }
		},
	}
}

func require(missing bool, call string) {
	if missing {
		panic("pipeline: " + call + ": function must not be nil")
	}
}
