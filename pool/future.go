package pool

import (
	"context"
	"runtime"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// A Future is the result of one submitted task, to come. Any number of goroutines may wait
// for it, any number of times.
type Future[R any] struct{ of promise[R] }

// A promise is the task of a Future, without the type of its argument.
type promise[R any] interface {
	wait(ctx context.Context) (R, error)
	ended(under context.Context) <-chan struct{}
	cancel(cause error)
}

// Wait waits for the task and returns its result. If ctx ends first, Wait returns the cause of
// ctx; the task is not affected. Inside a task of the same pool, a task that is still queued
// runs in place. It panics if ctx is nil.
func (f *Future[R]) Wait(ctx context.Context) (R, error) {
	f.require("Wait")
	ctxselect.Require(ctx, "pool: Future.Wait")
	return f.of.wait(ctx)
}

// Done returns a channel that is closed when the result is there.
func (f *Future[R]) Done() <-chan struct{} {
	f.require("Done")
	return f.of.ended(context.Background())
}

// Cancel ends the task with the given cause, [context.Canceled] if it is nil. A queued task
// never runs, and the future has an error that matches ErrNotStarted and the cause. The context
// of a running task ends with the cause. A task that has ended is not affected.
func (f *Future[R]) Cancel(cause error) {
	f.require("Cancel")
	if cause == nil {
		cause = context.Canceled
	}
	f.of.cancel(cause)
}

// require panics if f is the zero value.
func (f *Future[R]) require(call string) {
	if f.of == nil {
		misuse.Zero(true, "pool: Future."+call, "Future", "Pool.Submit")
	}
}

// A call is a task of Submit, Do or a walk.
type call[T, R any] struct {
	Future[R]
	taskpool.Task[T, R]
	origin taskpool.Origin[T, R] // of this task alone; its scope is nil once it has landed
	pool   *Pool[T, R]
	err    error

	mu      sched.Mutex
	watched bool             // unwatch is set, or is about to be
	ctx     *taskctx.Context // while the task runs, if it can be cancelled on its own
	cause   error            // of cancel; nil if it was not called
	done    chan struct{}    // closed when the task has ended; nil until it is needed
	notify  chan<- struct{}  // signalled then; may be nil
	unwatch func() bool      // ends the watch on the context that the task was submitted under
}

func (p *Pool[T, R]) submit(ctx context.Context, task T, wait bool) (*Future[R], error) {
	c, err := p.call(ctx, task, wait, true, nil)
	if err != nil {
		return nil, err
	}
	return &c.Future, nil
}

// call submits a task that someone waits for. With own, it can be cancelled on its own. When it
// has ended, notify is signalled, unless it is nil.
func (p *Pool[T, R]) call(ctx context.Context, task T, wait, own bool, notify chan<- struct{}) (*call[T, R], error) {
	h, err := p.header(ctx)
	if err != nil {
		return nil, err
	}
	c := &call[T, R]{pool: p, notify: notify}
	c.of, c.origin.Owner = c, c
	c.origin.Single = own || !taskctx.Identical(h.scope.Submitted, ctx)
	c.origin.Open(&h.scope, false)
	if err := p.eng.Push(ctx, task, &c.origin, wait); err != nil {
		p.forget(ctx)
		return nil, err
	}
	return c, nil
}

// Accept is called when the task is accepted.
func (c *call[T, R]) Accept(task T) (*taskpool.Task[T, R], error) {
	c.Arg = task
	return &c.Task, nil
}

// Starts is called with the context of the task.
func (c *call[T, R]) Starts(ctx *taskctx.Context) {
	c.mu.Lock()
	c.ctx = ctx
	cause := c.cause
	c.mu.Unlock()
	if cause != nil {
		ctx.End(cause)
	}
}

// Settle publishes how the task has ended.
func (c *call[T, R]) Settle(_ *taskpool.Task[T, R], err error) {
	var zero T
	c.mu.Lock()
	c.err, c.ctx, c.cause, c.Arg = err, nil, nil, zero
	c.origin.Close()
	c.Land()
	done, notify, unwatch := c.done, c.notify, c.unwatch
	c.notify, c.unwatch = nil, nil
	c.mu.Unlock()
	if done != nil {
		sched.End(done)
	}
	if notify != nil {
		sched.Signal(notify)
	}
	if unwatch != nil {
		unwatch()
	}
}

// waitYields is how often a waiter gives way to other goroutines before it parks. Mostly the
// result is there by then.
const waitYields = 4

// wait prefers a result that is there to an ended ctx.
func (c *call[T, R]) wait(ctx context.Context) (v R, err error) {
	inside := !c.Landed() && c.pool.eng.Root.Inside(ctx) != nil
	var wake chan struct{} // signalled when the key of the task is free
	if inside {
		wake = make(chan struct{}, 1)
	}
	for yields := 0; !c.Landed(); {
		switch {
		case sched.Err(ctx) != nil:
			return v, context.Cause(ctx)
		case inside && c.Queued() && c.pool.eng.Help(ctx, &c.origin, &c.Task, wake):
		case !inside && yields < sched.Spins(waitYields):
			yields++
			runtime.Gosched()
		default:
			sched.ParkCtxOr(ctx, wake, c.ended(ctx))
		}
	}
	return c.Value, c.err
}

// ended returns a channel that is closed when the task has ended. A task that is queued when its
// context ends does so then, and not only when its turn comes: the context is watched, unless it
// is the one that the caller waits under.
func (c *call[T, R]) ended(under context.Context) <-chan struct{} {
	c.mu.Lock()
	scope := c.origin.Scope()
	if c.done == nil {
		c.done = make(chan struct{})
		if scope == nil {
			sched.End(c.done)
		}
	}
	watch := scope.Mortal() && !c.watched && !taskctx.Identical(under, scope.Submitted)
	c.watched = c.watched || watch
	c.mu.Unlock()
	if !watch {
		return c.done
	}
	unwatch := sched.AfterFunc(scope.Submitted, func() { c.refuse(context.Cause(scope.Submitted)) })
	c.mu.Lock()
	if !c.Landed() {
		c.unwatch, unwatch = unwatch, nil
	}
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	return c.done
}

// refuse settles the task with cause if it has not started, and reports whether that was so.
func (c *call[T, R]) refuse(cause error) bool {
	if !c.Claim() {
		return false
	}
	c.pool.eng.Cancelled(1)
	c.Settle(&c.Task, outcome.NotStarted(cause))
	return true
}

func (c *call[T, R]) cancel(cause error) {
	if c.refuse(cause) {
		return
	}
	c.mu.Lock()
	if c.cause == nil && !c.Landed() {
		c.cause = cause
	}
	ctx := c.ctx
	c.mu.Unlock()
	if ctx != nil {
		ctx.End(cause)
	}
}
