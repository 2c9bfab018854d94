// Package taskctx provides the contexts of tasks.
//
// A task's [Context] ends with the context that the task was submitted under and with
// the [Root] of its pool. It does not end because the task returns: a task may give
// its context to work that goes on. A Context marks the calls that are made inside the
// task, and it carries the profiler labels of the task.
package taskctx

import (
	"context"
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/sched"
)

// A Scope is the context under which tasks were submitted.
type Scope struct {
	Submitted context.Context
	labels    context.Context // has the profiler labels of Submitted
	mortal    bool
}

// NewScope returns the scope of tasks that are submitted under ctx.
func NewScope(r *Root, ctx context.Context) Scope {
	life := r.life(ctx)
	return Scope{Submitted: life, labels: labelsOf(life), mortal: canEnd(life)}
}

// Mortal reports whether the scope can end. s may be nil.
func (s *Scope) Mortal() bool { return s != nil && s.mortal }

// Over reports whether the scope has ended. s may be nil.
func (s *Scope) Over() bool { return s.Mortal() && sched.Err(s.Submitted) != nil }

// Context returns the context for a task of s that runs as worker. last is the context of
// the task that ran there before, or nil; it is used again if it will do.
func (s *Scope) Context(r *Root, last *Context, worker int) *Context {
	if last != nil && !last.Single() && Identical(last.submitted, s.Submitted) {
		return last
	}
	return &Context{
		ender:  ender{submitted: s.Submitted, root: r},
		Worker: int32(worker), Labels: r.Named(s.labels, worker),
	}
}

// Own is Context for a task whose context can be cancelled on its own.
func (s *Scope) Own(r *Root, worker int) *Context {
	c := s.Context(r, nil, worker)
	c.cancellable = true
	return c
}

// An ender is a context that ends with the one that work was submitted under, with the
// root of the pool and, if it is cancellable, by End. The root is itself one, under the context
// that the pool was made under.
//
// The first call of Done joins it to the others. Most tasks never call Done, and a joined
// context costs more than everything else that a pool does for a task. Err asks the others,
// so it reports their end at once; the Done channel is closed a little later.
type ender struct {
	submitted   context.Context
	root        *Root // nil for a root, a group or a walk: the contexts of their tasks have it
	cancellable bool
	joined      sched.Pointer[joined]
}

// Done returns a channel that is closed when the context ends.
func (c *ender) Done() <-chan struct{} { return c.source().Done() }

// Err returns why the context has ended, or nil.
func (c *ender) Err() error {
	var by context.Context
	err := sched.Err(c.submitted)
	if err != nil {
		by = c.submitted
	} else if c.root != nil {
		by, err = c.root, sched.Err(c.root)
	}
	j := c.joined.Load()
	if j == nil {
		return err
	}
	if err != nil {
		j.link.fire(by)
	}
	return sched.Err(j)
}

// Value looks in the submitter's context, then in the root.
func (c *ender) Value(key any) any {
	if key == cancelKey || key == any(watchKey{}) {
		_ = sched.Err(c) // context.Cause asks for the key before it calls Err
		return c.source().Value(key)
	}
	if v := c.submitted.Value(key); v != nil || c.root == nil {
		return v
	}
	return c.root.Value(key)
}

// source returns the context that has the cause of c, and whose Done channel c has.
func (c *ender) source() context.Context {
	if !c.cancellable && !canEnd(c.submitted) {
		return c.root
	}
	return c.join()
}

// Deadline returns the earlier deadline of the submitter's context and the root.
func (c *ender) Deadline() (time.Time, bool) {
	d, ok := c.submitted.Deadline()
	if c.root == nil {
		return d, ok
	}
	if r, rok := c.root.Deadline(); rok && (!ok || r.Before(d)) {
		return r, true
	}
	return d, ok
}

// join returns the joined context. The first call makes it.
func (c *ender) join() *joined {
	if j := c.joined.Load(); j != nil {
		return j
	}
	parents := make([]context.Context, 0, 2)
	if canEnd(c.submitted) {
		parents = append(parents, c.submitted)
	}
	if c.root != nil {
		parents = append(parents, c.root)
	}
	j := join(parents...)
	if !c.joined.CompareAndSwap(nil, j) { // another goroutine was quicker
		j.cancel(nil)
		return c.joined.Load()
	}
	return j
}

// End ends a cancellable context.
func (c *ender) End(cause error) {
	j := c.join()
	sched.Cancel(func() { j.cancel(cause) })
	ends.Add(1)
}

// ends counts the calls of End in the process.
var ends sched.Uint64

// A Common is the context under which a group or a walk submits its tasks. It ends with
// the context that it was made from, and by End. Calls under it are inside a task if those
// under the other are.
//
// A group in a task of a group, and so on, makes a chain of Commons. So that a look at the last
// one does not cost a walk down the chain, it knows the context below the chain, and the count of
// calls of End for which no Common of the chain had ended.
type Common struct {
	ender
	from  context.Context
	below context.Context // the first one that is not a Common
	alive sched.Uint64    // 1 more than the count; 0 if c was not asked yet
}

// NewCommon returns a Common that is made from ctx, and the scope of tasks under it.
func NewCommon(r *Root, ctx context.Context) (*Common, *Scope) {
	c := &Common{ender: ender{submitted: r.life(ctx), cancellable: true}, from: ctx}
	c.below = c.submitted
	if last, ok := c.submitted.(*Common); ok {
		c.below = last.below
	}
	return c, &Scope{Submitted: c, labels: labelsOf(c), mortal: true}
}

// Err returns why the context has ended, or nil.
func (c *Common) Err() error {
	n := ends.Load() // before the look: who ends a context counts afterwards
	if j := c.joined.Load(); c.alive.Load() == n+1 && sched.Err(c.below) == nil && (j == nil || sched.Err(j) == nil) {
		return nil
	}
	err := sched.Err(&c.ender)
	if err == nil {
		c.alive.Store(n + 1)
	}
	return err
}

// Value returns the value of the context that c was made from.
func (c *Common) Value(key any) any {
	if _, task := key.(taskKey); task {
		return c.from.Value(key)
	}
	if key == cancelKey || key == any(watchKey{}) {
		return c.ender.Value(key)
	}
	return c.below.Value(key) // a Common has no values of its own
}

// Watch arranges for f to be called when the context ends that c was made from. The returned
// function undoes that.
func (c *Common) Watch(f func()) (stop func() bool) {
	if !canEnd(c.submitted) {
		return func() bool { return true }
	}
	return sched.AfterFunc(c.submitted, f)
}

// From returns the context that c was made from.
func (c *Common) From() context.Context { return c.from }

// canEnd reports whether ctx can end. It does not call Done of an ender, which would join
// it to others.
func canEnd(ctx context.Context) bool {
	switch c := ctx.(type) {
	case *Context, *Common:
		return true
	case *valuesContext:
		return canEnd(c.Context)
	}
	return ctx.Done() != nil
}

// A Context is the context of a task.
//
// A worker gives the same Context to successive tasks that were submitted under the same
// context. A task that can be cancelled on its own has a Context of its own.
type Context struct {
	ender
	// Worker is the id of the worker that runs the task.
	Worker int32
	// Outer is the context of the task that runs this one in place, or nil.
	Outer *Context
	// Lane is the lane of an ordered pool that the task holds up, or nil.
	Lane any
	// Labels has the profiler labels of the task.
	Labels context.Context

	active sched.Bool
}

// Single reports whether no other task uses the context.
func (c *Context) Single() bool { return c.cancellable || c.Lane != nil }

// Begin is called when the task is about to run.
func (c *Context) Begin() { c.active.Store(true) }

// Finish is called when the task has returned: no call is inside it any more.
func (c *Context) Finish() { c.active.Store(false) }

// Active reports whether the task runs.
func (c *Context) Active() bool { return c.active.Load() }

// taskKey asks for the innermost Context, or for that of a pool.
type taskKey struct{ root *Root }

// Value returns the value of the submitter's context, or of the root.
func (c *Context) Value(key any) any {
	if k, ok := key.(taskKey); ok && (k.root == nil || k.root == c.root) {
		return c
	}
	if key == labelKey {
		return c.Labels.Value(key)
	}
	return c.ender.Value(key)
}

// Of returns the context of the innermost task that ctx comes from, or nil.
func Of(ctx context.Context) *Context {
	c, _ := ctx.Value(taskKey{}).(*Context)
	return c
}

// Inside returns the context of the task of r's pool that ctx comes from if that task
// runs, and nil otherwise.
func (r *Root) Inside(ctx context.Context) *Context {
	if c, ok := ctx.Value(taskKey{r}).(*Context); ok && c.Active() {
		return c
	}
	return nil
}

// life returns the context that bounds the life of a task submitted under ctx. That is
// ctx itself, unless ctx is the context of a task or is derived from one without an end of
// its own. In that case it is the context which that task was submitted under, together
// with the roots of the other pools on the way: a task that submits the next task, which
// submits the next, makes no chain of contexts, also through several pools.
func (r *Root) life(ctx context.Context) context.Context {
	t := Of(ctx)
	switch {
	case t == nil:
		return ctx
	case ctx == context.Context(t):
		return r.inherited(t)
	case ctx.Done() != t.Done():
		return ctx
	}
	return &valuesContext{Context: r.inherited(t), values: context.WithoutCancel(ctx)}
}

// inherited returns the part of ctx that a task of r's pool inherits: without the Contexts of
// that pool, and without the end of a single task.
func (r *Root) inherited(ctx context.Context) context.Context {
	t, ok := ctx.(*Context)
	if !ok {
		return ctx
	}
	below := r.inherited(t.submitted)
	switch {
	case t.root == r:
		return below
	case !t.cancellable && Identical(below, t.submitted):
		return t
	}
	return &Context{ender: ender{submitted: below, root: t.root}, Worker: t.Worker, Labels: t.Labels}
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

// Identical reports whether a and b are the same value in memory. A comparison of
// interfaces would panic for contexts whose type cannot be compared.
func Identical(a, b context.Context) bool {
	return *(*[2]uintptr)(unsafe.Pointer(&a)) == *(*[2]uintptr)(unsafe.Pointer(&b))
}
