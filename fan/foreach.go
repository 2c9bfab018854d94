package fan

import (
	"context"
	"errors"
	"iter"

	"github.com/tandemgo/tandem/internal/misuse"
)

// ForEach calls fn for each item of in, on n goroutines. The first error ends the context
// of the other calls and leaves the loop over in. ForEach returns it as a [*TaskError]
// with the index of the item, or the cause of ctx if that has ended first; the latter
// matches [ErrNotStarted] if items never started.
//
// The source runs on the goroutine of the caller, ahead of the results by at most 2n + 16
// items, or 2,047 while items take no longer than two microseconds. If it panics, the
// panic goes on there once the goroutines have ended, and if it blocks, it cannot be
// interrupted. For a slice, in is slices.Values of it, and T may be a type of functions.
// ForEach panics if ctx, in or fn is nil or n is less than 1.
func ForEach[T any](ctx context.Context, n int, in iter.Seq[T], fn func(context.Context, T) error) error {
	check(ctx, "fan: ForEach", n)
	misuse.Nil(fn == nil, "fan: ForEach: function")
	misuse.Nil(in == nil, "fan: ForEach: input")
	s := newStream[struct{}](ctx, n, func(ctx context.Context, v T) (none struct{}, err error) { return none, fn(ctx, v) })
	ranged := false
	defer func() {
		if !ranged { // the source panicked or called Goexit
			s.join(errDone)
		}
	}()
	left := ended(ctx, s.ctx)
	if left == nil {
		for v := range in {
			if !s.push(v, struct{}{}) {
				left = errDone
				break
			}
		}
	}
	ranged = true
	s.end(left)
	s.join(nil)
	_, failed := errors.AsType[*TaskError](s.err)
	switch {
	case failed:
		return s.err
	case s.err != nil || left != nil || s.begun < s.count:
		return s.because(context.Cause(ctx))
	}
	return nil
}
