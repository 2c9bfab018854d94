package fan

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Reduce folds the elements of in, on up to n goroutines, of which the caller
// is one. Each folds parts of neighbouring elements, from the left, starting
// with zero(); merge then puts the parts together from left to right. For a
// merge that is associative and has zero() as its neutral element, the result
// is that of the sequential fold. Of no elements it is zero().
//
// The first error of fold ends the others. It returns that error, or the cause
// of ctx if that has ended, with the zero value of Acc. Reduce panics if ctx or
// a function is nil or n is less than 1.
func Reduce[In, Acc any](ctx context.Context, n int, in []In, zero func() Acc, fold func(Acc, In) (Acc, error), merge func(Acc, Acc) Acc) (Acc, error) {
	check(ctx, "fan: Reduce", n)
	misuse.Nil(zero == nil || fold == nil || merge == nil, "fan: Reduce: function")
	// More parts than workers, so that uneven ones even out.
	parts := make([]Acc, max(1, min(len(in), 8*n)))
	err := each(ctx, n, len(parts), func(s *sweep) part {
		return func(p, hi int) (int, error) {
			for ; p < hi; p++ {
				acc, err := zero(), error(nil)
				for _, v := range in[p*len(in)/len(parts) : (p+1)*len(in)/len(parts)] {
					if s.signal.Load()&stop != 0 {
						return p, nil
					}
					if acc, err = fold(acc, v); err != nil {
						return p, err
					}
				}
				if parts[p] = acc; s.interrupted() {
					return p + 1, nil
				}
			}
			return hi, nil
		}
	})
	var result Acc
	if err != nil {
		return result, err
	}
	// As one more element, so that a panic of merge is carried as well.
	err = each(ctx, 1, 1, func(*sweep) part {
		return func(int, int) (int, error) {
			result = parts[0]
			for _, part := range parts[1:] {
				result = merge(result, part)
			}
			return 1, nil
		}
	})
	return result, err
}
