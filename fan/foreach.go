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
// The source runs on the goroutine of the caller, ahead of the calls by at most 16 items,
// or 1,024 while items take no longer than a few microseconds. If it panics, the panic goes
// on there once the goroutines have ended, and if it blocks, it cannot be interrupted. For a slice, in is slices.Values of it, and T may be a type of functions.
// ForEach panics if ctx, in or fn is nil or n is less than 1.
func ForEach[T any](ctx context.Context, n int, in iter.Seq[T], fn func(context.Context, T) error) error {
	check(ctx, "fan: ForEach", n)
	misuse.Nil(fn == nil, "fan: ForEach: function")
	misuse.Nil(in == nil, "fan: ForEach: input")
	s := &stream[T, struct{}]{n: n, fn: func(ctx context.Context, v T) (none struct{}, err error) { return none, fn(ctx, v) }}
	s.start(ctx, false)
	ranged := false
	defer func() {
		if !ranged { // the source panicked or called Goexit
			s.join(errDone)
		}
	}()
	s.last = s.feed(in)
	ranged = true
	s.items.Close()
	s.join(nil)
	var failed *TaskError
	err := s.stopped.Load()
	switch {
	case err != nil && errors.As(*err, &failed):
		return *err
	case err != nil || s.last != nil || s.begun.Load() < s.items.Sent():
		return s.because(context.Cause(ctx))
	}
	return nil
}
