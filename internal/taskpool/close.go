package taskpool

import (
	"slices"

	"github.com/tandemgo/tandem/internal/sched"
)

// Close makes every later Push return ErrClosed, and lets the workers end when the queue is
// empty. It does not wait.
func (e *Engine[T, R]) Close() {
	e.mu.Lock()
	e.closeLocked(ErrClosed)
	e.unlock()
}

func (e *Engine[T, R]) closeLocked(why error) {
	if e.closed != nil {
		return
	}
	e.closed = why
	if e.limit == 0 { // a pause ends
		e.limit = e.resume
	}
	for s := range e.blocked.Take() {
		s.err = why
		sched.Signal(s.wake)
	}
	e.crowded.Store(false)
	e.queue.room = 0
	e.retireIdleLocked(len(e.idle))
	e.wakeLocked()
}

// Drain closes the engine and returns the tasks that have not started, in the order in which
// they were accepted. It settles those that are waited for with an error that matches cause, and
// reports none.
func (e *Engine[T, R]) Drain(cause error) []T {
	e.mu.Lock()
	e.closeLocked(ErrClosed)
	claimed, tasks := e.drainLocked()
	e.unlock()
	claimed = slices.DeleteFunc(claimed, func(it item[T, R]) bool { return it.task == nil })
	e.settleAll(claimed, cause)
	return tasks
}

// Abort closes the engine, cancels the tasks that have not started and ends the contexts of
// those that run. It does not wait. With root, the reason is the end of the context that the
// pool was made under. It returns the numbers of tasks that run and that it has cancelled, and of
// workers that have not closed their states.
func (e *Engine[T, R]) Abort(why, cause error, root bool) (running, dropped, closing int) {
	e.mu.Lock()
	rests := e.goneLocked() && !root
	e.closeLocked(why)
	claimed, _ := e.drainLocked()
	running = e.unfinishedLocked()
	if e.Open != nil {
		closing = len(e.workers) + e.leaving
	}
	e.unlock()
	if !rests { // an engine at rest has nothing of its own to end
		e.Root.Stop(cause)
	}
	e.settleAll(claimed, cause)
	return running, len(claimed), closing
}

// drainLocked claims all tasks that have not started, and counts them as cancelled. It returns
// them, and their values.
func (e *Engine[T, R]) drainLocked() (claimed []item[T, R], values []T) {
	e.recallLocked()
	for _, it := range e.queue.drain() {
		if it.claim() {
			claimed, values = append(claimed, it), append(values, it.arg())
		} else {
			e.dead--
		}
	}
	e.cancelled += uint64(len(claimed))
	e.restLocked()
	return claimed, values
}
