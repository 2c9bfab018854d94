package pool

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/point"
)

// A submitter is a call that waits for room.
type submitter[T, R any] struct {
	task   T
	ticket *ticket[T, R]  // of a task that no one waits for
	to     receiver[T, R] // of one that is waited for
	rank   rank
	wake   chan struct{}
	err    error            // set before wake
	next   *submitter[T, R] // in a wakeUp
}

// errRefused says that the receiver did not want the task.
var errRefused = errors.New("pool: refused")

// submit accepts a task or says why not. to gets its result, nil if no one waits
// for it. With wait it waits for room, unless nested, in which case it goes
// above the bound.
func (e *engine[T, R]) submit(ctx context.Context, task T, to receiver[T, R], wait, nested bool) error {
	if e.ctx.over() {
		return e.rootError()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	in := &e.in
	in.mu.Lock()
	var t *ticket[T, R]
	if to == nil {
		if t = in.tickets.last; !identical(in.tickets.under, ctx) {
			t = in.ticketLocked(ctx, &e.core)
		}
	}
	if in.submitted >= in.upTo {
		in.mu.Unlock()
		return e.submitSlowly(ctx, task, t, to, wait, nested)
	}
	if !e.acceptLocked(task, t, to) {
		in.mu.Unlock()
		return errRefused
	}
	in.mu.Unlock()
	point.At("pool: submitter before it looks for a sleeper")
	if e.drowsy.Load() {
		e.rouse()
	}
	return nil
}

// rouse sees to it that a worker looks at the inbox. When the engine is closed,
// close has done so, and a worker might be one too many after the last.
func (e *engine[T, R]) rouse() {
	var s *seat
	e.mu.Lock()
	if !e.closed {
		s = e.rouseLocked()
	}
	e.mu.Unlock()
	s.rise()
}

// submitYields is how often a submitter gives way before it parks.
const submitYields = 8

func (e *engine[T, R]) submitSlowly(ctx context.Context, task T, t *ticket[T, R], to receiver[T, R], wait, nested bool) error {
	var r rank
	if e.order != nil {
		r = e.order.rank(task)
	}
	point.At("pool: submitter before it looks for room")
	for try, known := 0, false; ; try++ {
		e.lock()
		e.in.mu.Lock()
		switch {
		case e.closed:
			defer e.mu.Unlock()
			e.in.tickets.clear() // there may be no worker to do so
			e.in.mu.Unlock()
			e.forgetLocked(r)
			return e.why
		case e.alert.Load()&ended != 0:
			e.in.mu.Unlock()
			e.forgetLocked(r)
			e.mu.Unlock()
			return e.rootError()
		case e.blocked.Len() == 0 && e.hasRoomLocked() || nested:
			ok := e.acceptRankedLocked(task, t, to, r)
			e.in.mu.Unlock()
			s := e.rouseLocked()
			e.mu.Unlock()
			s.rise()
			if !ok {
				return errRefused
			}
			return nil
		}
		e.in.mu.Unlock()
		switch {
		case !wait:
			e.forgetLocked(r)
			e.mu.Unlock()
			return ErrQueueFull
		case known:
			return e.waitForRoom(ctx, &submitter[T, R]{task: task, ticket: t, to: to, rank: r, wake: make(chan struct{}, 1)})
		}
		queue := e.blocked.Len() > 0
		e.mu.Unlock()
		if try < submitYields && !queue {
			runtime.Gosched()
			continue
		}
		_, nested = e.within(ctx) // only here is it worth finding out
		known = true
		point.At("pool: submitter before it looks again")
	}
}

// hasRoomLocked reports whether one more task can be accepted, and until when
// that need not be asked again. Both locks are held.
//
// Room: queued + running < room + limit. Counting running tasks as well
// makes admission independent of how fast workers pick tasks up.
func (e *engine[T, R]) hasRoomLocked() bool {
	bound := uint64(e.room + e.limit)
	if e.in.submitted-e.departed >= bound {
		for _, s := range e.seats {
			e.foldLocked(s)
		}
	}
	e.in.upTo = 0
	if !e.closed && e.blocked.Len() == 0 && e.order == nil {
		e.in.upTo = e.departed + bound
	}
	return e.in.submitted-e.departed < bound
}

// waitForRoom parks the caller, who holds the lock, until its task is accepted.
func (e *engine[T, R]) waitForRoom(ctx context.Context, s *submitter[T, R]) error {
	node := e.blocked.PushBack(s)
	e.in.mu.Lock()
	e.in.upTo = 0 // nobody is to overtake
	e.in.mu.Unlock()
	point.At("pool: submitter before it says that it waits")
	e.setCrowdedLocked(true)
	point.At("pool: submitter before it looks for room again")
	w := e.admitLocked() // a worker may have looked at crowded just before
	e.mu.Unlock()
	w.do()

	point.At("pool: submitter before it parks")
	_, _, err := ctxselect.Recv(ctx, s.wake)
	point.At("pool: submitter goes on")
	if err != nil {
		e.mu.Lock()
		gone := e.blocked.Remove(node)
		e.setCrowdedLocked(e.blocked.Len() > 0)
		if gone {
			e.forgetLocked(s.rank)
			e.mu.Unlock()
			return err
		}
		e.mu.Unlock()
		// Its fate was decided before it could leave: it stands.
		<-s.wake
	}
	return s.err
}

// acceptLocked puts a task into the inbox, whose lock is held, and reports
// whether its receiver wanted it. The caller rouses a worker.
func (e *engine[T, R]) acceptLocked(task T, t *ticket[T, R], to receiver[T, R]) bool {
	in := &e.in
	seq := in.submitted
	c := in.tasks.tail
	if to != nil {
		var zero T
		if t = to.enter(seq, task, in.tasks.last()); t == nil {
			return false
		}
		task = zero // the receiver has it
	}
	in.submitted++
	if in.sampler.left--; in.sampler.left < 0 {
		in.sampler.take(seq, time.Since(e.base))
	}
	if c != nil && c.same == t && c.takes(seq) {
		c.tasks[c.to] = task
		c.to++
		in.tasks.n++
		return true
	}
	in.tasks.push(seq, task, t)
	return true
}

// acceptRankedLocked is acceptLocked for any pool. The engine's lock is held, too.
func (e *engine[T, R]) acceptRankedLocked(task T, t *ticket[T, R], to receiver[T, R], r rank) bool {
	ok := e.acceptLocked(task, t, to)
	switch {
	case e.order == nil:
	case ok:
		r.accepted = time.Since(e.base)
		e.in.ranks = append(e.in.ranks, r)
	default:
		e.forgetLocked(r)
	}
	return ok
}

func (e *engine[T, R]) forgetLocked(r rank) {
	if e.order != nil {
		e.order.forget(r)
	}
}

// admitLocked accepts those who wait for room, as far as there is room. Those of a
// pool that is over are left to abort.
func (e *engine[T, R]) admitLocked() (w wakeUp[T, R]) {
	if e.blocked.Len() == 0 || e.alert.Load()&ended != 0 {
		return w
	}
	last := &w.submitters
	e.in.mu.Lock()
	for !e.closed && e.blocked.Len() > 0 && e.hasRoomLocked() {
		s, _ := e.blocked.Pop()
		if !e.acceptRankedLocked(s.task, s.ticket, s.to, s.rank) {
			s.err = errRefused
		}
		*last, last = s, &s.next
	}
	e.in.mu.Unlock()
	if e.blocked.Len() == 0 {
		e.setCrowdedLocked(false)
	}
	if w.submitters != nil {
		w.seat = e.rouseLocked()
	}
	return w
}

// relieve lets submitters in for tasks that have ended.
func (e *engine[T, R]) relieve() {
	point.At("pool: worker before it lets submitters in")
	e.lock()
	w := e.admitLocked()
	e.mu.Unlock()
	w.do()
}
