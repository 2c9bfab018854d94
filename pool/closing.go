package pool

import (
	"context"
	"fmt"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// Close stops accepting tasks, waits until every accepted one has run and
// every worker has ended. Calls that wait for room return ErrClosed. Inside a
// task Close does not wait. It is idempotent. The error is nil, but for a pool
// made by NewStateful, where it is the first one of closing a state.
func (p *Pool[T, R]) Close() error {
	p.eng.close(ErrClosed)
	if p.eng.join(context.Background()) != nil {
		return nil // inside a task
	}
	return p.eng.closingError()
}

// Shutdown is Close with a limit: when ctx ends before the tasks do, the
// contexts of running tasks end with the cause of ctx, queued tasks resolve
// with it, and Shutdown returns at once an error that wraps the cause and says
// how many tasks there were, or how many workers are still closing their
// states. Tasks that ignore their context go on; Close waits for them. A nil
// error means that all is over, as with Close. Inside a task Shutdown does not
// wait.
func (p *Pool[T, R]) Shutdown(ctx context.Context) error {
	ctxselect.Require(ctx, "pool: Shutdown")
	p.eng.close(ErrClosed)
	switch err := p.eng.join(ctx); err {
	case nil:
		return p.eng.closingError()
	case errInside:
		return nil
	default:
		point.At("pool: Shutdown before it aborts")
		running, dropped := p.eng.abort(ErrClosed, err)
		point.At("pool: Shutdown before it gives up the queue")
		p.eng.giveUpAll(dropped, err)
		p.eng.tellAll(dropped, err)
		if running > 0 || len(dropped) > 0 {
			return fmt.Errorf("pool: shutdown: %d tasks still running, %d cancelled in the queue: %w", running, len(dropped), err)
		}
		if left := p.eng.left(); left > 0 && p.eng.opener != nil {
			return fmt.Errorf("pool: shutdown: no task is left, %d workers have not ended: %w", left, err)
		}
		return p.Close() // the workers are about to end
	}
}

// Stop stops accepting tasks, ends the contexts of running tasks with
// ErrClosed, and returns the tasks that never started, in the order in which
// they were submitted. A Future or a group that waits for one of them gets
// ErrClosed. It returns once all workers have ended, which takes as long as
// the slowest running task takes to notice; inside a task it does not wait.
// The error handler does not hear of what is returned. It is idempotent; a
// second call returns nil.
func (p *Pool[T, R]) Stop() []T {
	p.eng.handBack()
	point.At("pool: Stop before it aborts")
	_, dropped := p.eng.abort(ErrClosed, ErrClosed)
	point.At("pool: Stop before it gives up the queue")
	p.eng.giveUpAll(dropped, ErrClosed)
	if p.eng.join(context.Background()) != errInside {
		point.At("pool: Stop before it takes orphans")
		// One worker may have claimed a task of a later batch than another has left.
		dropped = append(dropped, p.eng.takeOrphans()...)
		slices.SortFunc(dropped, bySeq)
	}
	var tasks []T
	for _, it := range dropped {
		tasks = append(tasks, it.task)
	}
	return tasks
}

// Resize sets the number of workers. More take effect at once. With fewer,
// running tasks are not disturbed: workers beyond the number end after the
// task they run, and none of them starts another. It panics if workers is less
// than 1.
func (p *Pool[T, R]) Resize(workers int) {
	misuse.Below(workers, 1, "pool: Resize: workers")
	p.eng.resize(workers)
}

func (e *engine[T, R]) resize(workers int) {
	e.lock()
	e.limit = workers
	e.in.mu.Lock()
	e.in.upTo = 0 // to be found anew
	e.in.mu.Unlock()
	up := e.admitLocked()
	var surplus []*seat
	if e.live > workers {
		if e.order == nil { // or they have one each
			// What they have taken is not theirs any more.
			e.tasks.refill(append(e.recallLocked(), e.tasks.drain()...))
		}
		n := len(e.idle) - min(len(e.idle), e.live-workers)
		surplus = append(surplus, e.idle[n:]...)
		clear(e.idle[n:])
		e.idle = e.idle[:n]
	}
	if up.seat == nil && e.hasTasksLocked() {
		up.seat = e.rouseLocked()
	}
	e.searching += len(surplus)
	e.drowsyLocked()
	e.mu.Unlock()
	up.do()
	for _, s := range surplus {
		s.rise() // to find that it is one too many
	}
}

// close makes every later submission return why, and lets the workers end
// once the queue is empty. Only the first call counts.
func (e *engine[T, R]) close(why error) {
	e.mu.Lock()
	wake := e.closeLocked(why)
	var s *seat
	if e.hasTasksLocked() {
		s = e.rouseLocked() // a submitter may be about to, and there may be no worker at all
	}
	gone := e.goneLocked()
	e.mu.Unlock()
	wake()
	s.rise()
	e.afterwards(gone)
}

// closeLocked returns what is to be called once the lock is free.
func (e *engine[T, R]) closeLocked(why error) (wake func()) {
	if e.closed {
		return func() {}
	}
	e.closed, e.why = true, why
	var up wakeUp[T, R]
	for s := range e.blocked.Take() {
		e.forgetLocked(s.rank)
		s.err = why
		s.next, up.submitters = up.submitters, s
	}
	e.setCrowdedLocked(false)
	e.in.mu.Lock()
	e.in.upTo = 0
	e.in.mu.Unlock()
	idle := e.idle
	e.idle = nil
	e.searching += len(idle)
	e.drowsyLocked()
	return func() {
		up.do()
		for _, s := range idle {
			s.rise()
		}
	}
}

// abort closes the engine, empties the queue, and ends the contexts of what is
// running with cause. It returns how many tasks are running and those that
// never started, which it has claimed and the caller must give up, and does not
// wait.
func (e *engine[T, R]) abort(why, cause error) (running int, dropped []item[T, R]) {
	e.mu.Lock()
	rests := e.closed && e.live+e.leaving+e.waiting == 0
	wake := e.closeLocked(why)
	items := append(e.recallLocked(), e.tasks.drain()...)
	if e.emptyInboxLocked(); e.order != nil {
		items = append(items, e.order.drain()...)
		slices.SortFunc(items, bySeq)
	}
	items = append(items, e.tasks.drain()...)
	for _, it := range items {
		if t := it.ticket; t.to != nil {
			var ok bool
			if it.task, ok = t.to.claim(t.index(it.seq)); !ok {
				e.dead--
				continue
			}
		}
		e.cancelled++
		e.departed++
		dropped = append(dropped, it)
	}
	for _, s := range e.seats {
		e.foldLocked(s)
	}
	running = int(e.in.submitted-e.departed) + e.waiting // closed: no more is submitted
	e.alert.Or(ended)
	gone := e.goneLocked()
	e.mu.Unlock()
	wake()
	point.At("pool: before all contexts end")
	if !rests { // a pool at rest has nothing of its own to end
		e.ctx.stop(cause)
	}
	e.afterwards(gone)
	return running, dropped
}

// handBack makes workers keep what they have claimed and will not start, for
// takeOrphans.
func (e *engine[T, R]) handBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handsBack = true
}

// takeOrphans returns the tasks that no one waits for and that workers had
// claimed and not started when the engine was stopped.
func (e *engine[T, R]) takeOrphans() []item[T, R] {
	e.mu.Lock()
	defer e.mu.Unlock()
	orphans := e.orphans
	e.orphans = nil
	return orphans
}

// left returns how many workers there are, those included that are about to end.
func (c *core) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live + c.leaving
}

func (c *core) closingError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closeErr
}

// join waits until nothing is left of a closed engine, or returns the cause of
// ctx. Inside a task it returns errInside at once: it would wait for its caller.
func (c *core) join(ctx context.Context) error {
	if _, inside := c.within(ctx); inside {
		return errInside
	}
	point.At("pool: Close before it waits")
	c.mu.Lock()
	if c.goneLocked() {
		c.mu.Unlock()
		return nil
	}
	gone := make(chan struct{})
	c.joiners = append(c.joiners, gone)
	c.mu.Unlock()
	point.At("pool: Close before it parks")
	_, _, err := ctxselect.Recv(ctx, gone)
	point.At("pool: Close goes on")
	return err
}

// goneLocked reports whether the core is closed and nothing is left of it, and
// if so releases those who wait for that.
func (c *core) goneLocked() bool {
	if !c.closed || c.live+c.leaving+c.waiting > 0 {
		return false
	}
	for _, gone := range c.joiners {
		close(gone)
	}
	c.joiners = nil
	return true
}

// afterwards lets go of the context that the pool was made under, once it is
// gone.
func (c *core) afterwards(gone bool) {
	if gone {
		point.At("pool: before the end of all")
		c.mu.Lock()
		unwatch := c.unwatch
		c.mu.Unlock()
		unwatch()
	}
}
