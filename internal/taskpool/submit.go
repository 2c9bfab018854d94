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
	err   error           // likewise
}

// A wakeUp has the goroutines to wake after the lock has been released.
type wakeUp[T, R any] struct {
	workers    []*worker[T, R]
	submitters []*submitter[T, R]
}

func (up *wakeUp[T, R]) add(w *worker[T, R]) {
	if w != nil {
		up.workers = append(up.workers, w)
	}
}

func (up wakeUp[T, R]) wake() {
	for _, w := range up.workers {
		w.rise()
	}
	for _, s := range up.submitters {
		sched.Signal(s.wake)
	}
}

// Push accepts a task, or returns why it does not: ErrClosed, the cause of ctx, or without
// wait ErrQueueFull. The caller has asked Ended. With wait it blocks while there is no room, first come, first served;
// inside a task it is admitted beyond the bound.
func (e *Engine[T, R]) Push(ctx context.Context, value T, t *Task[T, R], wait bool) error {
	q := &e.queue
	q.mu.Lock()
	if t.Origin.Lingers {
		q.mortal = true
	}
	if q.accepted >= q.room {
		q.mu.Unlock()
		return e.pushSlowly(ctx, item[T, R]{value, t}, wait)
	}
	q.push(item[T, R]{value, t})
	var suspects [2]*Task[T, R]
	if q.mortal {
		suspects = q.suspects()
	}
	q.mu.Unlock()
	if e.drowsy.Load() {
		e.wakeOne()
	}
	if suspects[0] != nil {
		e.sweepIf(suspects)
	}
	return nil
}

// pushSlowly is Push for a queue that may be full, and for an ordered pool.
func (e *Engine[T, R]) pushSlowly(ctx context.Context, it item[T, R], wait bool) error {
	inside := e.Root.Inside(ctx) != nil
	var p *place[T, R]
	if e.order != nil {
		p = e.order.place(it)
	}
	var done <-chan struct{}
	for try := 0; ; try++ {
		last := try > sched.Spins(submitYields) && wait
		if last { // not before: it makes some contexts expensive
			done = ctx.Done()
		}
		e.lock()
		room := e.blocked.Len() == 0 && e.roomLocked() || inside && wait
		switch {
		case e.closed:
			defer e.mu.Unlock()
			return e.why
		case e.alert.Load()&stopped != 0:
			e.mu.Unlock()
			return e.rootError()
		case room:
			suspects := e.acceptLocked(it, p)
			w := e.wakeLocked()
			e.mu.Unlock()
			w.rise()
			e.sweepIf(suspects)
			return nil
		case last:
			return e.waitForRoom(ctx, done, it, p)
		}
		crowd := e.blocked.Len() > 0
		e.mu.Unlock()
		if try == 0 {
			e.sweepSoon()
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

// roomLocked reports whether one more task can be accepted. Queued and running tasks both
// take room, so that it does not depend on how fast workers pick tasks up.
func (e *Engine[T, R]) roomLocked() bool {
	q := &e.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	bound := min(uint64(e.Room)+uint64(max(e.limit, 1)), 1<<62)
	if q.accepted-e.departed >= bound {
		for _, w := range e.workers {
			e.foldLocked(w)
		}
	}
	q.room = 0
	if !e.closed && e.blocked.Len() == 0 && e.order == nil {
		q.room = e.departed + bound
	}
	return q.accepted-e.departed < bound
}

// waitForRoom parks the caller until its task is accepted. The caller holds the lock.
func (e *Engine[T, R]) waitForRoom(ctx context.Context, done <-chan struct{}, it item[T, R], p *place[T, R]) error {
	s := &submitter[T, R]{it: it, place: p, wake: make(chan struct{}, 1), done: done}
	node := e.blocked.PushBack(s)
	e.queue.mu.Lock()
	e.queue.room = 0 // no one is to overtake
	e.queue.mu.Unlock()
	e.alert.Or(crowded)
	up := e.admitLocked() // a worker may have looked at the alert just before
	e.mu.Unlock()
	up.wake()

	sched.ParkCtx(ctx, s.wake)
	e.lock()
	left := e.blocked.Remove(node)
	if e.blocked.Len() == 0 {
		e.alert.And(^crowded)
	}
	e.mu.Unlock()
	if left || s.over {
		return context.Cause(ctx)
	}
	return s.err
}

// admitLocked accepts the tasks of blocked submitters as far as there is room.
func (e *Engine[T, R]) admitLocked() (up wakeUp[T, R]) {
	if e.blocked.Len() == 0 || e.closed || e.alert.Load()&stopped != 0 {
		return up
	}
	for e.blocked.Len() > 0 && e.roomLocked() {
		s, _ := e.blocked.Pop()
		up.submitters = append(up.submitters, s)
		if s.over = sched.Ended(s.done); !s.over {
			e.acceptLocked(s.it, s.place)
		}
	}
	if e.blocked.Len() == 0 {
		e.alert.And(^crowded)
	}
	if len(up.submitters) > 0 {
		up.add(e.wakeLocked())
	}
	return up
}
