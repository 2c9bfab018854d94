package fan

import (
	"context"
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

// First calls all of fns at once and returns the first result without an error. The
// contexts of the others then end, and First returns when they have returned; functions
// that have not begun by then are not called. If all fail, or there are none, the error
// wraps ErrNoQuorum and their errors, each a [*TaskError] with the index of the function,
// in the order of fns. If ctx ends first, it is the cause of ctx; if that was before the
// call, it matches [ErrNotStarted], too. First panics if ctx or a function is nil.
func First[T any](ctx context.Context, fns ...func(context.Context) (T, error)) (v T, err error) {
	vs, err := race(ctx, "fan: First", 1, fns)
	if err != nil {
		return v, err
	}
	return vs[0], nil
}

// Quorum is First for k results: it returns the first k without an error, in the order in
// which they came. As soon as so many functions have failed that k cannot be reached any
// more, it ends the others and returns an error that wraps ErrNoQuorum and theirs. If k is
// more than the number of functions, it calls none of them, and the error matches
// [ErrNotStarted]. Quorum panics if k is less than 1, or ctx or a function is nil.
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
	if sched.Err(ctx) != nil {
		return nil, outcome.NotStarted(context.Cause(ctx))
	}
	failed := make([]error, len(fns))
	spare := len(fns) - k // how many may fail
	if spare < 0 {
		return nil, outcome.NotStarted(noQuorum(k, 0, failed))
	}
	racing, cancel := context.WithCancelCause(ctx)
	g := stage.NewGroup()
	defer func() {
		sched.Cancel(func() { cancel(errDone) })
		g.Wait()
	}()

	type finisher struct {
		i   int
		v   T
		err error
	}
	finishers := make(chan finisher, len(fns)) // losers do not wait to be received
	for i, fn := range fns {
		g.Go(func() {
			inherit(ctx)
			outcome.Run(
				func() (v T, err error) {
					if err = ended(ctx, racing); err == nil {
						v, err = fn(racing)
					}
					return v, err
				},
				func(v T, err error) {
					sched.Opaque("a function has finished")
					finishers <- finisher{i, v, err}
				})
		})
	}
	won := make([]T, 0, k)
	for failures := 0; ; {
		sched.Opaque("the race waits for a function")
		f, _, err := ctxselect.Recv(ctx, finishers)
		switch {
		case err != nil:
			return nil, err
		case f.err == nil:
			if won = append(won, f.v); len(won) == k {
				return won, nil
			}
		default:
			failed[f.i] = &TaskError{Index: f.i, Err: f.err}
			if failures++; failures > spare {
				if sched.Err(ctx) != nil { // it may be why they failed
					return nil, context.Cause(ctx)
				}
				return nil, noQuorum(k, failures, failed)
			}
		}
	}
}

// noQuorum returns an error that says how many functions were needed, and wraps the errors.
func noQuorum(k, failures int, failed []error) error {
	return errors.Join(append([]error{
		fmt.Errorf("%w: %d needed, %d of %d failed", ErrNoQuorum, k, failures, len(failed)),
	}, failed...)...)
}
