package pool

import "github.com/tandemgo/tandem/internal/sched"

// The ends of the tasks of a group. Group.mu guards them.
type ends struct {
	order   []uint32      // the indexes of the tasks that have ended, first those that ended first
	need    int           // the length of order at which the waiters look again
	changed chan struct{} // closed then; nil if no one waits
}

// add adds the task with an index.
func (e *ends) add(i int) {
	e.order = append(e.order, uint32(i))
	if len(e.order) >= e.need {
		e.wake()
	}
}

// wake makes the waiters look again.
func (e *ends) wake() {
	if e.changed != nil {
		sched.End(e.changed)
		e.changed = nil
	}
}

// wait returns a channel that is closed when n tasks have ended, if not earlier. Fewer have so far.
func (e *ends) wait(n int) <-chan struct{} {
	if e.changed == nil {
		e.changed, e.need = make(chan struct{}), n
	}
	e.need = min(e.need, n)
	return e.changed
}
