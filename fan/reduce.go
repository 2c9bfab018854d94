package fan

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
)

// Reduce folds the elements of in, on up to n goroutines, of which the caller
// is one. Each folds parts of neighbouring elements, from the left, starting
// with zero(); merge then puts the parts together from left to right. For a
// merge that is associative and has zero() as its neutral element, the result
// is that of the sequential fold. Of no elements it is zero().
//
// The first error of fold ends the others. It returns that error, or the cause
// of ctx if that has ended, with the zero value of Acc. An ended ctx is noticed
// before each call of fold and merge. Reduce panics if ctx or a function is nil or
// n is less than 1.
//
// Goroutines other than the caller join as those of [Map] do. There are some 8n
// parts. A goroutine that has nothing to do takes over elements of another one's
// part, which makes a part more, so an element that is not begun waits for a free
// goroutine no longer than in Map.
func Reduce[In, Acc any](ctx context.Context, n int, in []In, zero func() Acc, fold func(Acc, In) (Acc, error), merge func(Acc, Acc) Acc) (Acc, error) {
	check(ctx, "fan: Reduce", n)
	misuse.Nil(zero == nil || fold == nil || merge == nil, "fan: Reduce: function")
	r := &reduction[In, Acc]{in: in, zero: zero, fold: fold}
	r.floor = (len(in)-1)/8/max(1, min(n, len(in))) + 1 // 8·n may be more than an int holds
	err := r.do(ctx, n, len(in), r)
	if err == nil {
		var result Acc
		if result, err = outcome.Call(ctx, r.merge, merge, func() {}); err == nil {
			return result, nil
		}
	}
	var none Acc
	return none, err
}

// A reduction is the work of the folds of a Reduce.
type reduction[In, Acc any] struct {
	parallelFor
	in   []In
	zero func() Acc
	fold func(Acc, In) (Acc, error)

	mu      sync.Mutex // guards folders
	folders []*folder[In, Acc]
}

func (r *reduction[In, Acc]) part() part {
	f := &folder[In, Acc]{reduction: r}
	r.mu.Lock()
	if len(r.folders) == 0 {
		f.folded = make([]folded[Acc], 0, (r.size-1)/r.floor+1)
	}
	r.folders = append(r.folders, f)
	r.mu.Unlock()
	return f
}

// merge returns what merge makes of the parts, in the order of the elements.
func (r *reduction[In, Acc]) merge(ctx context.Context, merge func(Acc, Acc) Acc) (result Acc, err error) {
	if len(r.folders) == 0 { // there are no elements
		return r.zero(), nil
	}
	parts := r.folders[0].folded
	for _, f := range r.folders[1:] {
		parts = append(parts, f.folded...)
	}
	if len(r.folders) > 1 {
		slices.SortFunc(parts, func(a, b folded[Acc]) int { return cmp.Compare(a.lo, b.lo) })
	}
	result = parts[0].acc
	for _, p := range parts[1:] {
		if r.ends && ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		result = merge(result, p.acc)
	}
	return result, nil
}

// A folder is a worker of a reduction. It folds up to floor elements that follow
// each other into one value.
type folder[In, Acc any] struct {
	*reduction[In, Acc]
	folded []folded[Acc]
	hi     int // the end of the last of them
}

// A folded value is that of elements from lo on.
type folded[Acc any] struct {
	lo  int
	acc Acc
}

func (f *folder[In, Acc]) run(lo, hi, more int) (done int, err error) {
	for {
		to := f.last(lo)
		acc, at := to.acc, lo
		for _, v := range f.in[lo:min(hi, to.lo+f.floor)] {
			if f.ends && f.caller.Err() != nil {
				return done, context.Cause(f.caller)
			}
			if acc, err = f.fold(acc, v); err != nil {
				return done, err
			}
			at++
			if f.signal.Load() != 0 {
				hi, more = at, 0
				break
			}
		}
		to.acc, f.hi = acc, at
		done += at - lo
		if lo = at; lo < hi {
			continue
		}
		if more == 0 {
			return done, nil
		}
		more--
		if lo = f.another(); lo >= f.size {
			return done, nil
		}
		hi = lo + 1
	}
}

// last returns the value that lo is to be folded into.
func (f *folder[In, Acc]) last(lo int) *folded[Acc] {
	if n := len(f.folded); n > 0 && lo == f.hi && lo < f.folded[n-1].lo+f.floor {
		return &f.folded[n-1]
	}
	f.folded = append(f.folded, folded[Acc]{lo, f.zero()})
	return &f.folded[len(f.folded)-1]
}
