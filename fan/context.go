package fan

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/point"
)

// A lazyContext is the context of the calls of a parallelFor. It becomes a context
// with an end of its own at the first call of Done, or when it ends before its
// parent: most calls are over before that, and to make a context costs as much as
// dozens of cheap elements.
type lazyContext struct {
	context.Context // the caller's
	own             atomic.Pointer[ownContext]
	mu              sync.Mutex // guards the making of own
	over            bool       // the work has ended
}

type ownContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (c *lazyContext) Done() <-chan struct{} { return c.become().Done() }

func (c *lazyContext) Err() error {
	if own := c.own.Load(); own != nil {
		return own.Err()
	}
	return c.Context.Err()
}

func (c *lazyContext) Value(key any) any {
	if own := c.own.Load(); own != nil {
		return own.Value(key)
	}
	return c.Context.Value(key)
}

func (c *lazyContext) become() *ownContext {
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

func (c *lazyContext) cancel(cause error) { c.become().cancel(cause) }

// release ends the context with the work.
func (c *lazyContext) release() {
	point.At("fan: before it releases the context")
	c.mu.Lock()
	c.over = true
	own := c.own.Load()
	c.mu.Unlock()
	if own != nil {
		own.cancel(nil)
	}
}
