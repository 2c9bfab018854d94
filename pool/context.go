package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/point"
)

// A scope is a context that ends with the one that work was submitted under, with that of
// the pool and, if it is cancellable, by end. It does not end because the work has
// returned.
//
// It is joined to the others at the first call of Done. Most tasks never call Done, and a
// joined context costs more than everything else that the pool does for a task. Err asks
// the others, so that it reports their end at once; the Done channel is closed by a
// function that they call a little later.
type scope struct {
	submitted   context.Context
	pool        *poolContext // nil for a group or a walk: their tasks have it
	cancellable bool
	joined      atomic.Pointer[joined]
}

func (s *scope) Done() <-chan struct{} {
	if h := s.joined.Load(); h != nil {
		return h.Done()
	}
	if !s.cancellable && s.submitted.Done() == nil {
		return s.pool.Done()
	}
	return s.join().Done()
}

func (s *scope) Err() error {
	by := s.endedBy()
	h := s.joined.Load()
	switch {
	case h != nil && by != nil:
		h.link.fire(by)
		return h.Err()
	case h != nil:
		return h.Err()
	case by != nil:
		return by.Err()
	}
	return nil
}

// endedBy returns the context that s ends with and that has ended, nil if none has.
func (s *scope) endedBy() context.Context {
	switch {
	case s.submitted.Err() != nil:
		return s.submitted
	case s.pool != nil && s.pool.Err() != nil:
		return s.pool
	}
	return nil
}

// Value looks in the submitter's context, then in the pool's.
func (s *scope) Value(key any) any {
	if key == cancelKey || key == any(watchKey{}) {
		return s.source().Value(key)
	}
	if v := s.submitted.Value(key); v != nil || s.pool == nil {
		return v
	}
	return s.pool.Value(key)
}

// source returns the context that has the cause of s, and whose Done channel s has.
func (s *scope) source() context.Context {
	if h := s.joined.Load(); h != nil {
		_ = s.Err() // context.Cause asks for the source before it calls Err
		return h
	}
	if by := s.endedBy(); by != nil {
		return by
	}
	if s.pool != nil && !s.cancellable && s.submitted.Done() == nil {
		return s.pool
	}
	return s.submitted
}

// Deadline returns the earlier one of the submitter's and the pool's.
func (s *scope) Deadline() (time.Time, bool) {
	d, ok := s.submitted.Deadline()
	if s.pool == nil {
		return d, ok
	}
	r, rok := s.pool.root.Deadline()
	if rok && (!ok || r.Before(d)) {
		return r, true
	}
	return d, ok
}

// join returns the joined context. The first call makes it.
func (s *scope) join() *joined {
	if h := s.joined.Load(); h != nil {
		return h
	}
	parents := make([]context.Context, 0, 2)
	if canEnd(s.submitted) {
		parents = append(parents, s.submitted)
	}
	if s.pool != nil {
		parents = append(parents, s.pool)
	}
	h := join(parents...)
	point.At("pool: before a joined context is kept")
	if !s.joined.CompareAndSwap(nil, h) { // another goroutine was quicker
		h.cancel(nil)
		return s.joined.Load()
	}
	return h
}

// end ends a cancellable scope.
func (s *scope) end(cause error) {
	h := s.join()
	point.At("pool: before a joined context ends")
	h.cancel(cause)
}

// A commonScope is the context under which a group or a walk submits its tasks. It ends
// when the group fails and when the loop over the results is left early. It does not end
// when all tasks have returned.
type commonScope struct {
	scope
	under context.Context // as given by the caller
	stop  func() bool     // removes the AfterFunc on submitted
}

func (c *core) newCommonScope(ctx context.Context) *commonScope {
	s := &commonScope{under: ctx, stop: func() bool { return true }}
	s.submitted, s.cancellable = c.life(ctx), true
	return s
}

// canEnd reports whether ctx can end. It does not call Done of a scope, which would join
// it to others.
func canEnd(ctx context.Context) bool {
	switch c := ctx.(type) {
	case *taskContext, *commonScope:
		return true
	case *valuesContext:
		return canEnd(c.Context)
	}
	return ctx.Done() != nil
}

// A taskContext is the context given to a task. It carries the mark by which calls
// inside the task are recognized.
//
// It never changes, and a worker gives the same one to successive tasks that were
// submitted under the same context. A task that can be cancelled on its own has one of
// its own.
type taskContext struct {
	scope
	worker int32
	outer  *taskContext    // of the task that runs this one in place
	key    *key            // whose lane this one makes run in place
	labels context.Context // has the profiler labels of the task; nil if there are none
}

// markKey asks for the taskContext of a pool, workerKey for the innermost.
type (
	markKey   struct{ pool *poolContext }
	workerKey struct{}
)

func (c *taskContext) Value(key any) any {
	switch k := key.(type) {
	case markKey:
		if k.pool == c.pool {
			return c
		}
	case workerKey:
		return c
	}
	if c.labels != nil && key == labelKey {
		return c.labels.Value(key)
	}
	return c.scope.Value(key)
}

// A running is how a future cancels its task while the task runs.
type running struct {
	mu    sync.Mutex
	ctx   *taskContext // nil unless the task runs
	cause error        // why the task has been cancelled; nil if it has not
}

// begin is called with the context of the task before the task runs.
func (r *running) begin(c *taskContext) {
	r.mu.Lock()
	r.ctx = c
	cause := r.cause
	r.mu.Unlock()
	if cause != nil {
		c.end(cause)
	}
}

// finish is called when the task has returned. Its context does not end any more by
// cancel, and the future does not keep it.
func (r *running) finish() {
	r.mu.Lock()
	r.ctx = nil
	r.mu.Unlock()
}

// cancel ends the context of the task, at once or as the task begins.
func (r *running) cancel(cause error) {
	r.mu.Lock()
	if r.cause == nil {
		r.cause = cause
	}
	c := r.ctx
	r.mu.Unlock()
	point.At("pool: before the context of a running task ends")
	if c != nil {
		c.end(cause)
	}
}

// life returns the context that bounds the life of a task submitted under ctx. That is
// ctx itself, unless ctx is the context of a running task or is derived from one without
// an end of its own. In that case it is what that task was submitted with, together with
// the contexts of the other pools on the way: a task that submits the next task, which
// submits the next, makes no chain of contexts, also through several pools.
func (c *core) life(ctx context.Context) context.Context {
	t, _ := ctx.Value(workerKey{}).(*taskContext)
	switch {
	case t == nil:
		return ctx
	case ctx == context.Context(t):
		return c.inherited(t)
	case ctx.Done() != t.Done():
		return ctx
	}
	return &valuesContext{Context: c.inherited(t), values: context.WithoutCancel(ctx)}
}

// inherited returns what a task of c inherits from ctx: without the taskContexts of c,
// and without the end of a single task.
func (c *core) inherited(ctx context.Context) context.Context {
	t, ok := ctx.(*taskContext)
	if !ok {
		return ctx
	}
	below := c.inherited(t.submitted)
	switch {
	case t.pool == c.ctx:
		return below
	case !t.cancellable && identical(below, t.submitted):
		return t
	}
	l := &taskContext{worker: t.worker, outer: t.outer, key: t.key, labels: t.labels}
	l.submitted, l.pool = below, t.pool
	return l
}

// A valuesContext has the end of one context and the values of another.
type valuesContext struct {
	context.Context
	values context.Context
}

func (c *valuesContext) Value(key any) any {
	if key != cancelKey && key != any(watchKey{}) {
		if v := c.values.Value(key); v != nil {
			return v
		}
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
