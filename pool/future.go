package pool

import (
	"context"
	"runtime"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
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
	done() <-chan struct{}
	cancel(cause error)
}

// Wait waits for the task and returns its result. If ctx ends first, Wait returns the cause of
// ctx; the task is not affected. Inside a task of the same pool, a task that is still queued
// runs in place. It panics if ctx is nil.
func (f *Future[R]) Wait(ctx context.Context) (R, error) {
	ctxselect.Require(ctx, "pool: Future.Wait")
	return f.of.wait(ctx)
}

// Done returns a channel that is closed when the result is there.
func (f *Future[R]) Done() <-chan struct{} { return f.of.done() }

// Cancel ends the task with the given cause, [context.Canceled] if it is nil. A queued task
// never runs, and the future has an error that matches ErrNotStarted and the cause. The context
// of a running task ends with the cause. A task that has ended is not affected.
func (f *Future[R]) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	f.of.cancel(cause)
}

// A call is a task of Submit or Do.
type call[T, R any] struct {
	Future[R]
	taskpool.Task[T, R]
	origin taskpool.Origin[T, R] // of this task alone; its scope is nil once it has landed
	pool   *Pool[T, R]
	own    bool // the task can be cancelled on its own
	err    error

	mu      sched.Mutex
	waiters []chan struct{}  // signalled when settled
	landed  chan struct{}    // closed when settled; nil unless Done was called
	unwatch func() bool      // ends the watch that Done has started
	ctx     *taskctx.Context // while the task runs, if own
	cause   error            // of cancel; nil if it was not called
}

func (p *Pool[T, R]) submit(ctx context.Context, task T, wait bool) (*Future[R], error) {
	c, err := p.call(ctx, task, wait, true)
	if err != nil {
		return nil, err
	}
	return &c.Future, nil
}

// call submits a task that someone waits for. With own, it can be cancelled on its own.
func (p *Pool[T, R]) call(ctx context.Context, task T, wait, own bool) (*call[T, R], error) {
	h, err := p.header(ctx)
	if err != nil {
		return nil, err
	}
	c := &call[T, R]{pool: p, own: own || !taskctx.Identical(h.scope.Submitted, ctx)}
	c.of, c.origin.Owner, c.Origin, c.Arg = c, c, &c.origin, task
	c.origin.Open(&h.scope, false)
	var zero T
	if err := p.eng.Push(ctx, zero, &c.Task, wait); err != nil {
		h.forget()
		return nil, err
	}
	return c, nil
}

// Context returns the context to run the task with.
func (c *call[T, R]) Context(r *taskctx.Root, last *taskctx.Context, worker int) *taskctx.Context {
	if !c.own {
		return c.origin.Context(r, last, worker)
	}
	ctx := c.origin.Scope().Own(r, worker)
	c.mu.Lock()
	c.ctx = ctx
	cause := c.cause
	c.mu.Unlock()
	if cause != nil {
		ctx.End(cause)
	}
	return ctx
}

// Settle publishes how the task has ended.
func (c *call[T, R]) Settle(_ *taskpool.Task[T, R], err error) {
	var zero T
	c.mu.Lock()
	c.err, c.ctx, c.Arg = err, nil, zero
	c.origin.Close()
	c.Land()
	waiters, landed, unwatch := c.waiters, c.landed, c.unwatch
	c.waiters, c.unwatch = nil, nil
	c.mu.Unlock()
	for _, wake := range waiters {
		sched.Signal(wake)
	}
	if landed != nil {
		sched.Opaque("a future's Done")
		close(landed)
	}
	if unwatch != nil {
		unwatch()
	}
}

func (c *call[T, R]) result() (v R, err error, ok bool) {
	if !c.Landed() {
		return v, nil, false
	}
	return c.Value, c.err, true
}

// waitYields is how often a waiter gives way to other goroutines before it parks. Mostly the
// result is there by then.
const waitYields = 4

func (c *call[T, R]) wait(ctx context.Context) (R, error) {
	v, err, ok := c.result()
	switch {
	case ok:
		return v, err // a result that is there is preferred to an ended ctx
	case sched.Err(ctx) != nil:
		return v, context.Cause(ctx)
	}
	inside := c.pool.eng.Root.Inside(ctx) != nil
	for range sched.Spins(waitYields) {
		if inside || c.Landed() {
			break
		}
		runtime.Gosched()
	}
	wake := make(chan struct{}, 1)
	for {
		for inside && c.Queued() && c.pool.eng.Help(ctx, &c.Task, wake) {
		}
		scope, ok := c.await(wake)
		if ok {
			v, err, _ = c.result()
			return v, err
		}
		sched.ParkCtxOr(ctx, wake, scope.Submitted.Done())
		if v, err, ok = c.result(); ok {
			return v, err
		}
		if sched.Err(ctx) != nil {
			c.leave(wake)
			return v, context.Cause(ctx)
		}
		if scope.Over() {
			c.refuse(context.Cause(scope.Submitted)) // now, and not only when its turn comes
			c.await(wake)
			sched.ParkCtx(ctx, wake)
		}
	}
}

// await adds wake to the waiters, or returns ok if the result is there.
func (c *call[T, R]) await(wake chan struct{}) (scope *taskctx.Scope, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Landed() {
		return nil, true
	}
	if !slices.Contains(c.waiters, wake) {
		c.waiters = append(c.waiters, wake)
	}
	return c.origin.Scope(), false
}

// leave removes wake from the waiters.
func (c *call[T, R]) leave(wake chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(w chan struct{}) bool { return w == wake })
}

// done starts a watch on the context that the task was submitted under, so that the end of a
// queued task is seen at once.
func (c *call[T, R]) done() <-chan struct{} {
	c.mu.Lock()
	first, under := c.landed == nil, c.origin.Scope()
	if first {
		c.landed = make(chan struct{})
		if under == nil {
			sched.Opaque("a future's Done")
			close(c.landed)
		}
	}
	landed := c.landed
	c.mu.Unlock()
	if !first || !under.Mortal() {
		return landed
	}
	unwatch := sched.AfterFunc(under.Submitted, func() { c.refuse(context.Cause(under.Submitted)) })
	c.mu.Lock()
	if c.origin.Scope() != nil {
		c.unwatch, unwatch = unwatch, nil
	}
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	return landed
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
	if c.cause == nil {
		c.cause = cause
	}
	ctx := c.ctx
	c.mu.Unlock()
	if ctx != nil {
		ctx.End(cause)
	}
}
