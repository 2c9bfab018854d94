package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Map returns a stage that sends fn of each item. An error of fn ends the run,
// unless Retry, Replace, OnError or DeadLetter says otherwise. The context of fn
// ends with the run. A stage that is there for its effect, as at the end of a
// chain, is a Map, too: it may send anything, such as how much it has written.
func Map[In, Out any](fn func(context.Context, In) (Out, error), opts ...Option) Stage[In, Out] {
	misuse.Nil(fn == nil, "pipeline: Map: function")
	return newStep("map", newOptions(opts), fn).stage(true)
}

// Filter returns a stage that sends the items for which keep returns true. An
// error of keep is treated like one of a [Map].
func Filter[T any](keep func(context.Context, T) (bool, error), opts ...Option) Stage[T, T] {
	misuse.Nil(keep == nil, "pipeline: Filter: function")
	return newStep("filter", newOptions(opts), func(ctx context.Context, v T) (T, error) {
		ok, err := keep(ctx, v)
		if err == nil && !ok {
			err = errDropped
		}
		return v, err
	}).stage(false)
}

// Tap returns a stage that calls fn for each item and sends it on.
func Tap[T any](fn func(T)) Stage[T, T] {
	misuse.Nil(fn == nil, "pipeline: Tap: function")
	return newStep("tap", newOptions(nil), func(_ context.Context, v T) (T, error) {
		fn(v)
		return v, nil
	}).stage(true)
}

// Throttle returns a stage that calls wait before it sends each item on, such
// as the Wait method of a rate limiter. An error of wait ends the run. What a stage
// behind it tries again is not held up: with Retry, let the function itself wait.
func Throttle[T any](wait func(context.Context) error) Stage[T, T] {
	misuse.Nil(wait == nil, "pipeline: Throttle: function")
	return newStep("throttle", newOptions(nil), func(ctx context.Context, v T) (T, error) {
		return v, wait(ctx)
	}).stage(true)
}
