package fan

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// Map calls fn for each element of in, on up to n goroutines, of which the caller is
// one, and returns the results by index. The first error ends the context of the other
// calls, and elements that have not begun never do; an ended ctx does the same.
//
// Map always returns as many results as there are elements, and the first error as a
// [*TaskError], or the cause of ctx if that has ended first. If elements never started,
// their results are zero values, and the error matches [ErrNotStarted]: its method
// Unwrap() []error returns the first error and then a *TaskError for each of these
// elements, in their order.
//
// Map panics if ctx or fn is nil or n is less than 1; for all elements at once n is
// max(1, len(in)).
//
// Goroutines other than the caller join when the work has lasted for 20 µs, also while
// the first element takes longer. Elements begin in their order, and one at a time if
// they take more than a microsecond: none of them waits for a free goroutine behind
// another one. Cheaper elements are taken in runs worth up to 8 µs. If one of these takes
// longer than all before it, those behind it in its run wait until it has returned. So
// an element must not wait for a later one; with [ForEach] and [Seq] it may.
func Map[In, Out any](ctx context.Context, n int, in []In, fn func(context.Context, In) (Out, error)) ([]Out, error) {
	check(ctx, "fan: Map", n)
	misuse.Nil(fn == nil, "fan: Map: function")
	out := make([]Out, len(in))
	m := &mapping[In, Out]{in: in, out: out, fn: fn}
	err := m.do(ctx, n, len(in), m)
	m.in, m.out, m.fn = nil, nil, nil // the context of the functions, in m, may be kept
	return out, err
}

// A mapping is the work of a Map. All workers share it.
type mapping[In, Out any] struct {
	parallelFor
	in  []In
	out []Out
	fn  func(context.Context, In) (Out, error)
}

func (m *mapping[In, Out]) part() part { return m }

func (m *mapping[In, Out]) run(at *int, lo, hi int) error {
	fn, ctx, caller, ends := m.fn, context.Context(&m.calls), m.Context, m.ends
	in, out := m.in[lo:hi], m.out[lo:hi]
	for i, v := range in {
		if ends && sched.Err(caller) != nil {
			return nil
		}
		*at = lo + i + 1
		r, err := fn(ctx, v)
		if err != nil {
			return err
		}
		out[i] = r
		if m.signal.Load() != 0 {
			return nil
		}
	}
	return nil
}
