package fan

import (
	"context"

	"github.com/tandemgo/tandem/internal/sched"
)

// A calls is the context of the functions of a Map or Reduce. It gets an end of its own
// when Done is first called, when it ends before the caller's context, or when it is used after
// the work: to make such a context costs as much as dozens of cheap elements.
type calls struct {
	context.Context      // the caller's
	ends            bool // the caller's context can end
	own             sched.Pointer[ownContext]
	over            sched.Bool // the work has ended
}

type ownContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (c *calls) Done() <-chan struct{} { return c.makeOwn().Done() }

func (c *calls) Err() error { return sched.Err(c.current()) }

func (c *calls) Value(key any) any { return c.current().Value(key) }

func (c *calls) current() context.Context {
	if own := c.own.Load(); own != nil {
		return own
	}
	if c.over.Load() {
		return c.makeOwn()
	}
	return c.Context
}

// makeOwn returns the context with an end of its own.
func (c *calls) makeOwn() *ownContext {
	if c.own.Load() == nil {
		own := new(ownContext)
		own.Context, own.cancel = context.WithCancelCause(c.Context)
		if !c.own.CompareAndSwap(nil, own) {
			own.cancel(nil)
		}
		if c.over.Load() { // after own is set: one of makeOwn and release sees the other
			c.cancel(nil)
		}
	}
	return c.own.Load()
}

func (c *calls) cancel(cause error) {
	own := c.own.Load()
	sched.Cancel(func() { own.cancel(cause) })
}

// release ends the context with the work.
func (c *calls) release() {
	c.over.Store(true)
	if c.own.Load() != nil {
		c.cancel(nil)
	}
}
