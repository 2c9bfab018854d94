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
	searching bool          // counted in Engine.searching
	retired   bool          // not one of Engine.workers any more
	since     time.Duration // when it became idle
	filled    uint64        // Engine.fills when its run queue was filled
	before    uint64        // and when it was filled the time before

	// Used by its goroutine only.
	fn     Func[T, R]       // nil until the state is open
	close  func() error     // closes the state
	origin *Origin[T, R]    // of the last task; nil while the worker rests
	ctx    *taskctx.Context // likewise
	mortal bool             // a task of the origin has to be looked at before it runs, see unfit
	single bool             // the context is for one task
	plain  *Task[T, R]      // that many tasks have in common which need not be looked at before they run, nor when they have completed; or nil
	lane   *lane[T, R]      // of the last task, in a pool with keys
	outer  *taskctx.Context // of the task in whose place this one, the only one of the worker, runs; nil on a goroutine of its own
	_      [64]byte
}

// wakeOne makes a worker look at the queue if none is searching.
func (e *Engine[T, R]) wakeOne() {
	e.mu.Lock()
	e.wakeLocked()
	e.mu.Unlock()
}

// wakeLocked wakes a worker, or starts one, unless there is no task, one is searching, or all are
// busy. It sets drowsy before it looks for tasks: a submitter either comes before the look, or sees
// that it has to wake a worker.
func (e *Engine[T, R]) wakeLocked() {
	n := len(e.idle)
	able := e.searching == 0 && (n > 0 || len(e.workers) < e.limit)
	if e.drowsy.Load() != able {
		e.drowsy.Store(able)
	}
	if !able || len(e.workers) > e.limit || !e.hasTasksLocked() {
		return
	}
	e.searching++
	e.drowsy.Store(false)
	if n > 0 {
		w := e.idle[n-1]
		e.idle[n-1] = nil
		e.idle = e.idle[:n-1]
		w.searching = true
		sched.Signal(w.wake)
		return
	}
	id := slices.Index(e.ids, false)
	if id < 0 {
		id = len(e.ids)
		e.ids = append(e.ids, false)
	}
	e.ids[id] = true
	w := &worker[T, R]{id: id, wake: make(chan struct{}, 1), fn: e.Fn, searching: true, filled: e.fills}
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
		n := 0
		if !w.retired && len(e.workers) <= e.limit {
			n = e.takeLocked(w)
		}
		if w.searching {
			w.searching = false
			e.searching--
		}
		e.wakeLocked()
		switch {
		case n > 0:
			e.unlock()
			return true
		case !w.retired && (e.closed || len(e.workers) > e.limit):
			e.retireLocked(w)
			fallthrough
		case w.retired:
			e.unlock()
			e.leave(w)
			return false
		}
		e.idle = append(e.idle, w)
		w.since = e.now()
		e.wakeLocked() // a submitter may have come just before; it may wake w itself
		e.parkLocked(w)
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

// parkLocked prepares w, which is idle, for a rest.
func (e *Engine[T, R]) parkLocked(w *worker[T, R]) {
	w.rest()
	if c := w.run.chunk; c != nil {
		w.run.chunk = nil
		e.queue.mu.Lock()
		e.queue.recycle(c)
		e.queue.mu.Unlock()
	}
	e.restLocked()
	e.scheduleRetirementLocked()
}

// scheduleRetirementLocked sets the timer for the worker that has been idle longest, unless it
// is set. If that worker has been woken when the timer fires, the timer is set anew.
func (e *Engine[T, R]) scheduleRetirementLocked() {
	if e.retiring || len(e.idle) == 0 || len(e.workers) <= e.MinWorkers || e.IdleTimeout > 1<<62 {
		return
	}
	e.retiring = true
	d := e.idle[0].since + e.IdleTimeout - e.now()
	if e.retirement == nil {
		sched.Opaque("the timer of idle workers")
		e.retirement = time.AfterFunc(d, e.retireOverdue)
	} else {
		e.retirement.Reset(d)
	}
}

// retireOverdue retires the workers that have been idle for the idle timeout.
func (e *Engine[T, R]) retireOverdue() {
	e.mu.Lock()
	now, n := e.now(), 0
	for n < min(len(e.idle), len(e.workers)-e.MinWorkers) && now-e.idle[n].since >= e.IdleTimeout {
		n++
	}
	e.retireIdleLocked(n)
	e.retiring = false
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
		e.queue.mu.Lock()
		e.queue.trim()
		e.queue.mu.Unlock()
	}
	if e.retiring && (len(e.workers) == 0 || e.closed) {
		e.retirement.Stop()
		e.retiring = false
	}
}

// leave ends a worker that has retired.
func (e *Engine[T, R]) leave(w *worker[T, R]) {
	w.rest()
	w.run.chunk = nil
	if w.close != nil {
		e.closeState(w.close)
	}
	e.mu.Lock()
	e.leaving--
	e.unlock()
}

// hasTasksLocked reports whether there is a task for a worker to take.
func (e *Engine[T, R]) hasTasksLocked() bool {
	e.queue.mu.Lock()
	ready := e.queue.ready()
	e.queue.mu.Unlock()
	return ready || slices.ContainsFunc(e.workers, func(w *worker[T, R]) bool { return w.run.unclaimed() > 0 })
}

// takeLocked fills the run queue of w, which is empty, and returns the number of tasks.
func (e *Engine[T, R]) takeLocked(w *worker[T, R]) (n int) {
	if v := e.stuckLocked(w); v != nil {
		if n = e.stealLocked(w, v, true); n > 0 {
			return n
		}
	}
	e.queue.mu.Lock()
	c, l := e.queue.take(w.run.chunk)
	e.queue.mu.Unlock()
	if c != nil {
		w.lane = l
		return e.fillLocked(w, c)
	}
	for _, v := range e.workers {
		if n = e.stealLocked(w, v, false); n > 0 {
			break
		}
	}
	return n
}

// stealLocked moves half of the unclaimed tasks of v to w, or all of them.
func (e *Engine[T, R]) stealLocked(w, v *worker[T, R], all bool) int {
	if v.run.unclaimed() == 0 {
		return 0
	}
	if w.run.chunk == nil {
		w.run.chunk = newChunk[T, R]()
	}
	if n := v.run.steal(w.run.chunk, all); n == 0 {
		return 0
	}
	return e.fillLocked(w, w.run.chunk)
}

func (e *Engine[T, R]) fillLocked(w *worker[T, R], c *chunk[T, R]) int {
	e.fills++
	w.before, w.filled = w.filled, e.fills
	w.run.fill(c)
	return c.n
}

// stuckLocked looks at a few of the other workers in turn, and returns one that has not filled
// its run queue since w did so twice: the task that it runs is long. It returns nil if there is
// none.
func (e *Engine[T, R]) stuckLocked(w *worker[T, R]) *worker[T, R] {
	const few = 8
	for range min(few, len(e.workers)) {
		e.turn++
		if v := e.workers[e.turn%len(e.workers)]; v.filled < w.before && v.run.unclaimed() > 0 {
			return v
		}
	}
	return nil
}
