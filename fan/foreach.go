package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/misuse"
)

// ForEach calls fn for each item of in, on n goroutines. The first error ends
// the context of the other calls and leaves the loop over in. It returns that
// error, or the cause of ctx if that has ended. The source runs on the
// goroutine of the caller, ahead of the calls by 16 items, or more while they are
// quick: if it panics, the panic goes on there once the goroutines have ended,
// and if it blocks, it cannot be interrupted. For a slice, in is slices.Values of
// it, and T may be a type of functions. ForEach panics if ctx, in or fn is nil or
// n is less than 1.
func ForEach[T any](ctx context.Context, n int, in iter.Seq[T], fn func(context.Context, T) error) error {
	check(ctx, "fan: ForEach", n)
	misuse.Nil(fn == nil, "fan: ForEach: function")
	misuse.Nil(in == nil, "fan: ForEach: input")
	c := newCrew(ctx)
	if c.interrupted() {
		return c.join()
	}
	items := link.Adaptive[T](link.Base)
	startHands(ctx, c.ctx, &c.wg, n, false, items, nil, func(ctx context.Context, v T) (struct{}, error) {
		return struct{}{}, fn(ctx, v)
	}, c.fail)
	ranged := false
	defer func() {
		if !ranged { // the source panicked or called Goexit
			c.cancel(errDone)
			c.wg.Wait()
		}
	}()
	for v := range in {
		if ended(ctx, c.ctx) != nil || items.Send(c.ctx, v) != nil {
			c.interrupted()
			break
		}
	}
	ranged = true
	items.Close()
	c.wg.Wait()
	if !items.Ended() {
		c.interrupted() // after the last item was sent, and before it was taken
	}
	return c.join()
}
