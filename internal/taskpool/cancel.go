package taskpool

import (
	"context"
	"runtime/pprof"
	"slices"

	"github.com/tandemgo/tandem/internal/outcome"
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
	if e.dead += n; e.dead > max(few, e.queue.len()/8) {
		e.dead -= e.queue.keep(func(it item[T, R]) bool { return it.queued() })
	}
	e.admitLocked()
}

// over reports whether the scope of o has ended, or all tasks have since one was looked at, perhaps
// with the scope. o may be nil.
func (o *Origin[T, R]) over() bool {
	if o == nil {
		return false
	}
	s := o.Scope()
	return s == nil || s.Over()
}

// sweepFull is sweep for a caller that has found no room. The call counts like an accepted task, and
// it is also time to sweep when one of the oldest tasks is to be cancelled.
func (e *Engine[T, R]) sweepFull() (found bool) {
	var old *Origin[T, R]
	e.mu.Lock()
	if e.queue.mortal {
		e.queue.swept--
		old = e.queue.sample()
	}
	e.mu.Unlock()
	return e.sweep(old.over())
}

// sweep cancels the queued tasks whose context has ended, if it is time to look for them or if sure,
// and reports whether there were any. The engine is not gone before they are settled.
func (e *Engine[T, R]) sweep(sure bool) (found bool) {
	q := &e.queue
	e.lock()
	if !sure && !q.due() || e.goneLocked() {
		e.mu.Unlock()
		return false
	}
	e.leaving++
	e.recallLocked() // what workers have not claimed
	over := map[*taskctx.Scope]bool{}
	q.swept = q.accepted
	e.dead -= q.keep(func(it item[T, R]) bool {
		if it.origin.Lingers {
			over[it.origin.Scope()] = false
		}
		return it.queued()
	})
	q.mortal = len(over) > 0
	e.mu.Unlock()
	for s := range over {
		over[s] = s.Over() // contexts of users are asked without a lock
	}
	var dropped []item[T, R]
	e.lock()
	e.dead -= q.keep(func(it item[T, R]) bool {
		if !over[it.origin.Scope()] {
			return it.queued()
		}
		if it.claim() {
			dropped = append(dropped, it)
			e.dead++ // it is not removed because someone else has claimed it
		}
		return false
	})
	e.cancelled += uint64(len(dropped))
	e.admitLocked()
	e.unlock()
	e.settleAll(dropped, nil)
	e.left()
	return len(dropped) > 0
}

// recallLocked takes back the tasks that workers have not claimed.
func (e *Engine[T, R]) recallLocked() {
	var chunks []*chunk[T, R]
	for _, w := range e.workers {
		if c := e.stealLocked(w, true); c != nil {
			chunks = append(chunks, c)
		}
	}
	slices.SortFunc(chunks, func(a, b *chunk[T, R]) int { return int(int64(b.seq - a.seq)) })
	for _, c := range chunks {
		e.queue.putBack(c)
	}
}

// settleAll publishes that tasks which the caller has claimed and counted never started,
// because of cause, or of the end of their context if cause is nil. The errors of detached tasks are
// reported on another goroutine, one at a time: the handler may take its time.
func (e *Engine[T, R]) settleAll(tasks []item[T, R], cause error) {
	var untold []unstarted[T, R]
	for _, it := range tasks {
		why := cause
		if why == nil {
			why = context.Cause(it.origin.Scope().Submitted)
		}
		err := outcome.NotStarted(why)
		if it.task != nil {
			it.origin.Owner.Settle(it.task, err)
		} else {
			untold = append(untold, unstarted[T, R]{it.origin, err})
		}
	}
	if len(untold) == 0 {
		return
	}
	e.mu.Lock()
	e.untold = append(e.untold, untold...)
	first := !e.telling
	if first {
		e.telling = true
		e.leaving++
	}
	e.mu.Unlock()
	if first {
		outcome.Spawn(e.tell, e.left)
	}
}

// An unstarted is a detached task that never started.
type unstarted[T, R any] struct {
	origin *Origin[T, R]
	err    error
}

// tell reports the errors of detached tasks that never started.
func (e *Engine[T, R]) tell() {
	for {
		e.mu.Lock()
		if len(e.untold) == 0 {
			e.untold, e.telling = nil, false
			e.mu.Unlock()
			return
		}
		u := e.untold[0]
		e.untold[0], e.untold = unstarted[T, R]{}, e.untold[1:]
		e.mu.Unlock()
		ctx := u.origin.context(e.Root, nil, -1)
		pprof.SetGoroutineLabels(ctx.Labels)
		e.Report(ctx, u.err, false)
	}
}
