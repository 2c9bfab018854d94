package pool

import (
	"runtime/pprof"
	"slices"

	"github.com/tandemgo/tandem/internal/point"
)

// refill fills the empty batch of w, or returns false when w is to end. It
// parks while there is nothing to do.
func (e *engine[T, R]) refill(w *worker[T, R]) bool {
	w.current = nil
	point.At("pool: worker before it looks for tasks")
	e.lock()
	w.batch.same = nil // no thief is looking
	for {
		e.foldLocked(&w.seat)
		if w.rank.key != nil {
			e.order.done(w.rank)
			w.rank = rank{}
		}
		up := e.admitLocked()
		n, more := 0, false
		if e.live <= e.limit {
			n, more = e.takeLocked(w)
		} else {
			more = e.hasTasksLocked()
		}
		if w.searching {
			w.searching = false
			point.At("pool: worker before others have to search")
			e.searching--
			e.drowsyLocked()
			// Until now submitters relied on this worker.
			more = more || n > 0 && e.drowsy.Load() && e.hasTasksLocked()
		}
		if more && up.seat == nil {
			up.seat = e.rouseLocked()
		}
		switch {
		case n > 0:
			e.mu.Unlock()
			up.do()
			return true
		case e.closed || e.live > e.limit:
			e.retireLocked(w)
			e.mu.Unlock()
			up.do()
			e.leave(w)
			return false
		}
		point.At("pool: worker before it says that it is idle")
		e.idle = append(e.idle, &w.seat)
		e.drowsyLocked()
		point.At("pool: worker before it looks at the inbox again")
		// Whoever submits from now on sees that it has to rouse someone.
		e.in.mu.Lock()
		empty := e.in.tasks.n == 0
		if empty {
			e.in.tickets.clear()
		}
		e.in.mu.Unlock()
		if !empty {
			e.idle = e.idle[:len(e.idle)-1]
			w.searching = true
			e.searching++
			e.drowsyLocked()
			e.mu.Unlock()
			up.do()
			e.lock()
			continue
		}
		timed := e.live > e.minWorkers
		e.mu.Unlock()
		up.do()
		w.rest()
		point.At("pool: worker before it parks")
		woken := w.park(timed, e.idleTimeout)
		point.At("pool: worker goes on")
		e.lock()
		if !woken {
			if i := slices.Index(e.idle, &w.seat); i >= 0 {
				e.idle = slices.Delete(e.idle, i, i+1)
				if e.live > e.minWorkers {
					e.retireLocked(w)
					e.mu.Unlock()
					e.leave(w)
					return false
				}
				continue
			}
			e.mu.Unlock()
			<-w.wake // taken off the stack at the same moment
			point.At("pool: worker goes on after all")
			e.lock()
		}
		w.searching = true
	}
}

// hasTasksLocked reports whether there is anything for a worker to take.
func (e *engine[T, R]) hasTasksLocked() bool {
	e.in.mu.Lock()
	submitted := e.in.tasks.n > 0
	e.in.mu.Unlock()
	if submitted || e.tasks.n > 0 || e.order != nil && e.order.len() > 0 {
		return true
	}
	return slices.ContainsFunc(e.seats, func(s *seat) bool { return s.tally.unclaimed() > 0 })
}

// retireLocked counts w out. Its batch is empty and folded.
func (e *engine[T, R]) retireLocked(w *worker[T, R]) {
	e.live--
	e.leaving++
	i := slices.Index(e.workers, w)
	e.workers = slices.Delete(e.workers, i, i+1)
	e.seats = slices.Delete(e.seats, i, i+1)
	e.drowsyLocked()
	if e.live == 0 { // an idle engine keeps no memory for tasks
		e.tasks.trim()
		e.in.mu.Lock()
		e.in.tasks.trim()
		e.in.tickets.clear()
		e.in.mu.Unlock()
	}
}

// leave ends a worker that has retired.
func (e *engine[T, R]) leave(w *worker[T, R]) {
	w.ctx = nil
	pprof.SetGoroutineLabels(w.own)
	point.At("pool: worker before it leaves")
	e.noteClosing(e.closeState(w))
	e.mu.Lock()
	e.leaving--
	e.ids[w.id] = false
	delete(e.inside, w.goid)
	gone := e.goneLocked()
	e.mu.Unlock()
	e.afterwards(gone)
}
