package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/point"
)

// A scope is a context that ends with the one that work was submitted under and with
// those of the pool. The context of a task is one, and those of a group and of a walk
// are.
//
// Nothing is linked before somebody asks for Done: most tasks never do, and a joined
// context costs more than everything else that the pool does for a task. It does not end
// with the work. Who asks for Err looks at the other contexts at once; a joined one hears
// of them a little later.
type scope struct {
	submitted context.Context
	stem      *stem // nil in that of a group or of a walk
	cuttable  bool  // it can be ended on its own
	joined    atomic.Pointer[joined]
}

func (s *scope) Done() <-chan struct{} {
	if h := s.joined.Load(); h != nil {
		return h.Done()
	}
	switch {
	case s.cuttable:
	case s.submitted.Done() == nil:
		return s.stem.Done()
	case s.stem == nil:
		return s.submitted.Done()
	}
	return s.join().Done()
}

func (s *scope) Err() error {
	h := s.joined.Load()
	if h != nil {
		if err := h.Err(); err != nil {
			return err
		}
	}
	by := s.submitted
	err := by.Err()
	if err == nil && s.stem != nil {
		by = s.stem
		err = by.Err()
	}
	if err != nil && h != nil {
		h.joint.fire(by) // so that all is as Err says
		err = h.Err()
	}
	return err
}

// Value looks in the submitter's context, then in the pool's.
func (s *scope) Value(key any) any {
	switch {
	case key == cancelKey:
		return s.ender().Value(key)
	case key == any(keeperKey{}):
		return s.ender().Value(key)
	}
	if v := s.submitted.Value(key); v != nil || s.stem == nil {
		return v
	}
	return s.stem.Value(key)
}

// ender returns the context that knows why s has ended, or that s ends with.
func (s *scope) ender() context.Context {
	if h := s.joined.Load(); h != nil {
		return h
	}
	switch {
	case s.stem == nil || s.submitted.Err() != nil:
		return s.submitted
	case s.stem.Err() != nil || !s.cuttable && s.submitted.Done() == nil:
		return s.stem
	}
	return s.submitted
}

// Deadline returns the earlier one of the submitter's and the pool's.
func (s *scope) Deadline() (time.Time, bool) {
	d, ok := s.submitted.Deadline()
	if s.stem == nil {
		return d, ok
	}
	r, rok := s.stem.root.Deadline()
	if rok && (!ok || r.Before(d)) {
		return r, true
	}
	return d, ok
}

// join returns the joined context, made now if there was none.
func (s *scope) join() *joined {
	if h := s.joined.Load(); h != nil {
		return h
	}
	parents := make([]context.Context, 0, 2)
	if canEnd(s.submitted) {
		parents = append(parents, s.submitted)
	}
	if s.stem != nil {
		parents = append(parents, s.stem)
	}
	h := join(parents...)
	point.At("pool: before a joined context is kept")
	if !s.joined.CompareAndSwap(nil, h) { // somebody was quicker
		h.cancel(nil)
		return s.joined.Load()
	}
	return h
}

// cut ends a scope that is cuttable.
func (s *scope) cut(cause error) {
	h := s.join()
	point.At("pool: before a joined context ends")
	h.cancel(cause)
}

// A commonScope is what the tasks of a group or of a walk live under. It does not end with
// that, unless the group fails, or is left, or the walk is.
type commonScope struct {
	scope
	under context.Context // as given by the caller
	stop  func() bool     // ends a watch on what was submitted
}

func (c *core) newCommonScope(ctx context.Context) *commonScope {
	s := &commonScope{under: ctx, stop: func() bool { return true }}
	s.submitted, s.cuttable = c.life(ctx), true
	return s
}

// canEnd reports whether ctx can end. It does not ask a task's context, which can and
// would link itself.
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
// A worker gives the same one to successive tasks that were submitted under the same
// context. It does not change, unless a task of the worker can be cancelled on its own:
// then it is not given to others once it has been used for anything.
type taskContext struct {
	scope
	worker int32
	used   atomic.Bool     // kept up to date if cuttable
	doomed atomic.Bool     // it has been cut, or is about to be
	outer  *taskContext    // of the task that runs this one in place
	key    *key            // whose lane this one makes run in place
	labels context.Context // what to set the profiler labels by; nil if there are none
}

// markKey asks for the taskContext of a pool, workerKey for the innermost.
type (
	markKey   struct{ stem *stem }
	workerKey struct{}
)

func (c *taskContext) use() {
	if c.cuttable && !c.used.Load() {
		c.used.Store(true)
	}
}

func (c *taskContext) Done() <-chan struct{} {
	c.use()
	return c.scope.Done()
}

func (c *taskContext) Err() error {
	c.use()
	return c.scope.Err()
}

func (c *taskContext) Deadline() (time.Time, bool) {
	c.use()
	return c.scope.Deadline()
}

func (c *taskContext) Value(key any) any {
	c.use()
	switch k := key.(type) {
	case markKey:
		if k.stem == c.stem {
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

// A running tells the task of a future that runs from its context, so that it can be
// cancelled on its own.
type running struct {
	mu    sync.Mutex
	ctx   *taskContext // nil unless it runs
	cause error        // why it has been cancelled; nil if it has not
}

// begin notes the context that the task runs under.
func (r *running) begin(c *taskContext) {
	r.mu.Lock()
	r.ctx = c
	cause := r.cause
	r.mu.Unlock()
	if cause != nil {
		c.doomed.Store(true)
		c.cut(cause)
	}
}

// end lets go of the context. Other tasks may be given it afterwards.
func (r *running) end() {
	r.mu.Lock()
	r.ctx = nil
	r.mu.Unlock()
}

// cancel ends the context of the task, now or as it starts.
func (r *running) cancel(cause error) {
	r.mu.Lock()
	if r.cause == nil {
		r.cause = cause
	}
	c := r.ctx
	if c != nil {
		c.doomed.Store(true)
	}
	r.mu.Unlock()
	point.At("pool: before a running task is cut")
	if c != nil {
		c.cut(cause)
	}
}

// life returns the context that a task lives under if it is submitted under ctx. That is
// ctx, unless it is the context of a task, or one without an end of its own that is
// derived from it: then it is what that task was submitted with, and the ends of other
// pools. So a task that submits the next one, and that the next, makes no chain of
// contexts, through several pools neither.
func (c *core) life(ctx context.Context) context.Context {
	t, _ := ctx.Value(workerKey{}).(*taskContext)
	switch {
	case t == nil:
		return ctx
	case ctx == context.Context(t):
		return c.lift(t)
	case ctx.Done() != t.Done():
		return ctx
	}
	return &valuesContext{Context: c.lift(t), values: context.WithoutCancel(ctx)}
}

// lift returns the context of t without what is t's own and what is c's own.
func (c *core) lift(t *taskContext) context.Context {
	if t.stem == c.stem {
		return c.without(t.submitted)
	}
	below := c.without(t.submitted)
	if !t.cuttable && identical(below, t.submitted) {
		return t
	}
	l := &taskContext{worker: t.worker, outer: t.outer, key: t.key, labels: t.labels}
	l.submitted, l.stem = below, t.stem
	return l
}

func (c *core) without(ctx context.Context) context.Context {
	if t, ok := ctx.(*taskContext); ok {
		return c.lift(t)
	}
	return ctx
}

// A valuesContext has the end of one context and the values of another.
type valuesContext struct {
	context.Context
	values context.Context
}

func (c *valuesContext) Value(key any) any {
	if key != cancelKey && key != any(keeperKey{}) {
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
