package fan

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
)

// A stream carries items from a source through up to n workers to a consumer: the
// goroutine that walks a Seq or ByKey. A ForEach has no consumer. The ways between them
// are rings; see package stage for the workers.
type stream[In, Out any] struct {
	caller  context.Context
	ends    bool            // caller can end
	ctx     context.Context // of the functions
	cancel  context.CancelCauseFunc
	fn      func(context.Context, In) (Out, error)
	n       int
	ordered bool
	order   stage.Order[In] // of a ByKey
	index   func(In) int    // of the items of a ByKey

	group   *stage.Group
	items   *spsc.Ring[In]
	results *spsc.Ring[Result[Out]] // nil if there is no consumer
	workers *stage.Workers[In, Result[Out]]
	unwatch func()               // returns when the end of ctx wakes no ring any more
	begun   sched.Uint64         // items that were begun, by workers that have ended
	last    error                // the error of the source
	stopped sched.Pointer[error] // why, if not because of the caller's context
}

// start makes the rings and starts the first worker. The source sends to items.
func (s *stream[In, Out]) start(ctx context.Context, consume bool) {
	s.caller, s.ends = ctx, ctx.Done() != nil
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.group, s.items = stage.NewGroup(), spsc.Adaptive[In](spsc.Base)
	if consume {
		s.results = spsc.Adaptive[Result[Out]](max(spsc.Base, 2*min(s.n, 1<<30)))
	}
	s.workers = stage.New(s.items, s.results, s.n, s.ordered, s.spawn)
	s.workers.Order = s.order
	s.unwatch = stage.Watch(s.ctx, func() {
		s.items.Wake()
		if s.results != nil {
			s.results.Wake()
		}
	})
	s.spawn()
}

// ended returns why no function may be called any more, or nil.
func (s *stream[In, Out]) ended() error {
	if err := s.stopped.Load(); err != nil {
		return *err
	}
	if s.ends && sched.Err(s.caller) != nil {
		return context.Cause(s.caller)
	}
	return nil
}

// stop ends the work because of cause, unless it has been stopped before.
func (s *stream[In, Out]) stop(cause error) {
	if s.stopped.CompareAndSwap(nil, &cause) {
		sched.Cancel(func() { s.cancel(cause) })
	}
}

// spawn starts a worker.
func (s *stream[In, Out]) spawn() {
	w := &streamWorker[In, Out]{stream: s}
	s.group.Spawn(w.loop)
}

// feed sends the items of the source, until it has no more or none are wanted, and
// returns why none are wanted.
func (s *stream[In, Out]) feed(in iter.Seq[In]) error {
	if err := s.ended(); err != nil {
		return err
	}
	for v := range in {
		if err := s.ended(); err != nil {
			return err
		}
		if err := s.items.Push(s.ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// walk starts the source and yields results, and then why there are no more, if that is
// an error.
func (s *stream[In, Out]) walk(ctx context.Context, in iter.Seq[In], yield func(Out, error) bool) {
	s.start(ctx, true)
	joined := false
	defer func() {
		if !joined {
			s.join(errDone)
		}
	}()
	s.group.Go(func() {
		inherit(s.caller)
		outcome.Run(func() (none struct{}, err error) { return none, s.feed(in) }, func(_ struct{}, err error) {
			s.last = err
			s.items.Close()
		})
	})
	for {
		r, ok, _ := s.results.Pop(s.ctx)
		over := s.ended()
		if over == nil && ok {
			if !yield(r.Value, r.Err) {
				return
			}
			continue
		}
		joined = true
		if s.join(nil); over != nil {
			s.last = s.because(over)
		}
		if s.last != nil {
			var none Out
			yield(none, s.last)
		}
		return
	}
}

// A streamWorker is one of the goroutines that call the function.
type streamWorker[In, Out any] struct {
	*stream[In, Out]
	job   stage.Job[In, Result[Out]]
	begun uint64
}

func (w *streamWorker[In, Out]) loop() {
	l, exited := inherit(w.caller), func() {
		var none Out
		w.finish(none, ErrGoexit)
	}
	for {
		if ok, _ := w.workers.Next(w.ctx, &w.job); !ok || w.ended() != nil {
			w.stream.begun.Add(w.begun)
			return
		}
		w.begun++
		l.set()
		w.finish(outcome.Call(w.ctx, w.fn, w.job.Item, exited))
	}
}

// finish takes the result of the item in work. Its error ends a stream without a consumer.
func (w *streamWorker[In, Out]) finish(v Out, err error) {
	if err != nil {
		index := w.job.Number()
		if w.index != nil {
			index = w.index(w.job.Item)
		}
		if w.results == nil {
			w.stop(taskError(w.caller, index, err))
		}
		err = &TaskError{Index: index, Err: err}
	}
	w.job.Result, w.job.Keep = Result[Out]{v, err}, true
}

// join waits for all goroutines and ends the context of the functions: with cause before
// that, unless cause is nil.
func (s *stream[In, Out]) join(cause error) {
	if cause != nil {
		s.stop(cause)
	}
	s.group.Wait()
	s.unwatch()
	sched.Cancel(func() { s.cancel(errDone) })
}

// because returns the error of a stream that has ended because of cause, before its source
// had ended and all items had begun, or after that.
func (s *stream[In, Out]) because(cause error) error {
	if s.last != nil || s.begun.Load() < s.items.Sent() {
		return &unfinished{err: cause}
	}
	return cause
}
