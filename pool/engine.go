package pool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
)

// The engine decides what runs when. It knows nothing of the types of tasks
// and results: it moves units, and calls a unit's job to run or to give up.
//
// Data: one mutex guards everything. Accepted units wait in a first-in,
// first-out list that any of them can leave early (Cancel, a context, a waiter
// that runs it in place). Idle workers are a stack, so that those at its
// bottom time out. Callers that wait for room are a list with their units.
//
// Room: queued + running < queue + limit. Counting running tasks as well
// makes admission independent of how fast workers pick tasks up.
//
// Park and wake. A worker parks on its own channel of capacity 1, after it
// has put itself on the idle stack under the lock at which it found no unit;
// whoever takes it off the stack owes it exactly one send, which therefore
// never blocks. A submitter parks likewise on a channel it makes itself;
// whoever takes it off the list decides its fate first (accepted or closed).
// A woken worker looks again and may find that another was quicker; that one
// was running, so nothing is left waiting while a worker is idle. The lock is
// never held across a park, a send that could block, or user code.
type engine struct {
	queue       int
	minWorkers  int
	idleTimeout time.Duration
	name        string
	root        context.Context
	unwatch     func() bool // ends the watch on root

	mu      sync.Mutex
	limit   int
	live    int // workers alive
	running int // units that hold a worker's place
	waiting int // units that lent their place to one they wait for
	closed  bool
	why     error // what a closed engine answers
	units   fifo.List[*unit]
	started fifo.List[*unit]
	blocked fifo.List[*submitter]
	idle    []*worker
	ids     []bool           // ids[i]: worker id i is taken
	inside  map[uint64]place // by goid: goroutines that run units, or could be
	joiners []chan struct{}  // closed when nothing is left of a closed engine

	submitted, completed, failed, cancelled uint64
}

func newEngine(workers int, o options) *engine {
	e := &engine{
		queue:       o.queue,
		minWorkers:  o.minWorkers,
		idleTimeout: o.idleTimeout,
		name:        o.name,
		root:        o.root,
		unwatch:     func() bool { return true },
		limit:       workers,
		inside:      make(map[uint64]place),
	}
	if o.root.Done() != nil {
		e.unwatch = context.AfterFunc(o.root, func() {
			cause := context.Cause(o.root)
			_, dropped := e.abort(fmt.Errorf("%w: %w", ErrClosed, cause), cause)
			giveUp(dropped, cause)
		})
	}
	return e
}

// A unit is one accepted task, as the engine sees it.
type unit struct {
	job   runner
	ctx   context.Context
	state state
	node  *fifo.Node[*unit]       // in units or in started, as state says
	stop  func() bool             // ends the watch on ctx; nil if there is none
	abort context.CancelCauseFunc // ends the context of the running unit
	cause error                   // of an abort that came before it could take effect
}

type state uint8

const (
	fresh state = iota
	queued
	started
	settled
)

// A runner is what a unit carries.
type runner interface {
	// run calls the user's function and passes how it ended to finish, which it
	// calls before it publishes the result.
	run(ctx context.Context, finish func(error))
	// abandon publishes that the task will not run.
	abandon(cause error)
}

// A submitter is a caller that waits for room.
type submitter struct {
	u    *unit
	wake chan struct{}
	err  error // set before wake
}

// submit accepts u or says why not. With wait it waits for room, unless
// nested, in which case it goes above the bound.
func (e *engine) submit(ctx context.Context, u *unit, wait, nested bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.mu.Lock()
	switch {
	case e.closed:
		defer e.mu.Unlock()
		return e.why
	case e.hasRoomLocked() && e.blocked.Len() == 0:
		e.acceptLocked(u)
		e.mu.Unlock()
		return nil
	case !wait:
		e.mu.Unlock()
		return ErrQueueFull
	}
	if !nested {
		// Only here is it worth finding out.
		e.mu.Unlock()
		_, nested = e.within(ctx)
		e.mu.Lock()
		if e.closed {
			defer e.mu.Unlock()
			return e.why
		}
	}
	if nested || e.hasRoomLocked() && e.blocked.Len() == 0 {
		e.acceptLocked(u)
		e.mu.Unlock()
		return nil
	}
	s := &submitter{u: u, wake: make(chan struct{}, 1)}
	node := e.blocked.PushBack(s)
	e.mu.Unlock()

	if _, _, err := ctxselect.Recv(ctx, s.wake); err != nil {
		e.mu.Lock()
		gone := e.blocked.Remove(node)
		e.mu.Unlock()
		if gone {
			return err
		}
		// Its fate was decided before it could leave: it stands.
		<-s.wake
	}
	return s.err
}

func (e *engine) hasRoomLocked() bool {
	return e.units.Len()+e.running < e.queue+e.limit
}

// acceptLocked queues u and sees to it that a worker comes for it.
func (e *engine) acceptLocked(u *unit) {
	e.submitted++
	u.state = queued
	u.node = e.units.PushBack(u)
	e.rouseLocked()
}

// rouseLocked wakes or starts one worker if there is one to be had.
func (e *engine) rouseLocked() {
	if n := len(e.idle); n > 0 {
		w := e.idle[n-1]
		e.idle[n-1] = nil
		e.idle = e.idle[:n-1]
		w.wake <- struct{}{}
		return
	}
	if e.live < e.limit {
		e.startWorkerLocked()
	}
}

// admitLocked accepts those who wait for room, as far as there is room.
func (e *engine) admitLocked() {
	for !e.closed && e.hasRoomLocked() {
		s, ok := e.blocked.Pop()
		if !ok {
			return
		}
		e.acceptLocked(s.u)
		s.wake <- struct{}{}
	}
}

// startLocked turns a queued unit into a started one.
func (e *engine) startLocked(u *unit) {
	e.units.Remove(u.node)
	u.state, u.node = started, e.started.PushBack(u)
}

// help runs u in place if it is still queued and ctx, or else the calling
// goroutine, is inside a task: a worker that merely waited could be the one
// that is needed.
func (e *engine) help(ctx context.Context, u *unit) {
	if !e.isQueued(u) {
		return
	}
	if id, inside := e.within(ctx); inside {
		e.lend(id, u)
	}
}

func (e *engine) isQueued(u *unit) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return u.state == queued
}

// claim takes u out of the queue on behalf of a goroutine that waits for it
// inside a task, and reports whether it was still there to be taken.
func (e *engine) claim(u *unit) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if u.state != queued {
		return false
	}
	e.startLocked(u)
	e.waiting++ // the waiting unit lends its place: running stays as it is
	return true
}

// watch makes a queued unit resolve as soon as its context ends, and not only
// when its turn comes.
func (e *engine) watch(u *unit, ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { e.drop(u, context.Cause(ctx)) })
	e.mu.Lock()
	late := u.state != queued
	if !late {
		u.stop = stop
	}
	e.mu.Unlock()
	if late {
		stop()
	}
}

// drop resolves u with cause if it is still queued, and reports whether it was.
func (e *engine) drop(u *unit, cause error) bool {
	e.mu.Lock()
	ok := u.state == queued
	if ok {
		e.dropLocked(u)
		e.admitLocked()
	}
	e.mu.Unlock()
	if ok {
		u.giveUp(cause)
	}
	return ok
}

// dropLocked takes a queued unit out for good. The caller lets it give up once
// the lock is free, since that wakes waiters.
func (e *engine) dropLocked(u *unit) {
	e.units.Remove(u.node)
	u.state, u.node = settled, nil
	e.cancelled++
}

func (u *unit) giveUp(cause error) {
	u.forget()
	u.job.abandon(cause)
}

// forget lets go of what only an unsettled unit needs.
func (u *unit) forget() {
	if u.stop != nil {
		u.stop()
	}
	u.ctx, u.stop, u.abort = nil, nil, nil
}

// cancel resolves u with cause if it is queued, and ends its context with
// cause if it has started.
func (e *engine) cancel(u *unit, cause error) {
	if e.drop(u, cause) {
		return
	}
	e.mu.Lock()
	var abort context.CancelCauseFunc
	if u.state == started {
		u.cause, abort = cause, u.abort
	}
	e.mu.Unlock()
	if abort != nil {
		abort(cause)
	}
}

// finish counts a started unit out, under the given counter. lent says that
// it ran in a place lent by a unit that waits for it.
func (e *engine) finish(u *unit, lent bool, counter *uint64) {
	e.mu.Lock()
	e.started.Remove(u.node)
	u.state, u.node = settled, nil
	*counter++
	if lent {
		e.waiting--
	} else {
		e.running--
	}
	e.admitLocked()
	gone := e.goneLocked()
	e.mu.Unlock()
	if gone {
		e.unwatch()
	}
}

func (e *engine) stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Stats{
		Limit: e.limit, Workers: e.live,
		Queued: e.units.Len(), Running: e.running, Waiting: e.waiting, Blocked: e.blocked.Len(),
		Submitted: e.submitted, Completed: e.completed, Failed: e.failed, Cancelled: e.cancelled,
	}
}
