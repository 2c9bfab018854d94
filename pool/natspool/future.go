package natspool

import (
	"context"
	"fmt"
	"sync"

	"github.com/tandemgo/tandem/pool"
)

// A Future is the pending result of one submitted task. Any number of goroutines may
// wait for it, any number of times, or never. It ends with the result of the run that
// succeeds, with a [*TaskError] if the task has become a dead letter, with
// [ErrResultLost], or, if the pool has been shut down, with an error that wraps
// [ErrClosed]; the task then runs all the same.
type Future[R any] struct {
	of     *promise
	id     uint64
	decode func([]byte) (R, error)
	once   sync.Once
	value  R
	err    error
}

// Wait waits for the task and returns its result. If ctx ends first, Wait returns the
// cause of ctx; the task is not affected. If the result is available, Wait returns it
// even if ctx has ended.
func (f *Future[R]) Wait(ctx context.Context) (R, error) {
	require(f.of != nil, "Future.Wait: the zero Future is not usable, make one with Submit")
	require(ctx != nil, "Future.Wait: context must not be nil")
	if err := wait(ctx, f.of.done); err != nil {
		var zero R
		return zero, err
	}
	f.once.Do(func() {
		if f.err = f.of.err; f.err != nil {
			return
		}
		err := pool.ErrGoexit // unless the codec returns
		defer func() {
			if err != nil {
				f.err = fmt.Errorf("natspool: undecodable result: %w", err)
			}
		}()
		f.value, err = f.decode(f.of.data)
	})
	return f.value, f.err
}

// ID returns the number of the task in the stream, for [Pool.Cancel].
func (f *Future[R]) ID() uint64 { return f.id }

// Done returns a channel that is closed when the result is available.
func (f *Future[R]) Done() <-chan struct{} {
	require(f.of != nil, "Future.Done: the zero Future is not usable, make one with Submit")
	return f.of.done
}

// A promise is the part of a Future that does not depend on the type of the result.
type promise struct {
	token string        // identifies its result
	done  chan struct{} // closed when data and err are set
	data  []byte
	err   error

	// Guarded by core.mu.
	seq uint64 // of the task in the stream, 0 until it is acknowledged
}

// resolveLocked ends the promise with the given token, if it exists.
func (c *core) resolveLocked(token string, data []byte, err error) {
	p := c.promises[token]
	if p == nil {
		return // a second result of a task that has run twice, or the promise was dropped
	}
	delete(c.promises, token)
	p.data, p.err = data, err
	close(p.done)
	c.changedLocked()
}

// forget drops a promise that has no Future. p may be nil.
func (c *core) forget(p *promise) {
	if p != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.promises, p.token)
		c.changedLocked()
	}
}
