package fan

import (
	"context"
	"errors"
	"sync"

	"github.com/tandemgo/tandem/internal/point"
)

// A crew is the goroutines of one call that stops at the first error, and their
// common context.
type crew struct {
	caller context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	first error
}

func newCrew(ctx context.Context) *crew {
	c := &crew{caller: ctx}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// fail records err if it is the first one, and ends the context of the crew.
func (c *crew) fail(err error) {
	if c.caller.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, c.caller.Err())) {
		err = context.Cause(c.caller) // that is what it follows from
	}
	c.mu.Lock()
	first := c.first == nil
	if first {
		c.first = err
	}
	c.mu.Unlock()
	if first { // or the cause of the context could be another error than the one returned
		point.At("fan: before it ends the context")
		c.cancel(err)
	}
}

// interrupted is fail with the cause of the caller's context, if that has
// ended, and reports whether it has.
func (c *crew) interrupted() bool {
	if c.caller.Err() == nil {
		return false
	}
	c.fail(context.Cause(c.caller))
	return true
}

// join waits for the goroutines and returns the first error.
func (c *crew) join() error {
	point.At("fan: before it waits for helpers")
	c.wg.Wait()
	c.cancel(nil)
	return c.first // whoever could fail has ended
}
