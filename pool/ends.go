package pool

import (
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/shortlock"
)

// The ends of the tasks of a group have a lock of their own, since workers meet there, and the callers
// of Go at that of the engine. It comes last: after the lock of the group and that of the engine.
type ends struct {
	_       [64]byte // the callers of Go write before it
	mu      shortlock.Mutex
	order   []uint32      // the indexes of the tasks that have ended, first those that ended first
	need    int           // the length of order at which the waiters look again
	changed chan struct{} // closed then; nil if no one waits
}

// add adds the task with an index.
func (e *ends) add(i int) {
	e.mu.Lock()
	e.order = append(e.order, uint32(i))
	if len(e.order) < e.need {
		e.mu.Unlock()
		return
	}
	e.wakeAndUnlock()
}

// wake makes the waiters look again.
func (e *ends) wake() {
	e.mu.Lock()
	e.wakeAndUnlock()
}

func (e *ends) wakeAndUnlock() {
	changed := e.changed
	e.changed = nil
	e.mu.Unlock()
	if changed != nil {
		sched.End(changed)
	}
}

// at returns the index of the task that ended after n others, if it has.
func (e *ends) at(n int) (index int, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n >= len(e.order) {
		return 0, false
	}
	return int(e.order[n]), true
}

// count returns how many tasks have ended so far.
func (e *ends) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.order)
}

// wait returns a channel that is closed when n tasks have ended, if not earlier, or nil if they have.
func (e *ends) wait(n int) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case len(e.order) >= n:
		return nil
	case e.changed == nil:
		e.changed, e.need = make(chan struct{}), n
	}
	e.need = min(e.need, n)
	return e.changed
}
