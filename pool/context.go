package pool

import (
	"context"
	"time"
)

// A taskContext is the context given to a task. It carries the mark by which
// calls inside the task are recognized.
type taskContext struct {
	context.Context                 // submitted, and an end of its own
	submitted       context.Context // what the task was submitted to live under
	eng             *engine
	worker          int
}

// markKey asks for the taskContext of an engine, workerKey for the innermost.
type (
	markKey   struct{ eng *engine }
	workerKey struct{}
)

// Value looks in the submitter's context, then in the pool's.
func (c *taskContext) Value(key any) any {
	switch k := key.(type) {
	case markKey:
		if k.eng == c.eng {
			return c
		}
	case workerKey:
		return c
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.eng.root.Value(key)
}

// Deadline returns the earlier one of the submitter's and the pool's.
func (c *taskContext) Deadline() (time.Time, bool) {
	d, ok := c.Context.Deadline()
	r, rok := c.eng.root.Deadline()
	if rok && (!ok || r.Before(d)) {
		return r, true
	}
	return d, ok
}

// life returns the context that a task lives under if it is submitted under ctx.
// That is ctx, but for one case: the context of a task ends when the task
// returns, and a task that it has submitted by then and not waited for is
// not to end with it. Unless the caller has added an end of its own, it lives
// under what the submitting task lives under.
func (e *engine) life(ctx context.Context) context.Context {
	c, ok := ctx.Value(markKey{e}).(*taskContext)
	switch {
	case !ok || ctx.Done() != c.Done():
		return ctx
	case ctx == context.Context(c):
		return c.submitted // no chain of ancestors
	}
	return &valuesContext{Context: c.submitted, values: context.WithoutCancel(ctx)}
}

// A valuesContext has the end of one context and the values of another.
type valuesContext struct {
	context.Context
	values context.Context
}

func (c *valuesContext) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// WorkerID returns the id of the worker that runs the task which ctx was given
// to, or is derived from one that was. Ids are 0 … workers-1; at any instant
// no two tasks run as the same worker, unless one waits for the other in
// place. It is what to index per-worker state by. ok is false outside tasks.
func WorkerID(ctx context.Context) (id int, ok bool) {
	c, ok := ctx.Value(workerKey{}).(*taskContext)
	if !ok {
		return 0, false
	}
	return c.worker, true
}

// within returns the worker id that calls under ctx run as, and whether the
// call comes from inside a task of e: by its context, or else by its
// goroutine.
func (e *engine) within(ctx context.Context) (id int, ok bool) {
	if c, ok := ctx.Value(markKey{e}).(*taskContext); ok {
		return c.worker, true
	}
	g := goid()
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.inside[g]
	return p.worker, ok
}
