package pool

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// Close stops accepting tasks, waits until every accepted one has run and
// every worker has ended, and returns nil. Calls that wait for room return
// ErrClosed. Inside a task Close does not wait. It is idempotent.
func (p *Pool[T, R]) Close() error {
	p.eng.close(ErrClosed)
	p.eng.join(context.Background())
	return nil
}

// Shutdown is Close with a limit: when ctx ends before the tasks do, the
// contexts of running tasks end with the cause of ctx, queued tasks resolve
// with it, and Shutdown returns at once an error that wraps the cause and says
// how many tasks there were. Tasks that ignore their context go on; Close
// waits for them. Inside a task Shutdown does not wait.
func (p *Pool[T, R]) Shutdown(ctx context.Context) error {
	ctxselect.Require(ctx, "pool: Shutdown")
	p.eng.close(ErrClosed)
	err := p.eng.join(ctx)
	if err == nil {
		return nil
	}
	running, dropped := p.eng.abort(ErrClosed, err)
	giveUp(dropped, err)
	if running == 0 && len(dropped) == 0 {
		return nil // the last one ended at the same moment
	}
	return fmt.Errorf("pool: shutdown: %d tasks still running, %d cancelled in the queue: %w", running, len(dropped), err)
}

// Stop stops accepting tasks, ends the contexts of running tasks with
// ErrClosed, and returns the tasks that never started, in the order in which
// they were submitted. A Future or a group that waits for one of them gets
// ErrClosed. It returns once all workers have ended, which takes as long as
// the slowest running task takes to notice; inside a task it does not wait.
// It is idempotent; a second call returns nil.
func (p *Pool[T, R]) Stop() []T {
	_, dropped := p.eng.abort(ErrClosed, ErrClosed)
	var tasks []T
	for _, u := range dropped {
		tasks = append(tasks, u.job.(*job[T, R]).task)
	}
	giveUp(dropped, ErrClosed)
	p.eng.join(context.Background())
	return tasks
}

// Resize sets the number of workers. More take effect at once. With fewer,
// running tasks are not disturbed: workers beyond the number end after the
// task they run, and none of them starts another. It panics if workers is less
// than 1.
func (p *Pool[T, R]) Resize(workers int) {
	if workers < 1 {
		panic(fmt.Sprintf("pool: Resize: workers must be at least 1, got %d", workers))
	}
	p.eng.resize(workers)
}

func (e *engine) resize(workers int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.limit = workers
	e.admitLocked()
	for range min(e.units.Len(), e.limit-e.live) {
		e.startWorkerLocked()
	}
	for range min(len(e.idle), e.live-e.limit) {
		e.rouseLocked() // to find that it is one too many
	}
}

// close makes every later submission return why, and lets the workers end
// once the queue is empty. Only the first call counts.
func (e *engine) close(why error) {
	e.mu.Lock()
	e.closeLocked(why)
	gone := e.goneLocked()
	e.mu.Unlock()
	if gone {
		e.unwatch()
	}
}

func (e *engine) closeLocked(why error) {
	if e.closed {
		return
	}
	e.closed, e.why = true, why
	for s, ok := e.blocked.Pop(); ok; s, ok = e.blocked.Pop() {
		s.err = why
		s.wake <- struct{}{}
	}
	for len(e.idle) > 0 {
		e.rouseLocked()
	}
}

// abort closes the engine, empties the queue, and ends the contexts of what is
// running with cause. It returns how many units are running and those that
// were queued, which the caller must let give up, and does not wait.
func (e *engine) abort(why, cause error) (running int, dropped []*unit) {
	e.mu.Lock()
	e.closeLocked(why)
	for n := e.units.Front(); n != nil; n = e.units.Front() {
		dropped = append(dropped, n.Value)
		e.dropLocked(n.Value)
	}
	var aborts []context.CancelCauseFunc
	for u := range e.started.All() {
		u.cause = cause
		if u.abort != nil {
			aborts = append(aborts, u.abort)
		}
	}
	running = e.started.Len()
	gone := e.goneLocked()
	e.mu.Unlock()
	if gone {
		e.unwatch()
	}
	for _, abort := range aborts {
		abort(cause)
	}
	return running, dropped
}

func giveUp(units []*unit, cause error) {
	for _, u := range units {
		u.giveUp(cause)
	}
}

// join waits until nothing is left of a closed engine, or returns the cause of
// ctx. Inside a task it returns at once: it would wait for its caller.
func (e *engine) join(ctx context.Context) error {
	if _, inside := e.within(ctx); inside {
		return nil
	}
	e.mu.Lock()
	if e.goneLocked() {
		e.mu.Unlock()
		return nil
	}
	gone := make(chan struct{})
	e.joiners = append(e.joiners, gone)
	e.mu.Unlock()
	_, _, err := ctxselect.Recv(ctx, gone)
	return err
}

// goneLocked reports whether the engine is closed and nothing is left of it,
// and if so releases those who wait for that.
func (e *engine) goneLocked() bool {
	if !e.closed || e.live+e.running+e.waiting > 0 {
		return false
	}
	for _, gone := range e.joiners {
		close(gone)
	}
	e.joiners = nil
	return true
}
