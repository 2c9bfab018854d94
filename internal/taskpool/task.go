// Package taskpool is the engine of package pool: a bounded queue of tasks, and workers
// that take them from it and from each other.
//
// The engine does not know who waits for a task. A future, a slot of a group and a step of
// a walk are [Task]s, and so is what the tasks of Pool.Go have in common.
//
// # Structure
//
// queue.go has the bounded queue: tasks by value in chunks of up to 32, first come, first
// served, behind one lock. runqueue.go has the run queue of a worker: the chunk that it
// took from the queue, with one word that says which of its tasks are unclaimed and how
// many have ended. The worker claims them one by one with a compare-and-swap, and workers
// that are idle steal from it. workers.go has the workers, which are started when there is
// work and end when they have been idle. order.go takes the place of the queue in a pool
// with keys or priorities.
//
// # Who may touch what
//
// Engine.mu guards the workers and the counts of what has ended. queue.mu guards the queue;
// it is taken alone or after Engine.mu. A run queue is filled under Engine.mu by its worker;
// after that only its word decides. No code of the user runs under a lock.
//
// # Parking and waking
//
// A worker that finds nothing puts itself on the idle stack under Engine.mu, looks at the
// queue once more, and parks on its own channel. The goroutine that takes it off the stack
// owes it one signal. At most one worker is searching: it has been woken or started, and has
// not looked at the queue yet. When it finds a task and there are more, it wakes the next.
//
// A submitter that finds no room puts itself on the list of blocked submitters, sets the
// alert, looks for room once more, and parks. Workers look at the alert after each task
// that they have counted. The goroutine that takes a submitter off the list decides its
// fate before it wakes it: its task is accepted, or the pool is closed.
package taskpool

import (
	"context"
	"errors"

	"github.com/tandemgo/tandem/internal/taskctx"
)

// A Func runs a task.
type Func[T, R any] = func(ctx context.Context, task T) (R, error)

// A Task is one task, or what several tasks have in common.
type Task[T, R any] interface {
	// Scope returns what the task was submitted under, or nil if the task has ended.
	Scope() *taskctx.Scope
	// Context returns the context to run the task with, which may be last, the one of the
	// task before. It is called once, by the one who has claimed the task.
	Context(r *taskctx.Root, last *taskctx.Context, worker int) *taskctx.Context
	// Accepted is called under a lock when the task is put into the queue.
	Accepted()
	// Value returns the value of a task that has not been claimed.
	Value(pushed T) T
	// Queued reports whether no one has claimed the task.
	Queued() bool
	// Claim makes the caller the one who runs or cancels the task, and returns its value;
	// ok is false if someone else has claimed it. pushed is what Push was given.
	Claim(pushed T) (value T, ok bool)
	// Run calls fn for the task, which the caller has claimed, and keeps its result.
	Run(ctx context.Context, fn Func[T, R], value T) error
	// Settle publishes how the task has ended, after it has been counted.
	Settle(err error)
	// Detached reports whether no one waits for the task.
	Detached() bool
}

// Errors of the engine. They are exported by package pool.
var (
	ErrClosed    = errors.New("pool: closed")
	ErrQueueFull = errors.New("pool: queue is full")
	ErrInside    = errors.New("pool: called inside a task of the same pool")
)
