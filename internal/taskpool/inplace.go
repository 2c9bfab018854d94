package taskpool

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/pprof"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// Help makes progress for a caller inside a task that waits for t under ctx. If t is queued,
// Help runs it on the calling goroutine, since the worker that merely waited could be the one
// that is needed; in a pool with keys it may run the tasks before t. It returns false if
// there is nothing to run: t has started, or it waits for another task of its key. In the
// latter case Help signals wake when that has changed.
func (e *Engine[T, R]) Help(ctx context.Context, t *Task[T, R], wake chan struct{}) bool {
	at := e.Root.Inside(ctx)
	if at == nil {
		return false
	}
	if e.order != nil {
		return e.helpInOrder(ctx, at, t, wake)
	}
	if !t.Claim() {
		return false
	}
	e.lock()
	e.waiting++
	e.departed++
	up := e.vacateLocked(1)
	e.mu.Unlock()
	up.wake()
	e.runInPlace(ctx, at, item[T, R]{task: t}, nil)
	return true
}

// helpInOrder is Help for a pool with keys or priorities.
func (e *Engine[T, R]) helpInOrder(ctx context.Context, at *taskctx.Context, t *Task[T, R], wake chan struct{}) bool {
	e.lock()
	p := e.order.places[t]
	if p == nil {
		e.mu.Unlock()
		return false
	}
	l := p.lane
	switch {
	case l == nil:
		e.order.take(p)
	case !l.running:
		p = l.queue[0]
		e.order.take(p)
	case holds(at, l):
		// The task that holds up the lane waits for this one.
		e.order.takeHeld(p)
		l = nil
	default:
		l.waiters = append(l.waiters, wake)
		e.mu.Unlock()
		return false
	}
	if !p.task.Claim() { // it has been cancelled
		e.dead--
		var w *worker[T, R]
		if l != nil {
			e.order.done(l)
			w = e.wakeLocked()
		}
		e.mu.Unlock()
		w.rise()
		return true
	}
	e.waiting++
	e.departed++
	up := e.admitLocked()
	e.mu.Unlock()
	up.wake()
	e.runInPlace(ctx, at, p.item, l)
	return true
}

// holds reports whether a task that a call is inside of, or one that waits for it, holds up
// the lane.
func holds[T, R any](at *taskctx.Context, l *lane[T, R]) bool {
	for ; at != nil; at = at.Outer {
		if at.Lane == l {
			return true
		}
	}
	return false
}

// runInPlace runs a claimed task on the calling goroutine, which waits for it, or for
// another one of its lane, under outside. It does not return if the task calls Goexit.
func (e *Engine[T, R]) runInPlace(outside context.Context, at *taskctx.Context, it item[T, R], l *lane[T, R]) {
	t := it.task
	ctx := t.Origin.contextOf(e.Root, nil, int(at.Worker))
	ctx.Outer = at
	if l != nil {
		ctx.Lane = l
	}
	w := worker[T, R]{id: int(at.Worker), fn: e.Fn}
	count, err := e.unfit(&w, t.Origin.Scope())
	if err != nil {
		err = outcome.NotStarted(err)
	} else {
		defer pprof.SetGoroutineLabels(outside)
		pprof.SetGoroutineLabels(ctx.Labels)
		ctx.Begin()
		count = oneFailed
		err = e.call(ctx, w.fn, it, func() { e.finishInPlace(ctx, &w, t, outcome.ErrGoexit, count, l) })
		if err == nil {
			count = oneCompleted
		}
	}
	e.finishInPlace(ctx, &w, t, err, count, l)
}

// call calls fn for a claimed task. A panic becomes its error, or ends the program. During a Goexit
// call calls exited, and does not return.
func (e *Engine[T, R]) call(ctx context.Context, fn Func[T, R], it item[T, R], exited func()) (err error) {
	t, returned := it.task, false
	defer func() {
		if returned {
			return
		}
		switch r := recover(); {
		case r == nil:
			exited()
		case e.crashes(t):
			crash(r)
		default:
			err = outcome.Panicked(r)
		}
	}()
	v, err := fn(ctx, it.arg())
	if !t.Origin.Detached {
		t.Value = v
	}
	returned = true
	return err
}

// crash ends the program because of a panic. The goroutine must not unwind: the task that waits
// would recover the panic.
func crash(r any) {
	text := fmt.Sprintf("%v, in a task that ran in the place of another\n\n%s", r, debug.Stack())
	go panic(text)
	sched.Opaque("the end of the program")
	select {}
}

// finishInPlace counts a task that ran in place, and publishes its end.
func (e *Engine[T, R]) finishInPlace(ctx *taskctx.Context, w *worker[T, R], t *Task[T, R], err error, count uint64, l *lane[T, R]) {
	ctx.Finish()
	if w.close != nil {
		e.closeState(w.close) // it was opened for this task alone
	}
	if err != nil && t.Origin.Detached {
		pprof.SetGoroutineLabels(ctx.Labels)
		e.Report(ctx, err, false)
	}
	e.lock()
	e.waiting--
	switch count {
	case oneCompleted:
		e.completed++
	case oneFailed:
		e.failed++
	default:
		e.cancelled++
	}
	up := e.admitLocked()
	if l != nil {
		e.order.done(l)
		up.add(e.wakeLocked())
	}
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
	if !t.Origin.Detached {
		t.Origin.Owner.Settle(t, err)
	}
}
