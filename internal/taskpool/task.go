// Package taskpool is the engine of package pool: a bounded queue of tasks, and workers
// that take them from it and from each other.
//
// A future, a group or a walk is the [Owner] of its tasks. The tasks of Pool.Go have none.
//
// # Structure
//
// queue.go has the bounded queue, first come, first served: a list of chunks (chunk.go) of up to 64
// tasks. runqueue.go has the run queue of a worker: the chunk that it took from the queue, with one
// word that tells which of its tasks are unclaimed and how many have ended. The worker claims them one by one with a compare-and-swap, and workers
// that are idle steal from it. run.go has the way of a task through a worker. workers.go has the
// workers, which are started when there is work and end when they have been idle. cancel.go and
// close.go have the tasks that never start, and the end of an engine. order.go takes the place of
// the queue in a pool with keys or priorities.
//
// # Locks
//
// Engine.mu guards the queue, the workers, the counts of ended tasks, and the tasks that a group has.
// A run queue is filled under it by its worker; after that only its word decides. No code of the user runs under the lock.
//
// # Parking and waking
//
// A worker that finds nothing under Engine.mu puts itself on the idle stack, and parks on its own
// channel. The goroutine that takes it off the stack owes it one signal. At most one worker is
// searching: it has been woken or started, and has not looked at the queue yet. When it finds a
// task and there are more, it wakes the next.
//
// A submitter that finds no room puts itself on the list of blocked submitters, says that the
// pool is crowded, looks for room once more, and parks. Workers look at that after each task
// that they have counted. The goroutine that takes a submitter off the list decides its
// fate before it wakes it: its task is accepted, its owner refuses it, or the pool is closed.
package taskpool

import (
	"context"
	"errors"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
)

// A Func runs a task.
type Func[T, R any] = func(ctx context.Context, task T) (R, error)

// An Origin is common to tasks that were submitted together: those of Pool.Go under one context,
// those of a group or a walk, or a single one.
type Origin[T, R any] struct {
	Owner   Owner[T, R] // nil if the tasks are detached: no one waits for them
	Single  bool        // the one task can be cancelled on its own
	Lingers bool        // the scope can end, and the engine drops queued tasks then
	scope   sched.Pointer[taskctx.Scope]
}

// An Owner waits for tasks.
type Owner[T, R any] interface {
	// Accept is called when a task is accepted, under the lock of the engine, and returns the task, or
	// why it must not be accepted.
	Accept(arg T) (*Task[T, R], error)
	// Starts is called with the context of a task that can be cancelled on its own, after the task
	// has been claimed and before it runs.
	Starts(ctx *taskctx.Context)
	// Settle publishes how a task has ended, after it has been counted.
	Settle(t *Task[T, R], err error)
}

// Open sets the scope of the tasks. When it ends, the owner drops those that are queued if drops
// is true, and the engine if it is not.
func (o *Origin[T, R]) Open(s *taskctx.Scope, drops bool) {
	o.Lingers = s.Mortal() && !drops
	o.scope.Store(s)
}

// Close is called when all tasks have ended.
func (o *Origin[T, R]) Close() { o.scope.Store(nil) }

// Scope returns the scope of the tasks, or nil if all of them have ended.
func (o *Origin[T, R]) Scope() *taskctx.Scope { return o.scope.Load() }

// context returns the context to run a task with, which may be last, the one of the task before.
func (o *Origin[T, R]) context(r *taskctx.Root, last *taskctx.Context, worker int) *taskctx.Context {
	if !o.Single {
		return o.Scope().Context(r, last, worker)
	}
	ctx := o.Scope().Own(r, worker)
	o.Owner.Starts(ctx)
	return ctx
}

// A Task is a task that someone waits for, and then its result. A worker claims it when its turn
// comes, a waiter in order to run it in place, and any goroutine in order to cancel it.
type Task[T, R any] struct {
	state sched.Uint64
	Index int // for the owner
	Arg   T
	Value R
}

// The states of a task.
const (
	queued uint64 = iota
	claimed
	settled
)

// Claimed reports whether someone has claimed the task.
func (t *Task[T, R]) Claimed() bool { return t.state.Load() >= claimed }

// Queued reports whether no one has claimed the task.
func (t *Task[T, R]) Queued() bool { return t.state.Load() == queued }

// Claim reports whether the caller is to run or cancel the task. Only one call for a task does.
func (t *Task[T, R]) Claim() bool { return t.state.CompareAndSwap(queued, claimed) }

// Land is called when the result of the task is there.
func (t *Task[T, R]) Land() { t.state.Store(settled) }

// Landed reports whether the result of the task is there.
func (t *Task[T, R]) Landed() bool { return t.state.Load() == settled }

// Errors of the engine. They are exported by package pool.
var (
	ErrClosed    = errors.New("pool: closed")
	ErrQueueFull = errors.New("pool: queue is full")
	ErrInside    = errors.New("pool: called inside a task of the same pool")
)
