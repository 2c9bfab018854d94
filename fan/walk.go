package fan

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A walk is one range over Seq or ByKey. The source's goroutine hands out items,
// the workers send results, and the caller yields them. In order, each item has
// a channel for its result, and these are queued in order: the queue is the
// window. Otherwise all results go through one channel, which the last worker
// closes. Everybody parks in ctxselect, on a channel of the walk and its
// context.
type walk[Out any] struct {
	caller  context.Context
	ctx     context.Context
	cancel  context.CancelCauseFunc
	order   chan chan Result[Out] // closed at the end of the source
	results chan Result[Out]      // closed when all workers have ended
	wg      sync.WaitGroup        // source and workers
	last    error                 // of the source; written before order is closed and workers end
}

func newWalk[Out any](ctx context.Context, window int) *walk[Out] {
	w := &walk[Out]{
		caller:  ctx,
		order:   make(chan chan Result[Out], window),
		results: make(chan Result[Out]),
	}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// leave ends whatever goes on and waits for it.
func (w *walk[Out]) leave() {
	w.cancel(errDone)
	w.wg.Wait()
}

// source ranges over in on a goroutine of its own and hands out its items. When
// there are no more, however that came, it calls noMore.
func source[In, Out any](w *walk[Out], in iter.Seq[In], hand func(In) error, noMore func()) {
	w.wg.Go(func() {
		outcome.Run(func() (struct{}, error) {
			for v := range in {
				if err := hand(v); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		}, func(_ struct{}, err error) {
			w.last = err
			noMore()
		})
	})
}

// workers starts n workers, the i-th of which gets its jobs from jobs(i). They
// end when that is closed, or with the walk.
func workers[In, Out any](w *walk[Out], n int, jobs func(i int) <-chan job[In, Out], fn func(context.Context, In) (Out, error)) {
	var left atomic.Int64
	left.Store(int64(n))
	for i := range n {
		in := jobs(i)
		w.wg.Add(1)
		outcome.Spawn(func() {
			for j := range ctxselect.OrDone(w.ctx, in) {
				outcome.Run(
					func() (Out, error) { return fn(w.ctx, j.item) },
					func(v Out, err error) {
						// If this fails, so does the next receive.
						_ = ctxselect.Send(w.ctx, j.to, Result[Out]{v, err})
					})
			}
		}, func() {
			if left.Add(-1) == 0 {
				close(w.results)
			}
			w.wg.Done()
		})
	}
}

func (w *walk[Out]) yieldInOrder(yield func(Out, error) bool) {
	for {
		to, ok, err := ctxselect.Recv(w.ctx, w.order)
		var r Result[Out]
		if ok {
			r, _, err = ctxselect.Recv(w.ctx, to)
		}
		if !ok || err != nil {
			w.finish(err, yield)
			return
		}
		if !yield(r.Value, r.Err) {
			return
		}
	}
}

func (w *walk[Out]) yieldAsReady(yield func(Out, error) bool) {
	for {
		r, ok, err := ctxselect.Recv(w.ctx, w.results)
		if !ok {
			w.finish(err, yield)
			return
		}
		if !yield(r.Value, r.Err) {
			return
		}
	}
}

// finish yields why the walk is at its end, if not because all is done. err is
// the cause of the caller's context.
func (w *walk[Out]) finish(err error, yield func(Out, error) bool) {
	if err == nil {
		err = w.last
	}
	if err != nil {
		var zero Out
		yield(zero, err)
	}
}
