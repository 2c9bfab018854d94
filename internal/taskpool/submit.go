package taskpool

import (
	"context"
	"runtime"

	"github.com/tandemgo/tandem/internal/sched"
)

// A submitter is a goroutine that waits for room.
type submitter[T, R any] struct {
	it    item[T, R]
	place *place[T, R] // in an ordered pool
	wake  chan struct{}
	done  <-chan struct{} // of its context
	over  bool            // its context had ended when its turn came; set before it is woken
	err   error           // likewise, or its owner does not accept its task
}

// Push accepts a task, or returns why it does not: the error of its owner, ErrClosed, the cause of
// ctx, or without wait ErrQueueFull. The caller has asked Ended. With wait Push blocks while there is
// no room, first come, first served; a task that is submitted inside a task is accepted beyond the
// bound.
func (e *Engine[T, R]) Push(ctx context.Context, value T, o *Origin[T, R], wait bool) error {
	e.mu.Lock()
	if e.queue.accepted >= e.queue.room {
		e.mu.Unlock()
		return e.pushSlowly(ctx, item[T, R]{value: value, origin: o}, wait)
	}
	return e.acceptAndUnlock(item[T, R]{value: value, origin: o}, nil)
}

// acceptAndUnlock accepts a task, which has a place in an ordered pool, unless its owner does not.
func (e *Engine[T, R]) acceptAndUnlock(it item[T, R], p *place[T, R]) error {
	var old *Origin[T, R]
	if e.queue.due() {
		old = e.queue.sample()
	}
	err := e.queue.push(it, p)
	if e.ableLocked() {
		e.wakeLocked()
	}
	e.mu.Unlock()
	if old.over() {
		e.sweep(false)
	}
	return err
}

// pushSlowly is Push for a queue that may be full, and for an ordered pool.
func (e *Engine[T, R]) pushSlowly(ctx context.Context, it item[T, R], wait bool) error {
	inside := e.Root.Inside(ctx) != nil
	var p *place[T, R]
	if e.queue.order != nil {
		p = e.queue.order.place(it)
	}
	var done <-chan struct{}
	for try := 0; ; try++ {
		last := try > sched.Spins(submitYields) && wait
		if last { // not before: it makes some contexts expensive
			done = ctx.Done()
		}
		e.lock()
		room := e.blocked.Len() == 0 && e.roomLocked() > 0 || inside && wait
		switch {
		case e.closed != nil:
			defer e.mu.Unlock()
			return e.closed
		case room:
			return e.acceptAndUnlock(it, p)
		case last:
			return e.waitForRoom(ctx, done, it, p)
		}
		crowd := e.blocked.Len() > 0
		e.mu.Unlock()
		if try == 0 && e.sweepFull() {
			continue
		}
		switch {
		case !wait:
			return ErrQueueFull
		case crowd:
			try = sched.Spins(submitYields)
		default:
			runtime.Gosched()
		}
	}
}

// submitYields is how often a submitter gives way to other goroutines before it parks. Mostly
// that makes room for many tasks.
const submitYields = 8

// roomLocked returns how many more tasks can be accepted; it is negative after tasks that were
// accepted beyond the bound. Queued and running tasks both take room, so that it does not depend on
// how fast workers pick tasks up.
func (e *Engine[T, R]) roomLocked() int {
	// A task that waits for one which runs in its place leaves its room to that one.
	most := e.endedLocked() + uint64(e.waiting) + min(uint64(e.Room)+uint64(max(e.limit, 1)), 1<<62)
	e.queue.room = 0
	if e.closed == nil && e.blocked.Len() == 0 && e.queue.order == nil {
		e.queue.room = most
	}
	return int(most - e.queue.accepted)
}

// waitForRoom parks the caller until its task is accepted. The caller holds the lock.
func (e *Engine[T, R]) waitForRoom(ctx context.Context, done <-chan struct{}, it item[T, R], p *place[T, R]) error {
	s := &submitter[T, R]{it: it, place: p, wake: make(chan struct{}, 1), done: done}
	node := e.blocked.PushBack(s)
	e.queue.room = 0 // no one is to overtake
	e.crowded.Store(true)
	e.admitLocked() // a worker may have looked at crowded just before
	e.mu.Unlock()

	sched.ParkCtx(ctx, s.wake)
	e.lock()
	left := e.blocked.Remove(node)
	e.crowded.Store(e.blocked.Len() > 0)
	e.mu.Unlock()
	if left || s.over {
		return context.Cause(ctx)
	}
	return s.err
}

// admitLocked accepts the tasks of blocked submitters as far as there is room.
func (e *Engine[T, R]) admitLocked() {
	if e.blocked.Len() == 0 || e.closed != nil {
		return
	}
	for room := e.roomLocked(); room > 0 && e.blocked.Len() > 0; {
		s, _ := e.blocked.Pop()
		if s.over = sched.Ended(s.done); !s.over {
			if s.err = e.queue.push(s.it, s.place); s.err == nil {
				room--
			}
		}
		sched.Signal(s.wake)
	}
	e.crowded.Store(e.blocked.Len() > 0)
	e.wakeLocked()
}
