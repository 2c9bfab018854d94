package pool

import (
	"context"

	"github.com/tandemgo/tandem/internal/outcome"
)

// A place is where a goroutine stands that runs tasks.
type place struct {
	worker int // whom it runs them as
	depth  int // how many reasons there are to count it in
}

// mark returns the context of the task that calls under ctx come from, nil if
// they come from elsewhere or cannot be told by it.
func (c *core) mark(ctx context.Context) *taskContext {
	t, _ := ctx.Value(markKey{c}).(*taskContext)
	return t
}

// within returns the worker id that calls under ctx run as, and whether the
// call comes from inside a task of e: by its context, or else by its
// goroutine.
func (c *core) within(ctx context.Context) (id int, ok bool) {
	if t := c.mark(ctx); t != nil {
		return t.worker, true
	}
	g := goid()
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.inside[g]
	return p.worker, ok
}

// enter adds n to the depth of goroutine g.
func (c *core) enter(g uint64, worker, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n += c.inside[g].depth; n == 0 {
		delete(c.inside, g)
		return
	}
	c.inside[g] = place{worker, n}
}

// waitYields is how often a waiter gives way to other goroutines before it finds
// out in the slow way whether it is inside a task, and parks. Mostly the result
// is there by then.
const waitYields = 4

// lend runs task i of t's receiver, if it has not started, on the calling
// goroutine, which waits for it inside a task as worker id: a worker that merely
// waited could be the one that is needed. The waiting task lends its place, so
// that no more tasks run than before. It returns false if the task had started.
func (e *engine[T, R]) lend(id int, t *ticket[T, R], i int) bool {
	task, ok := t.to.claim(i)
	if !ok {
		return false
	}
	g := goid()
	e.mu.Lock()
	e.waiting++
	e.departed++
	up := e.vacateLocked(1)
	var mine Func[T, R] // the state of the worker whose goroutine this is
	for _, w := range e.workers {
		if w.goid == g {
			mine = w.fn
		}
	}
	e.mu.Unlock()
	up.do()
	e.enter(g, id, 1)
	defer e.enter(g, id, -1)
	e.runInPlace(id, t, i, task, mine)
	return true
}

// runInPlace runs a claimed task. It does not return if the task ends its
// goroutine. A goroutine that a task has started runs it with a state that is
// opened for it, since the worker's may be in use.
func (e *engine[T, R]) runInPlace(id int, t *ticket[T, R], i int, task T, fn Func[T, R]) {
	var zero R
	if fn == nil {
		fn = e.fn
	}
	if err := t.ctx.Err(); err != nil {
		e.finishInPlace(&e.cancelled)
		t.to.settle(i, zero, context.Cause(t.ctx))
		return
	}
	if e.alert.Load()&ended != 0 {
		e.finishInPlace(&e.cancelled)
		t.to.settle(i, zero, context.Cause(e.ctx))
		return
	}
	closeState := func() error { return nil }
	if fn == nil {
		var err error
		if fn, closeState, err = e.openGuarded(); err != nil {
			e.finishInPlace(&e.failed)
			t.to.settle(i, zero, err)
			return
		}
	}
	ctx := t.own
	if ctx == nil {
		ctx = &taskContext{submitted: t.ctx, core: &e.core}
		defer ctx.release()
	}
	ctx.worker = id
	outcome.Run(
		func() (R, error) { return fn(ctx, task) },
		func(v R, err error) {
			closeErr := e.closeGuarded(closeState)
			counter := &e.completed
			if err != nil {
				counter = &e.failed
			}
			e.mu.Lock()
			if e.closeErr == nil {
				e.closeErr = closeErr
			}
			e.mu.Unlock()
			e.finishInPlace(counter)
			t.to.settle(i, v, err)
		})
}

// finishInPlace counts a task that ran in place under the given counter.
func (e *engine[T, R]) finishInPlace(counter *uint64) {
	e.mu.Lock()
	*counter++
	e.waiting--
	up := e.admitLocked()
	gone := e.goneLocked()
	e.mu.Unlock()
	up.do()
	e.afterwards(gone)
}
