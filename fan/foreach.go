package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/outcome"
)

// ForEach calls fn for each item of in, on n goroutines. The first error ends
// the context of the other calls and leaves the loop over in. It returns that
// error, or the cause of ctx if that has ended. The source runs on the
// goroutine of the caller: if it panics, the panic goes on there once the
// goroutines have ended, and if it blocks, it cannot be interrupted. ForEach
// panics if ctx, in or fn is nil or n is less than 1.
func ForEach[T any](ctx context.Context, n int, in iter.Seq[T], fn func(context.Context, T) error) error {
	check(ctx, "ForEach", n, in == nil || fn == nil)
	c := newCrew(ctx)
	if c.interrupted() {
		return c.join()
	}
	items := make(chan T)
	for range n {
		c.wg.Add(1)
		outcome.Spawn(func() {
			for v := range ctxselect.OrDone(c.ctx, items) {
				outcome.Run(
					func() (struct{}, error) { return struct{}{}, fn(c.ctx, v) },
					func(_ struct{}, err error) {
						if err != nil {
							c.fail(err)
						}
					})
			}
		}, c.wg.Done)
	}
	ranged := false
	defer func() {
		if !ranged { // the source panicked or called Goexit
			c.cancel(errDone)
			c.wg.Wait()
		}
	}()
	for v := range in {
		if ctxselect.Send(c.ctx, items, v) != nil {
			c.interrupted()
			break
		}
	}
	ranged = true
	close(items)
	return c.join()
}
