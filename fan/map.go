package fan

import (
	"context"

	"github.com/tandemgo/tandem/internal/outcome"
)

// Map calls fn for each element of in, on up to n goroutines, of which the
// caller is one, and returns the results by index. The first error ends the
// context of the other calls, and elements that are not begun stay so; their
// results are zero values. It returns the results, always as many as there are
// elements, and that error, or the cause of ctx if that has ended. An ended ctx
// is noticed between elements. Map panics if ctx or fn is nil or n is less
// than 1.
func Map[In, Out any](ctx context.Context, n int, in []In, fn func(context.Context, In) (Out, error)) ([]Out, error) {
	check(ctx, "Map", n, fn == nil)
	out := make([]Out, len(in))
	err := each(ctx, n, len(in), func(ctx context.Context, i int) (err error) {
		out[i], err = fn(ctx, in[i])
		return err
	})
	return out, err
}

// each calls do for the indexes 0 … size-1 on up to n goroutines, until the
// first error.
func each(ctx context.Context, n, size int, do func(ctx context.Context, i int) error) error {
	c := newCrew(ctx)
	if size == 0 || c.interrupted() {
		return c.join()
	}
	n = min(n, size)
	claims := &claim{n: int64(size), workers: int64(n)}
	for range n - 1 {
		c.wg.Add(1)
		outcome.Spawn(func() { c.work(claims, do) }, c.wg.Done)
	}
	defer c.wg.Wait() // also when a Goexit of do ends the caller
	c.work(claims, do)
	return c.join()
}

// work calls do for runs of indexes until there are none.
func (c *crew) work(claims *claim, do func(ctx context.Context, i int) error) {
	for lo, hi := claims.take(); lo < hi; lo, hi = claims.take() {
		// User code is entered once for a run of elements: what it costs to
		// guard against a panic is not paid for each.
		outcome.Run(func() (struct{}, error) {
			for i := lo; i < hi && !c.interrupted(); i++ {
				if err := do(c.ctx, i); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		}, func(_ struct{}, err error) {
			if err != nil {
				c.fail(err)
			}
			if c.failed.Load() {
				claims.stop()
			}
		})
	}
}
