package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// An Option changes how [Seq] walks.
type Option func(*options)

type options struct{ unordered bool }

// Unordered makes Seq yield results as they are ready. The default is the order
// of the input.
func Unordered() Option { return func(o *options) { o.unordered = true } }

// Seq walks the results of calling fn for each item of in, on n goroutines. Each
// result has its own error: one that fails does not end the walk, leaving it
// does. Results come in the order of the input, or with Unordered as they are
// ready. At most 3n+2 items are on their way at once, from the source to the
// loop body, so that workers stay busy behind a slow item.
//
// Nothing is started before the walk, and the loop body runs on the goroutine
// that walks. The source runs on a goroutine of its own; if it panics or calls
// runtime.Goexit, that is the error of one last pair with a zero value. When
// ctx ends, the last pair is a zero value and the cause of ctx. However the
// walk ends, the context of the calls ends with it, and it returns when all
// goroutines have ended. A source that blocks cannot be interrupted. Seq
// panics if ctx, in or fn is nil or n is less than 1.
func Seq[In, Out any](ctx context.Context, n int, in iter.Seq[In], fn func(context.Context, In) (Out, error), opts ...Option) iter.Seq2[Out, error] {
	check(ctx, "Seq", n, in == nil || fn == nil)
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return func(yield func(Out, error) bool) {
		w := newWalk[Out](ctx, 2*n)
		defer w.leave()
		jobs := make(chan job[In, Out])
		workers(w, n, func(int) <-chan job[In, Out] { return jobs }, fn)
		if o.unordered {
			source(w, in, func(v In) error {
				return ctxselect.Send(w.ctx, jobs, job[In, Out]{v, w.results})
			}, func() { close(jobs) })
			w.yieldAsReady(yield)
			return
		}
		source(w, in, func(v In) error {
			to := make(chan Result[Out], 1)
			if err := ctxselect.Send(w.ctx, w.order, to); err != nil {
				return err
			}
			return ctxselect.Send(w.ctx, jobs, job[In, Out]{v, to})
		}, func() {
			close(jobs)
			close(w.order)
		})
		w.yieldInOrder(yield)
	}
}

// ByKey walks the results of calling fn for each item of in, on n goroutines.
// Items with the same key are worked on one after the other, in their order,
// and their results come in that order; those of different keys come as they
// are ready. Keys are hashed to n lanes, each with a goroutine of its own: an
// item may wait for one with another key in the same lane. Otherwise it is like
// [Seq]: each item has its own error, and the walk may be left. A panic of key
// is the error of the last pair.
func ByKey[K comparable, In, Out any](ctx context.Context, n int, in iter.Seq[In], key func(In) K, fn func(context.Context, In) (Out, error)) iter.Seq2[Out, error] {
	check(ctx, "ByKey", n, in == nil || key == nil || fn == nil)
	return func(yield func(Out, error) bool) {
		w := newWalk[Out](ctx, 0)
		defer w.leave()
		queues := make([]chan job[In, Out], n)
		for i := range queues {
			// With some room, so that one busy lane does not hold up the rest.
			queues[i] = make(chan job[In, Out], 8)
		}
		workers(w, n, func(i int) <-chan job[In, Out] { return queues[i] }, fn)
		lane := lanes[K](n)
		source(w, in, func(v In) error {
			return ctxselect.Send(w.ctx, queues[lane(key(v))], job[In, Out]{v, w.results})
		}, func() {
			for _, q := range queues {
				close(q)
			}
		})
		w.yieldAsReady(yield)
	}
}

// A job is one item and where its result goes.
type job[In, Out any] struct {
	item In
	to   chan Result[Out]
}
