package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A process is a stage that calls a function for each item and sends on what
// that emits: Map, Filter, FlatMap, Tap, Throttle and Unbatch in one.
type process[In, Out any] struct {
	options
	fn func(ctx context.Context, in In, emit func(Out) error) error
	// direct says that fn is ours: it emits on its own goroutine, before it
	// returns, and does not fail after that.
	direct bool
	// burst is how many items of one call may wait for those before them.
	burst int
}

func (p process[In, Out]) stage() Stage[In, Out] {
	return Stage[In, Out]{
		shape: []node{p.node()},
		build: func(s scope) (scope, func(link[In]) link[Out]) {
			return s.upstream(), func(in link[In]) link[Out] {
				w := &working[In, Out]{process: p, scope: s, count: s.counters(), in: in, out: newLink[Out](s.capacity)}
				switch {
				case p.workers == 1:
					w.startOne()
				case p.unordered:
					w.startUnordered()
				default:
					w.startOrdered()
				}
				return w.out
			}
		},
	}
}

// A working is a process in one run.
type working[In, Out any] struct {
	process[In, Out]
	scope
	count *counters
	in    link[In]
	out   link[Out]
}

// next receives an item for a loop that ends when ok is false. atEnd is called
// at the clean end.
func (w *working[In, Out]) next(atEnd func()) (v In, ok bool) {
	v, ok, err := w.in.recv(w.ctx)
	switch {
	case err != nil:
		w.run.interrupted()
	case ok:
		w.count.in.Add(1)
	default:
		atEnd()
	}
	return v, ok
}

func (w *working[In, Out]) send(v Out) error {
	err := w.out.send(w.ctx, v)
	if err == nil {
		w.count.out.Add(1)
	}
	return err
}

func (w *working[In, Out]) startOne() {
	send := w.send
	w.run.spawn(func() {
		for v, ok := w.next(w.out.close); ok; v, ok = w.next(w.out.close) {
			w.item(v, send, nothing)
		}
	})
}

func nothing() {}

func (w *working[In, Out]) startUnordered() {
	var ended atomic.Int64
	lastCloses := func() {
		if ended.Add(1) == int64(w.workers) {
			w.out.close()
		}
	}
	send := w.send
	for range w.workers {
		w.run.spawn(func() {
			for v, ok := w.next(lastCloses); ok; v, ok = w.next(lastCloses) {
				w.item(v, send, nothing)
			}
		})
	}
}

// A slot is the place of one item in the order of the output.
type slot[Out any] struct {
	items chan Out
	done  chan struct{} // closed when nothing more comes
}

// startOrdered starts a dispatcher, which gives each item a slot and queues the
// slots in order, the workers, which fill slots, and a collector, which empties
// them in order. The queue of slots is the window. A shared ring that workers
// write into by index would save the channels of a slot.
func (w *working[In, Out]) startOrdered() {
	type assignment struct {
		item In
		slot slot[Out]
	}
	order := newLink[slot[Out]](2 * w.workers)
	work := newLink[assignment](0)
	w.run.spawn(func() {
		atEnd := func() {
			work.close()
			order.close()
		}
		for v, ok := w.next(atEnd); ok; v, ok = w.next(atEnd) {
			s := slot[Out]{make(chan Out, w.burst), make(chan struct{})}
			if order.send(w.ctx, s) != nil || work.send(w.ctx, assignment{v, s}) != nil {
				w.run.interrupted()
				return
			}
		}
	})
	for range w.workers {
		w.run.spawn(func() {
			for {
				a, ok, err := work.recv(w.ctx)
				if err != nil {
					w.run.interrupted()
				}
				if !ok {
					return
				}
				w.item(a.item,
					func(v Out) error { return ctxselect.Send(w.ctx, a.slot.items, v) },
					func() { close(a.slot.done) })
			}
		})
	}
	w.run.spawn(func() {
		for {
			s, ok, err := order.recv(w.ctx)
			if err == nil && ok {
				err = w.collect(s)
			}
			if err != nil {
				w.run.interrupted()
				return
			}
			if !ok {
				w.out.close()
				return
			}
		}
	})
}

// collect sends on what comes into s until it is done.
func (w *working[In, Out]) collect(s slot[Out]) error {
	for {
		select {
		case v := <-s.items:
			if err := w.send(v); err != nil {
				return err
			}
		case <-s.done:
			if len(s.items) == 0 { // or take these first
				return nil
			}
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
	}
}

// item works on one item, with retries, and decides what becomes of it if it
// fails. done is called when nothing more will be sent, also when the
// goroutine is ending by Goexit.
func (w *working[In, Out]) item(v In, send func(Out) error, done func()) {
	failure := ErrGoexit // if it comes to nothing else
	defer func() {
		if failure != nil {
			w.fail(w.name, failure)
		}
		done()
	}()
	err := ErrGoexit
	defer func() { failure = w.judge(err) }()
	err = w.attempts(v, send)
}

// attempts calls the function until it succeeds or must not be tried again.
func (w *working[In, Out]) attempts(v In, send func(Out) error) error {
	for n := 1; ; n++ {
		retry, err := w.attempt(v, send)
		if err == nil || !retry || n >= w.retry.Attempts || w.ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(w.retry.pause(n))
		_, _, ended := ctxselect.Recv(w.ctx, timer.C)
		timer.Stop()
		if ended != nil {
			return ended
		}
	}
}

// attempt calls the function once. retry says whether an error may be tried
// again.
func (w *working[In, Out]) attempt(v In, send func(Out) error) (retry bool, err error) {
	ctx := w.ctx
	if w.timeout > 0 {
		cause := fmt.Errorf("no result within %v: %w", w.timeout, context.DeadlineExceeded)
		c, cancel := context.WithTimeoutCause(ctx, w.timeout, cause)
		defer cancel()
		ctx = c
	}
	emit, emitted, returned := send, never, nothing
	if !w.direct {
		emit, emitted, returned = guardEmit(send)
	}
	outcome.Run(
		func() (struct{}, error) { return struct{}{}, w.fn(ctx, v, emit) },
		func(_ struct{}, e error) {
			returned()
			err = e
		})
	if err == nil {
		return false, nil
	}
	_, panicked := errors.AsType[*PanicError](err)
	if ctx.Err() != nil && w.ctx.Err() == nil && !panicked {
		err = context.Cause(ctx) // the time limit, whatever fn made of it
	}
	return !panicked && !emitted(), err
}

// guardEmit returns an emit that refuses to send once its call has returned, and
// what tells whether it has sent.
func guardEmit[Out any](send func(Out) error) (emit func(Out) error, emitted func() bool, returned func()) {
	var sent, over atomic.Bool
	emit = func(v Out) error {
		if over.Load() {
			return errLate
		}
		sent.Store(true)
		err := send(v)
		if err == nil && over.Load() {
			err = errLate // it may have come too late to be sent on
		}
		return err
	}
	return emit, sent.Load, func() { over.Store(true) }
}

func never() bool { return false }

// judge counts an item that failed and returns the error to stop with, nil if
// the item is to be skipped.
func (w *working[In, Out]) judge(err error) error {
	if err == nil || w.ctx.Err() != nil {
		return err
	}
	w.count.errors.Add(1)
	if w.onError == nil {
		return err
	}
	outcome.Run(
		func() (Decision, error) { return w.onError(err), nil },
		func(d Decision, failed error) {
			switch {
			case failed != nil:
				err = errors.Join(failed, err)
			case d == Skip:
				w.count.skipped.Add(1)
				err = nil
			}
		})
	return err
}
