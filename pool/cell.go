package pool

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// A cell keeps a task that someone waits for, and then its result. The queue has no more than
// the place of the task, so that the one who claims the cell has all of it: the worker whose
// turn it is, a waiter that runs the task in place, or someone who cancels it.
type cell[T, R any] struct {
	state sched.Uint64
	task  T // until it is claimed
	value R
}

// The states of a cell.
const (
	fresh uint64 = iota // not accepted yet
	queued
	claimed
	settled
)

// Accepted says that the task is in the queue.
func (c *cell[T, R]) Accepted() { c.state.Store(queued) }

// Value returns the task, which has not been claimed.
func (c *cell[T, R]) Value(T) T { return c.task }

// Queued reports whether no one has claimed the task.
func (c *cell[T, R]) Queued() bool { return c.state.Load() == queued }

// Claim claims the task.
func (c *cell[T, R]) Claim(T) (task T, ok bool) {
	if !c.state.CompareAndSwap(queued, claimed) {
		return task, false
	}
	var zero T
	task, c.task = c.task, zero // a cell may live much longer than its task
	return task, true
}

// drop claims the task in order to cancel it.
func (c *cell[T, R]) drop() bool {
	var zero T
	_, ok := c.Claim(zero)
	return ok
}

// Run runs the task.
func (c *cell[T, R]) Run(ctx context.Context, fn taskpool.Func[T, R], task T) (err error) {
	c.value, err = fn(ctx, task)
	return err
}

// Detached reports that someone waits for the task.
func (c *cell[T, R]) Detached() bool { return false }
