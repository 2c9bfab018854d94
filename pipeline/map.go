package pipeline

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Map returns a stage that sends fn of each item. An error of fn ends the run unless
// [WithRetry] or [WithErrorHandler] says otherwise; [ErrSkip] drops the item. The context
// of fn ends with the run. A sink with several workers, or one that is tried again, is a
// Map at the end of the chain: it may send anything, such as how much it has written. Map
// panics if fn is nil.
func Map[In, Out any](fn func(context.Context, In) (Out, error), opts ...Option) Stage[In, Out] {
	misuse.Nil(fn == nil, "pipeline: Map: function")
	return step[In, Out]{newOptions("Map", "map", opts), fn, nil}.stage(true)
}

// A Failure is an item for which the function of [MapOr] has failed.
type Failure[In any] struct {
	Item     In    // the item
	Err      error // the error of the last attempt, such as a [*PanicError] or [ErrGoexit]
	Attempts int   // calls of the function for this item
}

// MapOr returns a [Map] stage that calls or for each item that failed after the last
// attempt. The stage sends the value that or returns, in the place of the item. If or
// returns [ErrSkip], the item is dropped and counted as skipped, as after its Failure was
// written to a dead-letter queue, of which ErrSkip has an Example. With any other error the item fails: the error is joined
// with that of fn, unless it wraps it, and ends the run unless [WithErrorHandler] says
// otherwise. or is not called for an error that only follows from the end of the run, nor
// for an ErrSkip of fn. A stage with several workers may call it from several goroutines
// at once. MapOr panics if a function is nil.
func MapOr[In, Out any](fn func(context.Context, In) (Out, error), or func(context.Context, Failure[In]) (Out, error), opts ...Option) Stage[In, Out] {
	misuse.Nil(fn == nil, "pipeline: MapOr: function")
	misuse.Nil(or == nil, "pipeline: MapOr: second function")
	return step[In, Out]{newOptions("MapOr", "map", opts), fn, or}.stage(true)
}

// Filter returns a stage that sends the items for which keep returns true, and counts the
// others as skipped. Filter treats an error of keep like [Map] does. It panics if keep is
// nil.
func Filter[T any](keep func(context.Context, T) (bool, error), opts ...Option) Stage[T, T] {
	misuse.Nil(keep == nil, "pipeline: Filter: function")
	return step[T, T]{newOptions("Filter", "filter", opts), func(ctx context.Context, v T) (T, error) {
		ok, err := keep(ctx, v)
		if err == nil && !ok {
			err = ErrSkip
		}
		return v, err
	}, nil}.stage(false)
}

// Tap returns a stage that calls fn for each item and sends the item. It panics if fn is
// nil.
func Tap[T any](fn func(T), opts ...Option) Stage[T, T] {
	misuse.Nil(fn == nil, "pipeline: Tap: function")
	return step[T, T]{newOptions("Tap", "tap", opts), func(_ context.Context, v T) (T, error) {
		fn(v)
		return v, nil
	}, nil}.stage(true)
}

// Throttle returns a stage that calls wait before it sends each item, such as the Wait
// method of a rate limiter. Throttle treats an error of wait like [Map] does. It does not
// hold up further attempts of a stage behind it: with [WithRetry], let the function of
// that stage wait itself. Throttle panics if wait is nil.
func Throttle[T any](wait func(context.Context) error, opts ...Option) Stage[T, T] {
	misuse.Nil(wait == nil, "pipeline: Throttle: function")
	return step[T, T]{newOptions("Throttle", "throttle", opts), func(ctx context.Context, v T) (T, error) {
		return v, wait(ctx)
	}, nil}.stage(true)
}
