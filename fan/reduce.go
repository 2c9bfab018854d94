package fan

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// Reduce folds the elements of in, on up to n goroutines, of which the caller is one.
// Each folds parts of neighbouring elements, from the left, starting with zero(); merge
// then puts neighbouring parts together, on up to n goroutines, until one is left. For a
// merge that is associative and has zero() as its neutral element, the result is that of
// the sequential fold. Of no elements it is zero().
//
// The first error of fold ends the others. Reduce returns that error as a [*TaskError],
// or the cause of ctx if that has ended, with the zero value of Acc; the error matches
// [ErrNotStarted] if elements were not folded. A panic of merge is returned as a
// [*PanicError]. An ended ctx is noticed before each call of fold and merge. Reduce
// panics if ctx or a function is nil or n is less than 1.
//
// Goroutines other than the caller join as those of [Map] do. There are about n parts. A
// goroutine that has nothing to do takes over elements of another one's part, which makes
// a part more, so an element that has not begun waits for a free goroutine no longer than
// in Map.
func Reduce[In, Acc any](ctx context.Context, n int, in []In, zero func() Acc, fold func(Acc, In) (Acc, error), merge func(Acc, Acc) Acc) (Acc, error) {
	check(ctx, "fan: Reduce", n)
	misuse.Nil(zero == nil || fold == nil || merge == nil, "fan: Reduce: function")
	r := &reduction[In, Acc]{in: in, zero: zero, fold: fold}
	r.floor = (len(in)-1)/min(n, max(1, len(in))) + 1
	var none Acc
	if err := r.do(ctx, n, len(in), r); err != nil {
		return none, err
	}
	if len(in) == 0 {
		return zero(), nil
	}
	parts := r.parts
	slices.SortFunc(parts, func(a, b *folded[Acc]) int { return cmp.Compare(a.lo, b.lo) })
	for len(parts) > 1 {
		merged, err := Map(ctx, n, slices.Collect(slices.Chunk(parts, 2)), func(_ context.Context, pair []*folded[Acc]) (*folded[Acc], error) {
			if len(pair) == 2 {
				pair[0].acc = merge(pair[0].acc, pair[1].acc)
			}
			return pair[0], nil
		})
		if failed, ok := errors.AsType[*TaskError](err); ok {
			err = failed.Err // the index is that of a pair
		}
		if err != nil {
			return none, err
		}
		parts = merged
	}
	return parts[0].acc, nil
}

// A reduction is the work of the folds of a Reduce.
type reduction[In, Acc any] struct {
	parallelFor
	in    []In
	zero  func() Acc
	fold  func(Acc, In) (Acc, error)
	parts []*folded[Acc] // guarded by mu
}

func (r *reduction[In, Acc]) part() part { return &folder[In, Acc]{reduction: r} }

// A folder is a worker of a reduction. It folds elements that follow each other into one
// value.
type folder[In, Acc any] struct {
	*reduction[In, Acc]
	to *folded[Acc] // nil before the first element
}

// A folded is the value of the elements from lo up to hi.
type folded[Acc any] struct {
	lo, hi int
	acc    Acc
}

func (f *folder[In, Acc]) run(at *int, lo, hi int) (err error) {
	*at = lo + 1 // zero is called for the first element, too
	if f.to == nil || f.to.hi != lo {
		f.to = &folded[Acc]{lo, lo, f.zero()}
		f.mu.Lock()
		f.parts = append(f.parts, f.to)
		f.mu.Unlock()
	}
	acc := f.to.acc
	for i, v := range f.in[lo:hi] {
		if f.ends && sched.Err(f.Context) != nil {
			*at = lo + i
			break
		}
		*at = lo + i + 1
		if acc, err = f.fold(acc, v); err != nil {
			return err
		}
		if f.signal.Load() != 0 {
			break
		}
	}
	f.to.hi, f.to.acc = *at, acc
	return nil
}
