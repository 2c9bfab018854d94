package fan

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/point"
)

// A sweepContext is the context of the calls of a sweep. It becomes a context
// with an end of its own the first time that somebody asks for Done, or when it
// ends before its parent: most calls are over before anyone does, and to make
// one costs as much as dozens of cheap elements.
type sweepContext struct {
	context.Context // the caller's
	own             atomic.Pointer[ownContext]
	mu              sync.Mutex // guards the making of own
	over            bool       // the sweep has ended
}

type ownContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (c *sweepContext) Done() <-chan struct{} { return c.become().Done() }

func (c *sweepContext) Err() error {
	if own := c.own.Load(); own != nil {
		return own.Err()
	}
	return c.Context.Err()
}

func (c *sweepContext) Value(key any) any {
	if own := c.own.Load(); own != nil {
		return own.Value(key)
	}
	return c.Context.Value(key)
}

func (c *sweepContext) become() *ownContext {
	if own := c.own.Load(); own != nil {
		return own
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.own.Load()
	if own == nil {
		own = new(ownContext)
		own.Context, own.cancel = context.WithCancelCause(c.Context)
		if c.over {
			own.cancel(nil)
		}
		c.own.Store(own)
	}
	return own
}

func (c *sweepContext) cancel(cause error) { c.become().cancel(cause) }

// release ends the context with its sweep.
func (c *sweepContext) release() {
	point.At("fan: before it releases the context")
	c.mu.Lock()
	c.over = true
	own := c.own.Load()
	c.mu.Unlock()
	if own != nil {
		own.cancel(nil)
	}
}
