package taskpool

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/pprof"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// Help makes progress for a caller inside a task that waits for t, which is of o, under ctx. If t
// is queued, Help runs it on the calling goroutine, since the worker that merely waited could be
// the one that is needed; in a pool with keys it may run the tasks before t. It returns false if
// there is nothing to run: t has started, or it waits for another task of its key. In the latter
// case Help signals wake when that has changed.
func (e *Engine[T, R]) Help(ctx context.Context, o *Origin[T, R], t *Task[T, R], wake chan struct{}) bool {
	at := e.Root.Inside(ctx)
	if at == nil {
		return false
	}
	if e.queue.order != nil {
		return e.helpInOrder(ctx, at, t, wake)
	}
	if !t.Claim() {
		return false
	}
	e.lock()
	e.waiting++
	e.vacateLocked(1)
	e.mu.Unlock()
	e.runInPlace(ctx, at, item[T, R]{origin: o, task: t}, nil)
	return true
}

// helpInOrder is Help for a pool with keys or priorities.
func (e *Engine[T, R]) helpInOrder(ctx context.Context, at *taskctx.Context, t *Task[T, R], wake chan struct{}) bool {
	e.lock()
	o := e.queue.order
	l := o.of[t]
	if l == nil {
		e.mu.Unlock()
		return false
	}
	var p *place[T, R]
	switch {
	case !l.running:
		p, l = o.take(l)
	case holds(at, l):
		// The task that holds up the lane waits for this one.
		p, l = o.takeHeld(l, t), nil
	default:
		l.waiters = append(l.waiters, wake)
		e.mu.Unlock()
		return false
	}
	if !p.claim() { // it has been cancelled
		e.dead--
		if l != nil {
			o.done(l)
			e.wakeLocked()
		}
		e.mu.Unlock()
		return true
	}
	e.waiting++
	e.admitLocked()
	e.mu.Unlock()
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
	w := &worker[T, R]{id: int(at.Worker), fn: e.Fn, outer: at, lane: l}
	w.run.chunk = &chunk[T, R]{size: 1}
	w.run.chunk.push(it)
	defer pprof.SetGoroutineLabels(outside)
	e.runTasks(w, 0)
}

// countInPlace counts a task that has ended in place, as the only one of w.
func (e *Engine[T, R]) countInPlace(w *worker[T, R], count uint64) {
	w.rest()
	if w.close != nil {
		e.closeState(w) // it was opened for this task alone
	}
	e.lock()
	e.waiting--
	e.countLocked(count)
	e.admitLocked()
	if w.lane != nil {
		e.queue.order.done(w.lane)
		e.wakeLocked()
	}
	e.unlock()
}

// crash ends the program because of a panic. The goroutine must not unwind: a task in whose place
// this one ran would recover the panic.
func crash(r any) {
	text := fmt.Sprintf("%v\n\n%s", r, debug.Stack())
	go panic(text)
	sched.Opaque("the end of the program")
	select {}
}
