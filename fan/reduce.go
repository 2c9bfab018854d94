package fan

import (
	"context"
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
	check(ctx, "Reduce", n, zero == nil || fold == nil || merge == nil)
	// More parts than workers, so that uneven ones even out.
	parts := make([]Acc, max(1, min(len(in), 8*n)))
	err := each(ctx, n, len(parts), func(ctx context.Context, p int) (err error) {
		acc := zero()
		for i := p * len(in) / len(parts); i < (p+1)*len(in)/len(parts); i++ {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if acc, err = fold(acc, in[i]); err != nil {
				return err
			}
		}
		parts[p] = acc
		return nil
	})
	var result Acc
	if err != nil {
		return result, err
	}
	// As one more element, so that a panic of merge is carried as well.
	err = each(ctx, 1, 1, func(context.Context, int) error {
		result = parts[0]
		for _, part := range parts[1:] {
			result = merge(result, part)
		}
		return nil
	})
	return result, err
}
