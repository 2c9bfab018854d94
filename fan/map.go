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
// is noticed before each element. Map panics if ctx or fn is nil or n is less than
// 1; for all elements at once n is max(1, len(in)).
//
// Goroutines other than the caller join when the work has lasted for 20 µs, also
// while the first element takes longer, so Map may be used for cheap and for few
// elements as well. Elements are begun in their order, and one at a time, once
// they take more than a microsecond: none of them waits for a free goroutine behind
// another one. Cheaper elements are taken in runs worth up to 8 µs. If one of these
// takes longer than all before it, those behind it in its run wait until it has
// returned. So an element must not wait for a later one; with [ForEach] and
// [Seq] it may.
func Map[In, Out any](ctx context.Context, n int, in []In, fn func(context.Context, In) (Out, error)) ([]Out, error) {
	check(ctx, "fan: Map", n)
	misuse.Nil(fn == nil, "fan: Map: function")
	m := &mapping[In, Out]{in: in, out: make([]Out, len(in)), fn: fn}
	err := m.do(ctx, n, len(in), m)
	return m.out, err
}

// A mapping is the work of a Map. All workers share it.
type mapping[In, Out any] struct {
	parallelFor
	in  []In
	out []Out
	fn  func(context.Context, In) (Out, error)
}

func (m *mapping[In, Out]) part() part { return m }

func (m *mapping[In, Out]) run(lo, hi, more int) (done int, err error) {
	fn, ctx, caller, ends := m.fn, context.Context(&m.ctx), m.caller, m.ends
	for {
		in, out := m.in[lo:hi], m.out[lo:hi]
		for i, v := range in {
			if ends && caller.Err() != nil {
				return done + i, context.Cause(caller)
			}
			r, err := fn(ctx, v)
			if err != nil {
				return done + i, err
			}
			out[i] = r
			if m.signal.Load() != 0 {
				return done + i + 1, nil
			}
		}
		done += len(in)
		if more == 0 {
			return done, nil
		}
		more--
		if lo = m.another(); lo >= m.size {
			return done, nil
		}
		hi = lo + 1
	}
}
