package taskpool

import (
	"context"
	"runtime/pprof"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// Cancelled counts n queued tasks that the caller has claimed in order to cancel them.
func (e *Engine[T, R]) Cancelled(n int) {
	e.lock()
	e.cancelled += uint64(n)
	e.departed += uint64(n)
	up := e.vacateLocked(n)
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
}

// vacateLocked counts n tasks in the queue that have been claimed elsewhere. When they are
// an eighth of the queue they are removed, so that they cost little memory.
func (e *Engine[T, R]) vacateLocked(n int) wakeUp[T, R] {
	const few = 64
	if e.dead += n; e.dead > few {
		e.queue.mu.Lock()
		if e.dead > (e.queue.n+e.order.len())/8 {
			e.removeLocked(func(t *Task[T, R]) bool { return t.Queued() })
		}
		e.queue.mu.Unlock()
	}
	return e.admitLocked()
}

// removeLocked removes the tasks from the queue that are not wanted and have been claimed.
// Both locks are held.
func (e *Engine[T, R]) removeLocked(wanted func(*Task[T, R]) bool) {
	e.dead -= e.queue.keep(func(it item[T, R]) bool { return wanted(it.task) })
	if e.order != nil {
		e.dead -= e.order.keep(wanted)
	}
}

// sweepIf starts a sweep if the context of one of the tasks has ended.
func (e *Engine[T, R]) sweepIf(suspects [2]*Task[T, R]) {
	for _, t := range suspects {
		if t != nil && t.Origin.Scope().Over() {
			e.sweepSoon()
			return
		}
	}
}

// sweepSoon starts a goroutine that cancels the queued tasks whose context has ended, if it is
// time to look for them. The engine is not gone before that goroutine is.
func (e *Engine[T, R]) sweepSoon() {
	q := &e.queue
	e.mu.Lock()
	q.mu.Lock()
	due := q.mortal && q.accepted-q.swept >= uint64(q.n+e.order.len())/8 && !e.goneLocked()
	if due {
		q.swept = q.accepted
		e.leaving++
	}
	q.mu.Unlock()
	e.mu.Unlock()
	if due {
		go e.sweep()
	}
}

// sweep cancels the queued tasks whose context has ended.
func (e *Engine[T, R]) sweep() {
	q := &e.queue
	over := map[*taskctx.Scope]bool{}
	e.lock()
	e.recallLocked() // what workers have not claimed
	q.mu.Lock()
	e.removeLocked(func(t *Task[T, R]) bool {
		if t.Origin.Lingers {
			over[t.Origin.Scope()] = false
		}
		return t.Queued()
	})
	q.mortal = len(over) > 0
	q.mu.Unlock()
	e.mu.Unlock()
	for s := range over {
		over[s] = s.Over() // contexts of users are asked without a lock
	}
	var dropped []*Task[T, R]
	e.lock()
	q.mu.Lock()
	e.removeLocked(func(t *Task[T, R]) bool {
		if !over[t.Origin.Scope()] {
			return t.Queued()
		}
		if t.Claim() {
			dropped = append(dropped, t)
			e.dead++ // it is not removed because someone else has claimed it
		}
		return false
	})
	q.mu.Unlock()
	e.cancelled += uint64(len(dropped))
	e.departed += uint64(len(dropped))
	up := e.admitLocked()
	e.mu.Unlock()
	up.wake()
	e.settleAll(dropped, nil, true)
	e.lock()
	e.leaving--
	e.notifyLocked()
	e.mu.Unlock()
}

// settleAll publishes that tasks which the caller has claimed and counted never started,
// because of cause, or of the end of their context if cause is nil. If told, the errors of
// detached tasks are reported, on another goroutine, since the caller has labels of its own.
func (e *Engine[T, R]) settleAll(tasks []*Task[T, R], cause error, told bool) {
	reason := func(t *Task[T, R]) error {
		if cause != nil {
			return outcome.NotStarted(cause)
		}
		return outcome.NotStarted(context.Cause(t.Origin.Scope().Submitted))
	}
	var detached []*Task[T, R]
	for _, t := range tasks {
		if t.Origin.Detached {
			detached = append(detached, t)
		} else {
			t.Origin.Owner.Settle(t, reason(t))
		}
	}
	if !told || len(detached) == 0 {
		return
	}
	e.contain(context.Background(), func() error {
		for _, t := range detached {
			ctx := t.Origin.Context(e.Root, nil, -1)
			pprof.SetGoroutineLabels(ctx.Labels)
			e.Report(ctx, reason(t), false)
		}
		return nil
	})
}

// contain calls fn on another goroutine, with the labels of ctx, so that a Goexit in it is an
// error and nothing worse, and waits for it.
func (e *Engine[T, R]) contain(ctx context.Context, fn func() error) (err error) {
	done := make(chan struct{}, 1)
	go func() {
		defer sched.Signal(done)
		pprof.SetGoroutineLabels(ctx)
		outcome.Run(func() (struct{}, error) { return struct{}{}, fn() }, func(_ struct{}, e error) { err = e })
	}()
	sched.Park(done)
	return err
}
