package fan

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// First calls all of fns at once and returns the first result without an error.
// The contexts of the others then end, and First returns when they have
// returned; those that have not begun by then are not called. If all fail, or there are none, the error wraps ErrNoQuorum and
// theirs, in the order of fns. If ctx ends first, it is the cause of ctx. First
// panics if ctx or a function is nil.
func First[T any](ctx context.Context, fns ...func(context.Context) (T, error)) (T, error) {
	vs, err := race(ctx, "fan: First", 1, fns)
	if err != nil {
		var zero T
		return zero, err
	}
	return vs[0], nil
}

// Quorum is First for k results: it returns the first k without an error, in
// the order in which they came. As soon as so many functions have failed that k
// cannot be reached any more, it ends the others and returns an error that wraps
// ErrNoQuorum and theirs. If k is more than the number of functions, it calls
// none of them. Quorum panics if k is less than 1, or ctx or a function is nil.
func Quorum[T any](ctx context.Context, k int, fns ...func(context.Context) (T, error)) ([]T, error) {
	return race(ctx, "fan: Quorum", k, fns)
}

func race[T any](ctx context.Context, call string, k int, fns []func(context.Context) (T, error)) ([]T, error) {
	ctxselect.Require(ctx, call)
	misuse.Below(k, 1, "fan: Quorum: k")
	for _, fn := range fns {
		if fn == nil {
			misuse.Nil(true, call+": function")
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	failed := make([]error, len(fns))
	spare := len(fns) - k // how many may fail
	if spare < 0 {
		return nil, noQuorum(k, 0, failed)
	}
	racing, cancel := context.WithCancelCause(ctx)
	l := labelsOf(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(errDone)

	type finisher struct {
		i int
		Result[T]
	}
	finishers := make(chan finisher, len(fns)) // losers do not wait to be received
	for i, fn := range fns {
		wg.Go(func() {
			point.At("fan: begins to race")
			l.set()
			outcome.Run(
				func() (v T, err error) {
					if err = ended(ctx, racing); err == nil {
						v, err = fn(racing)
					}
					return v, err
				},
				func(v T, err error) {
					point.At("fan: before it finishes")
					finishers <- finisher{i, Result[T]{v, err}}
				})
		})
	}
	won := make([]T, 0, k)
	for failures := 0; ; {
		f, _, err := ctxselect.Recv(ctx, finishers)
		point.At("fan: one has finished")
		switch {
		case err != nil:
			return nil, err
		case f.Err == nil:
			if won = append(won, f.Value); len(won) == k {
				return won, nil
			}
		default:
			failed[f.i] = f.Err
			if failures++; failures > spare {
				if ctx.Err() != nil { // it may be why they failed
					return nil, context.Cause(ctx)
				}
				return nil, noQuorum(k, failures, failed)
			}
		}
	}
}

// noQuorum returns an error that says what was needed and wraps what failed.
func noQuorum(k, failures int, failed []error) error {
	return errors.Join(append([]error{
		fmt.Errorf("%w: %d needed, %d of %d failed", ErrNoQuorum, k, failures, len(failed)),
	}, failed...)...)
}
