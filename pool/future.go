package pool

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/point"
)

// A Future is the result of one submitted task, to come. It may be waited for
// by any number of goroutines, any number of times, or never.
type Future[R any] struct{ of promise[R] }

// A promise is what a Future stands for, without the type of the task.
type promise[R any] interface {
	wait(ctx context.Context) (R, error)
	done() <-chan struct{}
	cancel(cause error)
}

// Wait waits for the task and returns its result. If ctx ends first, Wait
// returns the cause of ctx; the task is not affected. Inside a task of the same
// pool, a task that is still queued runs in place.
func (f *Future[R]) Wait(ctx context.Context) (R, error) {
	ctxselect.Require(ctx, "pool: Future.Wait")
	return f.of.wait(ctx)
}

// Done returns a channel that is closed when the result is there.
func (f *Future[R]) Done() <-chan struct{} { return f.of.done() }

// Cancel ends the task with the given cause, [context.Canceled] if it is nil: a
// queued task resolves with it at once and never runs, the context of a
// running one ends with it, and a finished one is not affected.
func (f *Future[R]) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	f.of.cancel(cause)
}

// A call is a task that somebody waits for, its context and its result, in one
// allocation. It makes the channel that waiters park on when the first of them
// does; most results are there before that.
type call[T, R any] struct {
	Future[R]
	ticket  ticket[T, R]
	running running
	eng     *engine[T, R]
	state   atomic.Uint32 // unclaimed, claimed, settled
	task    T             // until it is claimed

	mu      sync.Mutex
	landed  chan struct{} // closed when settled; nil until somebody waits
	unwatch func() bool   // ends the watch that done has started
	value   R
	err     error
}

// newCall makes one for a task that is submitted under ctx. With escapes, its future is
// given to the caller.
func newCall[T, R any](e *engine[T, R], ctx context.Context, task T, escapes bool) *call[T, R] {
	c := &call[T, R]{eng: e, task: task}
	c.Future.of = c
	life := e.life(ctx)
	c.ticket = ticket[T, R]{ctx: life, mortal: true, to: c}
	if escapes || !identical(life, ctx) { // otherwise the end of ctx is all that cancels it
		c.ticket.own = &c.running
	}
	return c
}

func (c *call[T, R]) enter(uint64, T, *ticket[T, R]) *ticket[T, R] { return &c.ticket }

func (c *call[T, R]) claim(int) (task T, ok bool) {
	if !c.state.CompareAndSwap(unclaimed, claimed) {
		return task, false
	}
	var zero T
	task, c.task = c.task, zero // a future may live much longer than its task
	return task, true
}

func (c *call[T, R]) waits(int) bool { return c.state.Load() == unclaimed }

func (c *call[T, R]) settle(_ int, v R, err error) {
	c.running.finish()
	point.At("pool: future before it settles")
	c.mu.Lock()
	c.value, c.err = v, err
	c.ticket.ctx = nil
	c.state.Store(settled) // what waits for it without mu may read the result now
	landed, unwatch := c.landed, c.unwatch
	c.unwatch = nil
	c.mu.Unlock()
	if landed != nil {
		point.At("pool: future before its waiters are woken")
		close(landed)
	}
	if unwatch != nil {
		unwatch()
	}
}

func (c *call[T, R]) result() (v R, err error, ok bool) {
	if c.state.Load() != settled {
		return v, nil, false
	}
	return c.value, c.err, true
}

// landing returns the channel that is closed when the result is there, and
// what the task lives under, nil if the result is there.
func (c *call[T, R]) landing() (<-chan struct{}, context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.landed == nil {
		c.landed = make(chan struct{})
		if c.state.Load() == settled {
			close(c.landed)
		}
	}
	return c.landed, c.ticket.ctx
}

func (c *call[T, R]) wait(ctx context.Context) (R, error) {
	v, err, ok := c.result()
	switch {
	case ok:
		return v, err // a result that is there is preferred to an ended ctx
	case ctx.Err() != nil:
		return v, context.Cause(ctx)
	}
	for {
		changed := c.attend(ctx)
		if v, err, ok = c.result(); ok {
			return v, err
		}
		point.At("pool: waiter before it asks where to park")
		landed, under := c.landing()
		var ended <-chan struct{}
		if under != nil {
			ended = under.Done()
		}
		point.At("pool: waiter before it parks")
		select {
		case <-landed:
			point.At("pool: waiter goes on")
			v, err, _ = c.result()
			return v, err
		case <-ctx.Done():
			return v, context.Cause(ctx)
		case <-ended:
			// If it is queued, it resolves now and not only when its turn comes.
			c.eng.drop(c, 0, context.Cause(under))
			point.At("pool: waiter before it parks again")
			if _, _, err := ctxselect.Recv(ctx, landed); err != nil {
				return v, err
			}
		case <-changed:
			point.At("pool: waiter goes on")
		}
	}
}

// attend gives the task a chance to end before its waiter parks, and runs it in
// place if it is queued and the waiter is inside a task. If changed is not nil,
// it is worth another try once that is closed.
func (c *call[T, R]) attend(ctx context.Context) (changed <-chan struct{}) {
	var at place
	inside := false
	if m := c.eng.mark(ctx); m != nil {
		at, inside = place{int(m.worker), m}, true
	}
	for range waitYields {
		if inside || c.state.Load() == settled {
			break
		}
		runtime.Gosched()
	}
	if !inside && c.waits(0) {
		at, inside = c.eng.within(ctx)
	}
	for acted := true; inside && acted && c.waits(0); {
		acted, changed = c.eng.lend(ctx, at, &c.ticket, 0)
	}
	return changed
}

// done starts a watch on the task's context, for the reason given in wait.
func (c *call[T, R]) done() <-chan struct{} {
	landed, under := c.landing()
	if under == nil || under.Done() == nil {
		return landed
	}
	point.At("pool: before a watch starts")
	unwatch := context.AfterFunc(under, func() { c.eng.drop(c, 0, context.Cause(under)) })
	point.At("pool: before a watch is noted")
	c.mu.Lock()
	if c.unwatch == nil && c.state.Load() != settled {
		c.unwatch, unwatch = unwatch, nil
	}
	c.mu.Unlock()
	if unwatch != nil {
		unwatch() // there is one already, or no need for it
	}
	return landed
}

func (c *call[T, R]) cancel(cause error) {
	if c.eng.drop(c, 0, cause) {
		return
	}
	if _, _, ok := c.result(); !ok {
		point.At("pool: before a running task is cancelled")
		c.running.cancel(cause)
	}
}
