package taskpool

import (
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// A worker runs tasks on a goroutine. A Goexit ends the goroutine; the next one takes the
// worker over as it is.
type worker[T, R any] struct {
	run  runQueue[T, R]
	id   int
	wake chan struct{}

	// Guarded by Engine.mu.
	retired bool          // not one of Engine.workers any more
	since   time.Duration // when it became idle
	seq     uint64        // of the chunk that its run queue was filled with
	before  uint64        // and of the one before that

	// Used by its goroutine only.
	fn     Func[T, R]       // nil until the state is open
	close  func() error     // closes the state
	origin *Origin[T, R]    // of the last task; nil while the worker rests
	ctx    *taskctx.Context // likewise
	mortal bool             // a task of the origin has to be looked at before it runs, see unfit
	plain  *Origin[T, R]    // of tasks that need not be looked at before they run, nor when they have completed; or nil
	lane   *lane[T, R]      // of the last task, in a pool with keys
	outer  *taskctx.Context // of the task in whose place this one, the only one of the worker, runs; nil on a goroutine of its own
	_      [64]byte
}

// ableLocked reports whether a worker can be woken or started: none is searching, and one is idle or
// not all have been started.
func (e *Engine[T, R]) ableLocked() bool {
	return e.searching == nil && (len(e.idle) > 0 || len(e.workers) < e.limit)
}

// wakeLocked wakes a worker, or starts one, if one can be and there is a task for it.
func (e *Engine[T, R]) wakeLocked() {
	if !e.ableLocked() || len(e.workers) > e.limit || !e.hasTasksLocked() {
		return
	}
	if n := len(e.idle); n > 0 {
		w := e.idle[n-1]
		e.idle[n-1] = nil
		e.idle = e.idle[:n-1]
		e.searching = w
		sched.Signal(w.wake)
		return
	}
	id := slices.Index(e.ids, false)
	if id < 0 {
		id = len(e.ids)
		e.ids = append(e.ids, false)
	}
	e.ids[id] = true
	w := &worker[T, R]{id: id, wake: make(chan struct{}, 1), fn: e.Fn}
	e.searching = w
	e.workers = append(e.workers, w)
	go e.work(w, 0, false)
}

// relieve lets submitters in for tasks that have ended.
func (e *Engine[T, R]) relieve() {
	e.lock()
	e.admitLocked()
	e.mu.Unlock()
}

// refill fills the empty run queue of w and claims its first task, or returns false when w is to
// end. It parks while there is nothing to do.
func (e *Engine[T, R]) refill(w *worker[T, R]) bool {
	e.lock()
	for {
		e.foldLocked(w)
		if w.lane != nil {
			e.queue.order.done(w.lane)
			w.lane = nil
		}
		e.admitLocked()
		e.queue.recycle(w.run.chunk)
		w.run.chunk = nil
		took := !w.retired && len(e.workers) <= e.limit && e.takeLocked(w)
		if e.searching == w {
			e.searching = nil
		}
		e.wakeLocked()
		switch {
		case took:
			e.unlock()
			return true
		case !w.retired && (e.closed != nil || len(e.workers) > e.limit):
			e.retireLocked(w)
			fallthrough
		case w.retired:
			e.unlock()
			e.leave(w)
			return false
		}
		e.idle = append(e.idle, w)
		w.since = e.now()
		w.rest()
		e.restLocked()
		e.scheduleRetirementLocked()
		e.unlock()
		sched.Park(w.wake)
		e.lock()
	}
}

// restLocked calls Idle if no worker has anything to do.
func (e *Engine[T, R]) restLocked() {
	if len(e.idle) == len(e.workers) && e.Idle != nil {
		e.Idle()
	}
}

// scheduleRetirementLocked sets the timer for the worker that has been idle longest, unless it
// is set. If that worker has been woken when the timer fires, the timer is set anew.
func (e *Engine[T, R]) scheduleRetirementLocked() {
	if e.retirement != nil || len(e.idle) == 0 || len(e.workers) <= e.MinWorkers || e.IdleTimeout > 1<<62 {
		return
	}
	sched.Opaque("the timer of idle workers")
	e.retirement = time.AfterFunc(e.idle[0].since+e.IdleTimeout-e.now(), e.retireOverdue)
}

// retireOverdue retires the workers that have been idle for the idle timeout.
func (e *Engine[T, R]) retireOverdue() {
	e.mu.Lock()
	e.retirement = nil
	now, n := e.now(), 0
	for n < min(len(e.idle), len(e.workers)-e.MinWorkers) && now-e.idle[n].since >= e.IdleTimeout {
		n++
	}
	e.retireIdleLocked(n)
	e.scheduleRetirementLocked()
	e.mu.Unlock()
}

// retireIdleLocked retires up to n idle workers, those first that have been idle longest.
func (e *Engine[T, R]) retireIdleLocked(n int) {
	n = min(n, len(e.idle))
	retired := slices.Clone(e.idle[:n])
	e.idle = slices.Delete(e.idle, 0, n)
	for _, w := range retired {
		e.retireLocked(w)
		sched.Signal(w.wake)
	}
}

// retireLocked counts w out. Its run queue is empty and folded.
func (e *Engine[T, R]) retireLocked(w *worker[T, R]) {
	w.retired = true
	e.ids[w.id] = false // it runs no task any more
	i := slices.Index(e.workers, w)
	e.workers = slices.Delete(e.workers, i, i+1)
	e.leaving++
	e.restLocked()
	if len(e.workers) == 0 {
		e.queue.trim()
	}
	if e.retirement != nil && (len(e.workers) == 0 || e.closed != nil) {
		e.retirement.Stop()
		e.retirement = nil
	}
}

// leave ends a worker that has retired.
func (e *Engine[T, R]) leave(w *worker[T, R]) {
	w.rest()
	if w.close != nil {
		e.closeState(w)
	}
	e.left()
}

// left counts one of those out that Engine.leaving counts.
func (e *Engine[T, R]) left() {
	e.mu.Lock()
	e.leaving--
	e.unlock()
}

// hasTasksLocked reports whether there is a task for a worker to take.
func (e *Engine[T, R]) hasTasksLocked() bool {
	return e.queue.ready() || slices.ContainsFunc(e.workers, func(w *worker[T, R]) bool { return w.run.unclaimed() > 0 })
}

// takeLocked fills the run queue of w, which is empty, and reports whether there was a task.
func (e *Engine[T, R]) takeLocked(w *worker[T, R]) bool {
	var c *chunk[T, R]
	if v := e.stuckLocked(w); v != nil {
		c = e.stealLocked(v, true)
	}
	if c == nil {
		c, w.lane = e.queue.take()
	}
	for i := 0; c == nil && i < len(e.workers); i++ {
		c = e.stealLocked(e.workers[i], false)
	}
	if c == nil {
		return false
	}
	w.before, w.seq = w.seq, c.seq
	w.run.fill(c)
	return true
}

// stealLocked takes half of the unclaimed tasks of w away from it, or all of them, or returns nil.
func (e *Engine[T, R]) stealLocked(w *worker[T, R], all bool) *chunk[T, R] {
	if w.run.unclaimed() == 0 {
		return nil
	}
	c := e.queue.blank()
	if w.run.steal(c, all) == 0 {
		e.queue.recycle(c)
		return nil
	}
	return c
}

// stuckLocked looks at a few of the other workers in turn, and returns one whose unclaimed tasks are
// older than those of the last two run queues of w: the task that it runs is long. It returns nil if
// there is none.
func (e *Engine[T, R]) stuckLocked(w *worker[T, R]) *worker[T, R] {
	const few = 8
	for range min(few, len(e.workers)) {
		e.turn++
		if v := e.workers[e.turn%len(e.workers)]; v.seq < w.before && v.run.unclaimed() > 0 {
			return v
		}
	}
	return nil
}
