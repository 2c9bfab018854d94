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
	if e.closed {
		return
	}
	e.closed, e.why = true, why
	if e.limit == 0 { // a pause ends
		e.limit = e.resume
	}
	for s := range e.blocked.Take() {
		s.err = why
		sched.Signal(s.wake)
	}
	e.alert.And(^crowded)
	e.queue.mu.Lock()
	e.queue.room = 0
	e.queue.mu.Unlock()
	e.retireIdleLocked(len(e.idle))
	e.wakeLocked()
}

// Drain closes the engine and returns the tasks that have not started, in the order in which
// they were accepted. It settles those that are waited for with an error that matches cause.
func (e *Engine[T, R]) Drain(cause error) []T {
	e.mu.Lock()
	e.closeLocked(ErrClosed)
	claimed, tasks := e.drainLocked()
	e.unlock()
	e.settleAll(claimed, cause, false)
	return tasks
}

// Abort closes the engine, cancels the tasks that have not started and ends the contexts of
// those that run. It does not wait. With root, the reason is the end of the context that the
// pool was made under.
func (e *Engine[T, R]) Abort(why, cause error, root bool) (running, dropped int) {
	e.mu.Lock()
	rests := e.goneLocked() && !root
	e.closeLocked(why)
	claimed, _ := e.drainLocked()
	running = e.unfinishedLocked()
	e.alert.Or(stopped)
	e.unlock()
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
	e.queue.mu.Lock()
	all := e.queue.drain()
	e.queue.mu.Unlock()
	for _, it := range all {
		if it.task.Claim() {
			claimed, values = append(claimed, it.task), append(values, it.arg())
		} else {
			e.dead--
		}
	}
	e.cancelled += uint64(len(claimed))
	e.restLocked()
	return claimed, values
}

// recallLocked takes back the tasks that workers have not claimed.
func (e *Engine[T, R]) recallLocked() {
	var chunks []*chunk[T, R]
	for _, w := range e.workers {
		if w.run.unclaimed() > 0 {
			c := newChunk[T, R]()
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
