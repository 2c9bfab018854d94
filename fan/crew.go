package fan

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/point"
)

// A crew is the goroutines of one call that stops at the first error, and their
// common context. The first error is its cause: there is no other record of it, so
// that what is returned and what the functions see is the same.
type crew struct {
	caller context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	failed atomic.Bool
}

func newCrew(ctx context.Context) *crew {
	c := &crew{caller: ctx}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// fail ends the context of the crew with err, if nothing has ended it yet.
func (c *crew) fail(err error) {
	err = root(c.caller, err)
	point.At("fan: before it ends the context")
	c.cancel(err)
	c.failed.Store(true)
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
func (c *crew) join() (err error) {
	point.At("fan: before it waits for helpers")
	c.wg.Wait()
	if c.failed.Load() {
		err = context.Cause(c.ctx)
	}
	c.cancel(nil)
	return err
}
