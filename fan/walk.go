package fan

import (
	"context"
	"iter"
	"sync"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// A walk is one range over Seq or ByKey. The source's goroutine sends items on
// links, the workers take them and send results on another, and the caller
// yields these. Whoever closes a link has sent all that there is. Everybody
// parks on a link, or on the gate in front of one, and the context of the walk.
type walk[Out any] struct {
	caller  context.Context
	labels  labels
	ctx     context.Context
	cancel  context.CancelCauseFunc
	results *link.Link[Result[Out]] // closed when all is done
	wg      sync.WaitGroup          // source and workers
	last    error                   // of the source; written before it closes its links
}

func newWalk[Out any](ctx context.Context, n int) *walk[Out] {
	w := &walk[Out]{caller: ctx, labels: labelsOf(ctx), results: link.Adaptive[Result[Out]](max(2*n, link.Base))}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// leave ends whatever goes on and waits for it.
func (w *walk[Out]) leave() {
	point.At("fan: before it leaves")
	w.cancel(errDone)
	w.wg.Wait()
}

// source ranges over in on a goroutine of its own and hands out its items. When
// there are no more, however that came, it calls noMore.
func source[In, Out any](w *walk[Out], in iter.Seq[In], hand func(In) error, noMore func()) {
	w.wg.Go(func() {
		point.At("fan: the source begins")
		w.labels.set()
		outcome.Run(func() (struct{}, error) {
			if err := ended(w.caller, w.ctx); err != nil {
				return struct{}{}, err
			}
			for v := range in {
				if err := ended(w.caller, w.ctx); err != nil {
					return struct{}{}, err
				}
				if err := hand(v); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		}, func(_ struct{}, err error) {
			w.last = err
			point.At("fan: before the source ends")
			noMore()
		})
	})
}

// yield yields results, and then why the walk is at its end, if not because all
// is done.
func (w *walk[Out]) yield(yield func(Out, error) bool) {
	for {
		var r Result[Out]
		ok, err := false, error(nil)
		if err = ended(w.caller, w.ctx); err == nil {
			r, ok, err = w.results.Receive(w.ctx)
		}
		if !ok {
			if err == nil {
				err = w.last
			}
			if err != nil {
				var none Out
				yield(none, err)
			}
			return
		}
		if !yield(r.Value, r.Err) {
			return
		}
	}
}
