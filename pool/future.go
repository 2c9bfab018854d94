package pool

import (
	"context"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A Future is the result of one submitted task, to come. It may be waited for
// by any number of goroutines, any number of times, or never.
type Future[R any] struct {
	eng  *engine
	unit *unit
	done chan struct{}
	// Written once before done is closed.
	value R
	err   error
}

func newFuture[R any](e *engine) *Future[R] {
	return &Future[R]{eng: e, done: make(chan struct{})}
}

// Wait waits for the task and returns its result. If ctx ends first, Wait
// returns the cause of ctx; the task is not affected. Inside a task of the same
// pool, a task that is still queued runs in place.
func (f *Future[R]) Wait(ctx context.Context) (R, error) {
	ctxselect.Require(ctx, "pool: Future.Wait")
	if !f.settled() && ctx.Err() == nil {
		f.eng.help(ctx, f.unit)
	}
	if !f.settled() { // a result that is there is preferred to an ended ctx
		if _, _, err := ctxselect.Recv(ctx, f.done); err != nil {
			var zero R
			return zero, err
		}
	}
	return f.value, f.err
}

// Done returns a channel that is closed when the result is there.
func (f *Future[R]) Done() <-chan struct{} { return f.done }

// Cancel ends the task with the given cause, [context.Canceled] if it is nil: a
// queued task resolves with it at once and never runs, the context of a
// running one ends with it, and a finished one is not affected.
func (f *Future[R]) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	f.eng.cancel(f.unit, cause)
}

func (f *Future[R]) settled() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *Future[R]) attach(u *unit) { f.unit = u }

func (f *Future[R]) settle(v R, err error) {
	f.value, f.err = v, err
	close(f.done)
}
