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
	err := r.do(ctx, n, len(in), r)
	parts := r.sorted()
	for err == nil && len(parts) > 1 {
		parts, err = Map(ctx, n, slices.Collect(slices.Chunk(parts, 2)), func(_ context.Context, pair []folded[Acc]) (folded[Acc], error) {
			if len(pair) == 2 {
				pair[0].acc = merge(pair[0].acc, pair[1].acc)
			}
			return pair[0], nil
		})
	}
	switch {
	case err != nil:
		var none Acc
		if failed, ok := errors.AsType[*TaskError](err); ok && len(parts) > 0 && r.err == nil {
			err = failed.Err // its index is that of a pair
		}
		return none, err
	case len(parts) == 0: // there are no elements
		return zero(), nil
	}
	return parts[0].acc, nil
}

// A reduction is the work of the folds of a Reduce.
type reduction[In, Acc any] struct {
	parallelFor
	in   []In
	zero func() Acc
	fold func(Acc, In) (Acc, error)

	parts   sched.Mutex // guards folders
	folders []*folder[In, Acc]
}

func (r *reduction[In, Acc]) part() part {
	f := &folder[In, Acc]{reduction: r}
	r.parts.Lock()
	r.folders = append(r.folders, f)
	r.parts.Unlock()
	return f
}

// sorted returns the folded values in the order of the elements.
func (r *reduction[In, Acc]) sorted() (all []folded[Acc]) {
	for _, f := range r.folders {
		all = append(all, f.folded...)
	}
	slices.SortFunc(all, func(a, b folded[Acc]) int { return cmp.Compare(a.lo, b.lo) })
	return all
}

// A folder is a worker of a reduction. It folds elements that follow each other into one
// value.
type folder[In, Acc any] struct {
	*reduction[In, Acc]
	folded []folded[Acc]
}

// A folded is the value of the elements from lo up to hi.
type folded[Acc any] struct {
	lo, hi int
	acc    Acc
}

func (f *folder[In, Acc]) run(at *int, lo, hi int) (err error) {
	*at = lo + 1 // zero is called for the first element, too
	if n := len(f.folded); n == 0 || f.folded[n-1].hi != lo {
		f.folded = append(f.folded, folded[Acc]{lo, lo, f.zero()})
	}
	to := &f.folded[len(f.folded)-1]
	acc := to.acc
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
	to.hi, to.acc = *at, acc
	return nil
}
