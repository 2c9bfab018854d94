package taskpool

import (
	"context"
	"runtime"
	"runtime/pprof"
	"slices"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// Cancelled counts n queued tasks that the caller has claimed in order to cancel them.
func (e *Engine[T, R]) Cancelled(n int) {
	e.lock()
	e.cancelled += uint64(n)
	e.vacateLocked(n)
	e.unlock()
}

// vacateLocked counts n tasks in the queue that have been claimed elsewhere. When they are
// an eighth of the queue they are removed, so that they cost little memory.
func (e *Engine[T, R]) vacateLocked(n int) {
	const few = 64
	if e.dead += n; e.dead > few {
		e.queue.mu.Lock()
		if e.dead > e.queue.len()/8 {
			e.dead -= e.queue.keep(func(it item[T, R]) bool { return it.task.Queued() })
		}
		e.queue.mu.Unlock()
	}
	e.admitLocked()
}

// sweepIf starts a sweep if the context of t has ended. t may be nil.
func (e *Engine[T, R]) sweepIf(t *Task[T, R]) {
	if t.over() {
		e.sweepSoon()
	}
}

// over reports whether the context of t has ended, or t has ended itself since it was looked at,
// perhaps with its context. t may be nil.
func (t *Task[T, R]) over() bool {
	if t == nil {
		return false
	}
	s := t.Origin.Scope()
	return s == nil || s.Over()
}

// sweepSoon starts a goroutine that cancels the queued tasks whose context has ended, if it is
// time to look for them.
func (e *Engine[T, R]) sweepSoon() {
	if !e.sweepDue(true) {
		return
	}
	go func() {
		e.mu.Lock()
		e.sweeping = false // contexts that end from now on may be for another sweep
		e.mu.Unlock()
		e.swept(e.sweep())
	}()
}

// sweepFull cancels the queued tasks whose context has ended, for a caller that has found no room,
// and reports whether there were any. It is time for that when one of the oldest tasks is among
// them, or when an eighth of the queue has been accepted or refused since the last look.
func (e *Engine[T, R]) sweepFull() bool {
	if e.suspect().over() {
		e.mu.Lock()
		e.queue.mu.Lock()
		e.queue.swept = e.queue.accepted - uint64(e.queue.len())
		e.queue.mu.Unlock()
		e.mu.Unlock()
	}
	if !e.sweepDue(false) {
		return false
	}
	dropped := e.sweep()
	if slices.ContainsFunc(dropped, func(t *Task[T, R]) bool { return t.Origin.Detached }) {
		go e.swept(dropped) // the handler may take its time
		runtime.Gosched()   // so that these goroutines don't pile up
	} else {
		e.swept(dropped)
	}
	return len(dropped) > 0
}

// suspect returns one of the oldest tasks that end with their context, or nil. The call counts like
// an accepted task.
func (e *Engine[T, R]) suspect() *Task[T, R] {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := &e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.mortal {
		return nil
	}
	q.swept--
	return q.sample()
}

// sweepDue reports whether it is time to look for tasks whose context has ended. Then the caller
// calls sweep and swept; the engine is not gone before that. If soon, that is a goroutine of its
// own, and one that has been started and has not begun is enough.
func (e *Engine[T, R]) sweepDue(soon bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := &e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.due() || e.goneLocked() || soon && e.sweeping {
		return false
	}
	e.sweeping = e.sweeping || soon
	q.swept = q.accepted
	e.leaving++
	return true
}

// sweep claims the queued tasks whose context has ended and removes them.
func (e *Engine[T, R]) sweep() (dropped []*Task[T, R]) {
	q := &e.queue
	over := map[*taskctx.Scope]bool{}
	e.lock()
	e.recallLocked() // what workers have not claimed
	q.mu.Lock()
	e.dead -= q.keep(func(it item[T, R]) bool {
		if o := it.task.Origin; o.Lingers {
			over[o.Scope()] = false
		}
		return it.task.Queued()
	})
	q.mortal = len(over) > 0
	q.mu.Unlock()
	e.mu.Unlock()
	for s := range over {
		over[s] = s.Over() // contexts of users are asked without a lock
	}
	e.lock()
	q.mu.Lock()
	e.dead -= q.keep(func(it item[T, R]) bool {
		t := it.task
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
	e.admitLocked()
	e.unlock()
	return dropped
}

// swept settles the tasks that a sweep has claimed, and ends it.
func (e *Engine[T, R]) swept(dropped []*Task[T, R]) {
	e.settleAll(dropped, nil, true)
	e.lock()
	e.leaving--
	e.unlock()
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
	_ = e.contain(context.Background(), func() error {
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
