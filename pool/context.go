package pool

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/point"
)

// A taskContext is the context given to a task. It carries the mark by which
// calls inside the task are recognized, and ends when the context that the task
// lives under does or when the pool is stopped.
//
// A worker gives the same one to successive tasks that live under the same
// context, so it never changes. Where both contexts can end, they are merged
// the first time that somebody asks for Done: most tasks never do, and a merged
// context costs more than everything else that the pool does for a task.
type taskContext struct {
	submitted context.Context // what the task lives under
	core      *core
	worker    int32
	cancels   bool         // on its own, as the context of a future's task
	outer     *taskContext // of the task that runs this one in place
	key       *key         // whose lane this one makes run in place
	merged    atomic.Pointer[merged]
}

// A merged context ends with either of two.
type merged struct {
	context.Context
	cancel context.CancelCauseFunc
	unlink func() bool // from the second of them
}

// markKey asks for the taskContext of an engine, workerKey for the innermost.
type (
	markKey   struct{ core *core }
	workerKey struct{}
)

func (c *taskContext) Done() <-chan struct{} {
	if m := c.merge(false); m != nil {
		return m.Done()
	}
	return c.core.ctx.Done()
}

func (c *taskContext) Err() error {
	if m := c.merged.Load(); m != nil {
		return m.Err()
	}
	if err := c.submitted.Err(); err != nil {
		return err
	}
	return c.core.ctx.Err()
}

// Value looks in the submitter's context, then in the pool's.
func (c *taskContext) Value(key any) any {
	switch k := key.(type) {
	case markKey:
		if k.core == c.core {
			return c
		}
	case workerKey:
		return c
	}
	m := c.merged.Load()
	if m == nil && c.core.ctx.Err() != nil {
		m = c.merge(false) // context.Cause asks here which of them it was
	}
	from := c.submitted
	if m != nil {
		from = m
	}
	if v := from.Value(key); v != nil {
		return v
	}
	return c.core.ctx.Value(key)
}

// Deadline returns the earlier one of the submitter's and the pool's.
func (c *taskContext) Deadline() (time.Time, bool) {
	d, ok := c.submitted.Deadline()
	r, rok := c.core.root.Deadline()
	if rok && (!ok || r.Before(d)) {
		return r, true
	}
	return d, ok
}

// abort ends the context with the given cause.
func (c *taskContext) abort(cause error) {
	m := c.merge(true)
	point.At("pool: before a merged context ends")
	m.cancel(cause)
	m.unlink()
}

// merge returns the merged context, made now if there was none; nil means that
// the pool's alone will do, unless always is set.
func (c *taskContext) merge(always bool) *merged {
	if !always && !c.cancels && c.submitted.Done() == nil {
		return nil
	}
	if m := c.merged.Load(); m != nil {
		return m
	}
	m := new(merged)
	m.Context, m.cancel = context.WithCancelCause(c.submitted)
	pool := c.core.ctx
	m.unlink = context.AfterFunc(pool, func() { m.cancel(context.Cause(pool)) })
	if pool.Err() != nil {
		m.cancel(context.Cause(pool)) // AfterFunc does so on another goroutine
	}
	point.At("pool: before a merged context is kept")
	if !c.merged.CompareAndSwap(nil, m) { // somebody was quicker
		m.release()
		return c.merged.Load()
	}
	return m
}

// release lets go of what a merged context holds on to. It ends with that.
func (c *taskContext) release() {
	if m := c.merged.Load(); m != nil {
		m.release()
	}
}

func (m *merged) release() {
	m.unlink()
	m.cancel(nil)
}

// life returns the context that a task lives under if it is submitted under ctx.
// That is ctx, but for one case: the context of a task may end when the task
// returns, and a task that it has submitted by then and not waited for is
// not to end with it. Unless the caller has added an end of its own, it lives
// under what the submitting task lives under.
func (e *core) life(ctx context.Context) context.Context {
	c := e.mark(ctx)
	switch {
	case c == nil:
		return ctx
	case ctx == context.Context(c):
		return c.submitted // no chain of ancestors
	case c.merge(false) == nil || ctx.Done() != c.Done():
		return ctx
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

// identical reports whether a and b are the same value in memory. Comparing
// interfaces would panic for contexts whose type cannot be compared.
func identical(a, b context.Context) bool {
	return *(*[2]uintptr)(unsafe.Pointer(&a)) == *(*[2]uintptr)(unsafe.Pointer(&b))
}

// isBackground reports that ctx holds nothing that could be collected.
func isBackground(ctx context.Context) bool { return identical(ctx, context.Background()) }

// WorkerID returns the id of the worker that runs the task which ctx was given
// to, or is derived from one that was. Ids are 0 … workers-1; at any instant
// no two tasks run as the same worker, unless one waits for the other in
// place. It is what to index per-worker state by. ok is false outside tasks.
func WorkerID(ctx context.Context) (id int, ok bool) {
	c, ok := ctx.Value(workerKey{}).(*taskContext)
	if !ok {
		return 0, false
	}
	return int(c.worker), true
}

// endOf returns the innermost context that ends exactly when ctx does: asking it
// costs the same however deep ctx is, and it holds none of the values around it.
func endOf(ctx context.Context) context.Context {
	f := endFinder{Context: ctx}
	_ = context.Cause(&f)
	if f.found != nil && f.found.Done() == ctx.Done() {
		return f.found
	}
	return ctx
}

// An endFinder notes what package context finds when it looks for the context that
// knows the cause.
type endFinder struct {
	context.Context
	found context.Context
}

func (f *endFinder) Value(key any) any {
	f.found, _ = f.Context.Value(key).(context.Context)
	return nil
}
