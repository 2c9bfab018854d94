package taskpool

import (
	"context"
	"runtime/pprof"
	"time"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// work is the goroutine of a worker. If ok, w has claimed the task at index i.
func (e *Engine[T, R]) work(w *worker[T, R], i int, ok bool) {
	pprof.SetGoroutineLabels(e.Root.Named(context.Background(), w.id))
	for {
		if ok {
			i, ok = e.runTasks(w, i)
			continue
		}
		if !e.refill(w) {
			return
		}
		i, ok = 0, true
	}
}

// runTasks runs the tasks of the run queue, from the one at index i, which w has claimed. It returns
// when none is left, or after a panic, which becomes the error of its task or ends the program.
// During a Goexit it starts another goroutine, which takes the worker over, and does not return.
// A worker in place of another task has one task.
func (e *Engine[T, R]) runTasks(w *worker[T, R], i int) (next int, ok bool) {
	var it item[T, R] // without its value
	var zero T
	running := false // the function of a task
	defer func() {
		if !running {
			return
		}
		switch r := recover(); {
		case r == nil:
			next, ok := e.finish(w, it, outcome.ErrGoexit, oneFailed)
			e.handOver(w, next, ok)
		case e.Crash || e.Unhandled && it.task == nil:
			crash(r)
		default:
			next, ok = e.finish(w, it, outcome.Panicked(r), oneFailed)
		}
	}()
	for next, ok = i, true; ok; {
		if e.crowded.Load() {
			e.relieve()
		}
		it = w.run.chunk.pull(next)
		if it.origin != w.plain {
			if w.outer == nil && !it.claim() {
				next, ok = w.run.next(oneSkipped)
				continue
			}
			if it.origin != w.origin || w.lane != nil {
				e.prepare(w, it.origin)
			}
			if w.mortal {
				if count, err := e.unfit(w, it.origin.Scope()); err != nil {
					next, ok = e.finish(w, it, outcome.NotStarted(err), count)
					continue
				}
			}
		}
		arg := it.arg()
		it.value = zero
		var start time.Duration
		if it.at != 0 {
			start = e.now()
			e.Waits.add(start-it.at.time(), it.at.weight())
		}
		pprof.SetGoroutineLabels(w.ctx.Labels)
		running = true
		v, err := w.fn(w.ctx, arg)
		running = false
		if it.at != 0 {
			e.Runs.add(e.now()-start, it.at.weight())
		}
		switch {
		case err == nil && it.origin == w.plain:
			next, ok = w.run.next(oneCompleted)
			continue
		case it.task != nil:
			it.task.Value = v
		}
		if err != nil {
			next, ok = e.finish(w, it, err, oneFailed)
		} else {
			next, ok = e.settle(w, it, nil, oneCompleted)
		}
	}
	return next, ok
}

// handOver lets another goroutine be the worker of one that ends.
func (e *Engine[T, R]) handOver(w *worker[T, R], next int, ok bool) {
	if w.outer == nil {
		go e.work(w, next, ok)
	}
}

// finish counts the task that has ended and publishes its end. It claims the next one.
func (e *Engine[T, R]) finish(w *worker[T, R], it item[T, R], err error, count uint64) (next int, ok bool) {
	if err != nil && it.task == nil {
		reported := false
		defer func() {
			if !reported { // the error handler has called Goexit
				next, ok := e.settle(w, it, err, count)
				e.handOver(w, next, ok)
			}
		}()
		pprof.SetGoroutineLabels(w.ctx.Labels)
		e.Report(w.ctx, err, false)
		reported = true
	}
	return e.settle(w, it, err, count)
}

func (e *Engine[T, R]) settle(w *worker[T, R], it item[T, R], err error, count uint64) (next int, ok bool) {
	if w.ctx.Single() {
		w.rest()
	}
	if w.outer != nil {
		e.countInPlace(w, count)
	} else {
		next, ok = w.run.next(count)
	}
	if it.task != nil {
		it.origin.Owner.Settle(it.task, err)
	}
	return next, ok
}

// unfit returns why a task cannot run, and the count that it belongs to. A task that a worker had
// claimed when the pool was stopped counts as started.
func (e *Engine[T, R]) unfit(w *worker[T, R], s *taskctx.Scope) (count uint64, err error) {
	switch {
	case s.Over():
		return oneCancelled, context.Cause(s.Submitted)
	case e.Root.Over():
		return oneCancelled, context.Cause(e.Root)
	case w.fn == nil:
		w.fn, w.close, err = e.openState(w.id)
		return oneFailed, err
	}
	return 0, nil
}

// prepare gets ready to run a task of o, which has been claimed, and those of o after it.
func (e *Engine[T, R]) prepare(w *worker[T, R], o *Origin[T, R]) {
	if w.lane != nil {
		w.rest() // the context is for this task alone
	}
	last := w.ctx
	w.origin, w.ctx = o, o.context(e.Root, last, w.id)
	w.mortal = w.fn == nil || o.Scope().Mortal() || e.Root.Mortal()
	if w.ctx != last {
		if last != nil {
			last.Finish()
		}
		if w.lane != nil {
			w.ctx.Lane = w.lane
		}
		w.ctx.Outer = w.outer
		w.ctx.Begin()
	}
	w.plain = nil
	if o.Owner == nil && !w.mortal && w.outer == nil && e.queue.order == nil {
		w.plain = o
	}
}

// rest lets go of the last task.
func (w *worker[T, R]) rest() {
	if w.ctx != nil {
		w.ctx.Finish()
	}
	w.origin, w.ctx, w.plain = nil, nil, nil
}
