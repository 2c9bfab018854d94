package pool

import (
	"context"
	"runtime/pprof"
	"slices"
	"strconv"
	"time"

	"github.com/tandemgo/tandem/internal/outcome"
)

// A worker is a place to run units, and the goroutine that fills it. A Goexit
// ends the goroutine; the next one takes the worker over as it is.
type worker struct {
	id    int
	goid  uint64        // of its goroutine, as in engine.inside; guarded by engine.mu
	wake  chan struct{} // capacity 1; sent to by whoever takes the worker off the idle stack
	timer *time.Timer   // for the idle timeout; nil until first used
	last  bool          // ended as the last one of a closed engine
}

// startWorkerLocked adds a worker with the smallest free id.
func (e *engine) startWorkerLocked() {
	id := slices.Index(e.ids, false)
	if id < 0 {
		id = len(e.ids)
		e.ids = append(e.ids, false)
	}
	e.ids[id] = true
	e.live++
	w := &worker{id: id}
	outcome.Spawn(func() { e.work(w) }, nil)
}

func (e *engine) work(w *worker) {
	if w.wake == nil {
		w.wake = make(chan struct{}, 1)
	}
	if e.name != "" {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(),
			pprof.Labels("pool", e.name, "worker", strconv.Itoa(w.id))))
	}
	g := goid()
	e.mu.Lock()
	delete(e.inside, w.goid) // of a goroutine lost to Goexit
	w.goid = g
	e.inside[g] = place{worker: w.id, depth: 1}
	e.mu.Unlock()
	for u := e.next(w); u != nil; u = e.next(w) {
		e.run(w.id, u, false)
	}
	if w.last {
		e.unwatch()
	}
}

// next returns the unit that w is to run, or nil when w is to end. It parks
// while there is nothing to do.
func (e *engine) next(w *worker) *unit {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.live > e.limit {
			return e.retireLocked(w)
		}
		if n := e.units.Front(); n != nil {
			e.startLocked(n.Value)
			e.running++
			return n.Value
		}
		if e.closed {
			return e.retireLocked(w)
		}
		e.idle = append(e.idle, w)
		timed := e.live > e.minWorkers
		e.mu.Unlock()
		woken := w.park(timed, e.idleTimeout)
		e.mu.Lock()
		if woken {
			continue
		}
		i := slices.Index(e.idle, w)
		if i < 0 {
			<-w.wake // taken off the stack at the same moment
			continue
		}
		e.idle = slices.Delete(e.idle, i, i+1)
		if e.live > e.minWorkers {
			return e.retireLocked(w)
		}
	}
}

// park waits to be woken, when timed for d at most, and reports whether it was.
func (w *worker) park(timed bool, d time.Duration) bool {
	if !timed {
		<-w.wake
		return true
	}
	if w.timer == nil {
		w.timer = time.NewTimer(d)
	} else {
		w.timer.Reset(d)
	}
	select {
	case <-w.wake:
		w.timer.Stop()
		return true
	case <-w.timer.C:
		return false
	}
}

// retireLocked counts w out, for next to return.
func (e *engine) retireLocked(w *worker) *unit {
	e.live--
	e.ids[w.id] = false
	delete(e.inside, w.goid)
	w.last = e.goneLocked()
	return nil
}

// run runs a started unit as worker id. It does not return if the unit ends
// its goroutine.
func (e *engine) run(id int, u *unit, lent bool) {
	base, abort := context.WithCancelCause(u.ctx)
	e.mu.Lock()
	u.abort = abort
	cause := u.cause
	e.mu.Unlock()
	if cause != nil {
		abort(cause)
	}
	ctx := &taskContext{Context: base, submitted: u.ctx, eng: e, worker: id}
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		abort(nil)
		e.finish(u, lent, &e.cancelled)
		u.giveUp(cause)
		return
	}
	u.job.run(ctx, func(err error) {
		abort(nil)
		counter := &e.completed
		if err != nil {
			counter = &e.failed
		}
		e.finish(u, lent, counter)
		u.forget()
	})
}

// lend runs u, if it is still queued, on the calling goroutine, which waits
// for it inside a task as worker id.
func (e *engine) lend(id int, u *unit) {
	if !e.claim(u) {
		return
	}
	g := goid()
	e.enter(g, id, 1)
	defer e.enter(g, id, -1)
	e.run(id, u, true)
}

// A place is where a goroutine stands that runs tasks.
type place struct {
	worker int // whom it runs them as
	depth  int // how many reasons there are to count it in
}

// enter adds n to the depth of goroutine g.
func (e *engine) enter(g uint64, worker, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n += e.inside[g].depth; n == 0 {
		delete(e.inside, g)
		return
	}
	e.inside[g] = place{worker, n}
}
