package natspool

import (
	"context"
	"fmt"
	"sync"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A Future is the result of one submitted task, to come. It may be waited for
// by any number of goroutines, any number of times, or never. It ends with the
// result of the run that succeeds, with a [*TaskError] when the task has become a
// dead letter, with [ErrResultLost], or with why the pool has been shut down: then
// the task runs all the same.
type Future[R any] struct {
	of     *promise
	decode func([]byte) (R, error)
	once   sync.Once
	value  R
	err    error
}

// Wait waits for the task and returns its result. If ctx ends first, Wait
// returns the cause of ctx; the task is not affected. A result that is there is
// preferred to an ended ctx.
func (f *Future[R]) Wait(ctx context.Context) (R, error) {
	ctxselect.Require(ctx, "natspool: Future.Wait")
	select {
	case <-f.of.done:
	default:
		if _, _, err := ctxselect.Recv(ctx, f.of.done); err != nil {
			var zero R
			return zero, err
		}
	}
	f.once.Do(func() {
		if f.err = f.of.err; f.err != nil {
			return
		}
		var err error
		if f.value, err = f.decode(f.of.data); err != nil {
			f.err = fmt.Errorf("natspool: undecodable result: %w", err)
		}
	})
	return f.value, f.err
}

// Done returns a channel that is closed when the result is there.
func (f *Future[R]) Done() <-chan struct{} { return f.of.done }
