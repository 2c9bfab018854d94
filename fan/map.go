package fan

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Map calls fn for each element of in, on up to n goroutines, of which the
// caller is one, and returns the results by index. The first error ends the
// context of the other calls, and elements that are not begun stay so; their
// results are zero values. It returns the results, always as many as there are
// elements, and that error, or the cause of ctx if that has ended. An ended ctx
// is noticed between elements. Others than the caller join when the work has
// lasted for 20 µs, also while the first element takes longer, so it may be used
// for cheap and for few elements as well. Each goroutine takes runs of neighbours,
// so elements are not begun in their order; with [Seq] they are. Map panics if ctx
// or fn is nil or n is less than 1; for all elements at once n is
// max(1, len(in)).
func Map[In, Out any](ctx context.Context, n int, in []In, fn func(context.Context, In) (Out, error)) ([]Out, error) {
	check(ctx, "fan: Map", n)
	misuse.Nil(fn == nil, "fan: Map: function")
	out := make([]Out, len(in))
	err := each(ctx, n, len(in), func(s *sweep) part {
		return func(lo, hi int) (int, error) {
			to := out[lo:hi]
			for i, v := range in[lo:hi] {
				r, err := fn(&s.ctx, v)
				if err != nil {
					return lo + i, err
				}
				to[i] = r
				if s.interrupted() {
					return lo + i + 1, nil
				}
			}
			return hi, nil
		}
	})
	return out, err
}
