package pool

import (
	"context"
	"runtime/pprof"

	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// A place is where a goroutine stands that runs tasks, or a call that comes from
// inside one.
type place struct {
	worker int          // whom it runs them as
	task   *taskContext // of the innermost task, as far as it is known
}

// mark returns the context of the task that calls under ctx come from, nil if
// they come from elsewhere or cannot be told by it.
func (c *core) mark(ctx context.Context) *taskContext {
	t, _ := ctx.Value(markKey{c.ctx}).(*taskContext)
	return t
}

// within returns the place that calls under ctx come from, and whether that is
// inside a task of the engine: by its context, or else by its goroutine.
//
// Close takes no context, and a task may wait under one that is not derived from
// its own. Both would block for ever inside a task if the pool could not tell
// where the call comes from, and the goroutine's number is all there is to tell it
// by. It is read where a worker starts and where a call is about to block or to
// close, never on the way of a task. Without it nothing is known to be inside, and
// the tests of nesting fail.
func (c *core) within(ctx context.Context) (at place, ok bool) {
	if t := c.mark(ctx); t != nil {
		return place{int(t.worker), t}, true
	}
	g := goid.Current()
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok = c.inside[g]
	return at, ok
}

// enter records that goroutine g is at a place, and returns what puts things
// back.
func (c *core) enter(g uint64, at place) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, was := c.inside[g]
	c.inside[g] = at
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if was {
			c.inside[g] = before
		} else {
			delete(c.inside, g)
		}
	}
}

// waitYields is how often a waiter gives way to other goroutines before it finds
// out in the slow way whether it is inside a task, and parks. Mostly the result
// is there by then.
const waitYields = 4

// lend runs task i of t's receiver, if it has not started, on the calling
// goroutine, which waits for it inside a task: a worker that merely waited could
// be the one that is needed. The waiting task lends its place, so that no more
// tasks run than before. acted is false if there was nothing to be done: the
// task had started, or, when changed is not nil, has to wait for one of its key,
// and it is worth another try once changed is closed.
//
// The caller waits under ctx.
func (e *engine[T, R]) lend(ctx context.Context, at place, t *ticket[T, R], i int) (acted bool, changed <-chan struct{}) {
	if e.order != nil {
		return e.lendInOrder(ctx, at, t, i)
	}
	point.At("pool: waiter before it claims")
	task, ok := t.to.claim(i)
	if !ok {
		return false, nil
	}
	point.At("pool: waiter before it lends its place")
	e.lock()
	e.waiting++
	e.departed++
	up := e.vacateLocked(1)
	e.mu.Unlock()
	up.do()
	e.runInPlace(ctx, at, t, i, task, rank{})
	return true, nil
}

// lendInOrder is lend for a pool with keys or priorities. It runs the first task
// of the lane in which the awaited one is.
func (e *engine[T, R]) lendInOrder(ctx context.Context, at place, t *ticket[T, R], i int) (acted bool, changed <-chan struct{}) {
	point.At("pool: waiter before it claims in order")
	e.lock()
	e.emptyInboxLocked()
	p := e.order.of[taskID[T, R]{t.to, i}]
	if p == nil {
		e.mu.Unlock()
		return false, nil
	}
	l := p.lane
	var runs rank // the lane that it makes run
	switch {
	case l == nil:
		e.order.take(p)
	case !l.running:
		p = l.queue[0]
		e.order.take(p)
		runs = p.rank
	case e.runsUnderLocked(at, l.key):
		// Now or never: the one that is running waits for it.
		e.order.takeHeld(p)
		e.order.forget(p.rank)
	default:
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed = l.changed
		e.mu.Unlock()
		return false, changed
	}
	task, ok := p.task, true
	index := p.ticket.index(p.seq)
	if p.ticket.to != nil {
		task, ok = p.ticket.to.claim(index)
	}
	if !ok { // it has been cancelled
		e.dead--
		var s *seat
		if runs.key != nil {
			e.order.done(runs)
			s = e.rouseLocked()
		}
		e.mu.Unlock()
		s.rise()
		return true, nil
	}
	e.waiting++
	e.departed++
	up := e.admitLocked()
	e.mu.Unlock()
	up.do()
	e.runInPlace(ctx, at, p.ticket, index, task, runs)
	return true, nil
}

// runsUnderLocked reports whether a task with the given key is one of those that
// a call at the given place is inside of.
func (e *engine[T, R]) runsUnderLocked(at place, k *key) bool {
	for c := at.task; c != nil; c = c.outer {
		if c.key == k {
			return true
		}
	}
	for _, w := range e.workers {
		if w.id == at.worker {
			return w.rank.key == k
		}
	}
	return false
}

// runInPlace runs a claimed task, and makes its lane go on after it. It does not
// return if the task ends its goroutine.
func (e *engine[T, R]) runInPlace(under context.Context, at place, t *ticket[T, R], i int, task T, runs rank) {
	var zero R
	g := goid.Current()
	ctx := e.newTaskContext(t.ctx, t.own != nil, at.worker)
	ctx.outer, ctx.key = at.task, runs.key
	defer pprof.SetGoroutineLabels(e.waiterLabels(under, at, g))
	if t.ctx.Err() != nil {
		e.finishInPlace(t, i, zero, context.Cause(t.ctx), &e.cancelled, runs, ctx)
		return
	}
	if cause := e.cause(); cause != nil {
		e.finishInPlace(t, i, zero, cause, &e.cancelled, runs, ctx)
		return
	}
	fn, closeState, err := e.stateFor(g)
	if err != nil {
		e.finishInPlace(t, i, zero, err, &e.failed, runs, ctx)
		return
	}
	if t.own != nil {
		t.own.begin(ctx)
	}
	defer e.enter(g, place{at.worker, ctx})()
	pprof.SetGoroutineLabels(ctx.labelContext())
	outcome.Run(
		func() (R, error) { return fn(ctx, task) },
		func(v R, err error) {
			if closeState != nil {
				e.noteClosing(e.closeGuarded(closeState))
			}
			counter := &e.completed
			if err != nil {
				counter = &e.failed
			}
			e.finishInPlace(t, i, v, err, counter, runs, ctx)
		})
}

// finishInPlace counts a task that ran in place under the given counter, and
// publishes how it ended.
func (e *engine[T, R]) finishInPlace(t *ticket[T, R], i int, v R, err error, counter *uint64, runs rank, ctx *taskContext) {
	e.tell(t, err, ctx)
	point.At("pool: waiter before it takes its place back")
	e.lock()
	*counter++
	e.waiting--
	up := e.admitLocked()
	if runs.key != nil {
		e.order.done(runs)
		if up.seat == nil {
			up.seat = e.rouseLocked()
		}
	}
	gone := e.goneLocked()
	e.mu.Unlock()
	up.do()
	e.publish(t, i, v, err)
	e.afterwards(gone)
}
