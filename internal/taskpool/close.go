package taskpool

import (
	"slices"
)

// Close makes every later Push return ErrClosed, and lets the workers end when the queue is
// empty. It does not wait.
func (e *Engine[T, R]) Close() {
	e.mu.Lock()
	up := e.closeLocked(ErrClosed)
	e.mu.Unlock()
	up.wake()
}

func (e *Engine[T, R]) closeLocked(why error) (up wakeUp[T, R]) {
	if e.closed {
		return up
	}
	e.closed, e.why = true, why
	if e.limit == 0 { // a pause ends
		e.limit = e.resume
	}
	for s := range e.blocked.Take() {
		s.err = why
		up.submitters = append(up.submitters, s)
	}
	e.alert.And(^crowded)
	e.queue.mu.Lock()
	e.queue.room = 0
	e.queue.mu.Unlock()
	up.workers = e.retireIdleLocked(len(e.idle))
	up.add(e.wakeLocked())
	e.notifyLocked()
	return up
}

// Drain closes the engine and returns the tasks that have not started, in the order in which
// they were accepted. It settles those that are waited for with an error that matches cause.
func (e *Engine[T, R]) Drain(cause error) []T {
	e.mu.Lock()
	up := e.closeLocked(ErrClosed)
	claimed, tasks := e.drainLocked()
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
	e.settleAll(claimed, cause, false)
	return tasks
}

// Abort closes the engine, cancels the tasks that have not started and ends the contexts of
// those that run. It does not wait. With root, the reason is the end of the context that the
// pool was made under.
func (e *Engine[T, R]) Abort(why, cause error, root bool) (running, dropped int) {
	e.mu.Lock()
	rests := e.goneLocked() && !root
	up := e.closeLocked(why)
	claimed, _ := e.drainLocked()
	running = e.unfinishedLocked()
	e.alert.Or(stopped)
	e.notifyLocked()
	e.mu.Unlock()
	up.wake()
	if !rests { // an engine at rest has nothing of its own to end
		e.Root.Stop(cause)
	}
	e.settleAll(claimed, cause, true)
	return running, len(claimed)
}

// drainLocked claims all tasks that have not started, and counts them as cancelled. It returns
// them, and their values.
func (e *Engine[T, R]) drainLocked() (claimed []*Task[T, R], values []T) {
	e.recallLocked()
	claim := func(it item[T, R]) {
		if it.task.Claim() {
			claimed, values = append(claimed, it.task), append(values, it.arg())
		} else {
			e.dead--
		}
	}
	e.queue.mu.Lock()
	e.queue.keep(func(it item[T, R]) bool { claim(it); return false })
	e.queue.trim()
	e.queue.mu.Unlock()
	if e.order != nil {
		for _, p := range e.order.drain() {
			claim(p.item)
		}
	}
	e.cancelled += uint64(len(claimed))
	e.departed += uint64(len(claimed))
	e.restLocked()
	return claimed, values
}

// recallLocked takes back the tasks that workers have not claimed.
func (e *Engine[T, R]) recallLocked() {
	var chunks []*chunk[T, R]
	for _, w := range e.workers {
		if e.order == nil && w.run.unclaimed() > 0 {
			c := &chunk[T, R]{items: make([]item[T, R], itemsPerChunk[T, R]())}
			if w.run.steal(c, true) > 0 {
				chunks = append(chunks, c)
			}
		}
	}
	slices.SortFunc(chunks, func(a, b *chunk[T, R]) int { return int(int64(b.seq - a.seq)) })
	e.queue.mu.Lock()
	for _, c := range chunks {
		e.queue.putBack(c)
	}
	e.queue.mu.Unlock()
}

// Closing returns the number of workers that have not closed their states.
func (e *Engine[T, R]) Closing() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Open == nil {
		return 0
	}
	return len(e.workers) + e.leaving
}

// goneLocked reports whether the engine is closed and nothing of it is left.
func (e *Engine[T, R]) goneLocked() bool {
	return e.closed && len(e.workers)+e.leaving+e.waiting == 0
}
