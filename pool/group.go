package pool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/shortlock"
	"github.com/tandemgo/tandem/internal/taskctx"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// A Group is a number of tasks of one pool that are waited for together. It is made by
// [Pool.Group] and safe for concurrent use; its tasks may add more. Wait, Close, or a walk over
// Results to its end must be called.
type Group[T, R any] struct {
	pool   *Pool[T, R]
	all    bool                  // CollectAll
	limit  int                   // of tasks that run at once; 0: none
	origin taskpool.Origin[T, R] // its scope is nil once the group is finished

	failed sched.Bool // failure is set
	over   sched.Bool // the group takes no more tasks, and queued ones are dropped
	helped sched.Bool // a waiter was inside a task

	tasks tasks[T, R] // guarded by the lock of the engine, and written under mu as well once they are closed

	mu      shortlock.Mutex // comes before the lock of the engine
	yielded int             // tasks that ended first, which Results has yielded
	walks   int             // over Results, under way
	failure error           // what ended the group before its tasks
	errs    map[int]error   // of tasks, by index
	follows map[int]bool    // of them: what follows from the end of the context
	skipped bool            // a task never started
	unwatch func() bool
	values  []R // once the group is finished

	ends ends
}

// A Result is how one task of a group ended.
type Result[T, R any] struct {
	Index int // counts the calls of Go that returned true, from 0
	Task  T   // as it was given to Go
	Value R   // what the task returned
}

// Group returns an empty group whose tasks run under ctx. The options are FailFast (the
// default), CollectAll and WithLimit. It panics if ctx is nil.
func (p *Pool[T, R]) Group(ctx context.Context, opts ...GroupOption) *Group[T, R] {
	p.require(ctx, "Group")
	var o groupOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	g := &Group[T, R]{pool: p, all: o.all, limit: o.limit}
	common, scope := taskctx.NewCommon(p.eng.Root, ctx)
	g.origin.Owner = groupOwner[T, R]{g}
	g.origin.Open(scope, true)
	stop := common.Watch(g.dropQueued)
	g.mu.Lock()
	g.unwatch = stop
	g.mu.Unlock()
	return g
}

// require panics if g is the zero value.
func (g *Group[T, R]) require(call string) {
	if g.pool == nil {
		misuse.Zero(true, "pool: Group."+call, "Group", "Pool.Group")
	}
}

// Go submits a task to the group. It blocks while the queue of the pool is full, and with
// [WithLimit] while as many tasks of the group are unfinished. It returns false if the group
// takes no more tasks: the group has failed, its context has ended, it has been waited for or
// closed, or the pool is closed. Wait returns the reason.
//
// Go has no context, so it does not know whether it is called inside a task, and waits for room
// there as anywhere. If all workers do so, they wait until the context of the group ends. A pool
// whose tasks add tasks to their own group has to be made with WithQueue(math.MaxInt), which
// costs nothing until the tasks are there, and the group without WithLimit.
func (g *Group[T, R]) Go(task T) bool {
	ctx := g.context()
	if ctx == nil {
		g.require("Go")
		return false
	}
	for {
		if ended := g.pool.eng.Ended(ctx); ended != nil {
			g.fail(ended)
			return false
		}
		switch err := g.push(ctx, task); err {
		case nil:
			if g.helped.Load() {
				g.ends.wake() // a waiter inside a task may have to run it
			}
			if g.over.Load() { // the queued tasks may have been dropped before this one came
				g.dropQueued()
			}
			return true
		case errClosed:
			return false
		case errLimit:
			_ = g.await(ctx, g.count()-g.limit+1)
		default:
			g.refused(err)
			return false
		}
	}
}

// push gives a task to the pool. If a function of its order panics or calls Goexit, the pool has not
// accepted the task.
func (g *Group[T, R]) push(ctx context.Context, task T) error {
	if g.failed.Load() {
		return errClosed
	}
	if g.pool.eng.Order == nil {
		return g.pool.eng.Push(ctx, task, &g.origin, true)
	}
	returned := false
	defer func() {
		if !returned {
			g.refused(errOrder)
		}
	}()
	err := g.pool.eng.Push(ctx, task, &g.origin, true)
	returned = true
	return err
}

var errOrder = errors.New("pool: the key or the priority of a task panicked")

// refused ends a group of which the pool did not accept a task because of err.
func (g *Group[T, R]) refused(err error) {
	if g.fail(err) && !g.all {
		g.end(err)
	}
}

// fail makes err what ended the group, and reports whether nothing else had.
func (g *Group[T, R]) fail(err error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure != nil || g.tasks.closed {
		return false
	}
	g.failure = err
	g.failed.Store(true)
	return true
}

// end ends the contexts of the tasks, and drops those that are queued.
func (g *Group[T, R]) end(cause error) {
	if ctx := g.context(); ctx != nil {
		ctx.End(cause)
		g.dropQueued()
	}
}

// context returns the context of the tasks, or nil if the group is finished.
func (g *Group[T, R]) context() *taskctx.Common {
	if s := g.origin.Scope(); s != nil {
		return s.Submitted.(*taskctx.Common)
	}
	return nil
}

// Wait waits until all tasks have ended, and returns their results by index, the zero value for
// a task without one. It helps: inside a task of the pool it runs queued tasks in place. The
// error of a FailFast group is the first one of any task, a *TaskError. A CollectAll group
// joins the errors of all tasks in the order of their indexes. If the context of the group
// has ended before its tasks, the error matches its cause, and ErrNotStarted if a task did not start
// because of that. The group takes no more tasks then, and Wait returns the same again.
//
// If ctx ends first, Wait returns its cause; Wait may be called again. To learn of every task
// also when the context of the group ends, pass another one, such as [context.Background]: the
// tasks end by themselves then. Wait panics if ctx is nil.
func (g *Group[T, R]) Wait(ctx context.Context) ([]R, error) {
	g.require("Wait")
	ctxselect.Require(ctx, "pool: Group.Wait")
	for {
		n := g.count()
		if err := g.await(ctx, n); err != nil {
			return nil, err
		}
		if g.closeIf(n) {
			return g.finish()
		}
	}
}

// Results waits for the tasks and yields their results in the order in which they end, each
// with its own error, a *TaskError. The walk ends, and the group takes no more tasks, when every
// task submitted so far has been yielded: submit first, or from within tasks. If ctx ends first,
// the last pair has the cause of ctx, and the group is not affected; so for a result of every
// task, ctx must not be the context of the group, see Wait. A loop that is left early
// closes the group. Each result is yielded once; a walk that begins after Wait has returned the
// results has none to yield. It panics if ctx is nil.
func (g *Group[T, R]) Results(ctx context.Context) iter.Seq2[Result[T, R], error] {
	g.require("Results")
	ctxselect.Require(ctx, "pool: Group.Results")
	return func(yield func(Result[T, R], error) bool) {
		left := true // early: by break, or by a panic or Goexit of the loop body
		g.mu.Lock()
		g.walks++
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			g.walks--
			g.mu.Unlock()
			if g.isClosed() {
				_, _ = g.finish()
			}
			if left {
				_ = g.Close()
			}
		}()
		for {
			r, err, ok := g.pop()
			for ; !ok; r, err, ok = g.pop() {
				n := g.seen()
				if g.closeIf(n) {
					left = false
					return
				}
				if err := g.await(ctx, n+1); err != nil {
					left = false
					yield(Result[T, R]{}, err)
					return
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Close ends the contexts of the tasks that run, cancels those that are queued, and waits until
// all have ended. It returns the error that Wait would, without errors that follow from Close. It does
// nothing to a group that has been waited for, so it may be deferred. A task of the group must
// not call it.
func (g *Group[T, R]) Close() error {
	g.require("Close")
	g.fail(errLeft)
	ctx := context.Background()
	if c := g.context(); c != nil {
		ctx = context.WithoutCancel(c.From()) // so that it is known whether Close is called inside a task
		g.end(errLeft)
	}
	_, err := g.Wait(ctx)
	if err == errLeft {
		return nil
	}
	return err
}

// errLeft is the failure of a group that was closed before its tasks had ended.
var errLeft = fmt.Errorf("pool: group closed: %w", context.Canceled)

// await parks until n tasks have ended, or ctx ends. Inside a task of the pool it runs queued
// tasks in place.
func (g *Group[T, R]) await(ctx context.Context, n int) error {
	inside := g.pool.eng.Root.Inside(ctx) != nil
	var wake chan struct{} // signalled when the key of a task is free
	if inside {
		g.helped.Store(true)
		wake = make(chan struct{}, 1)
	}
	for yields := 0; ; {
		var changed <-chan struct{}
		g.mu.Lock()
		there := g.tasks.closed || g.ends.count() >= n
		if !there && (inside || yields >= sched.Spins(waitYields)) {
			changed = g.ends.wait(n)
			there = changed == nil
		}
		g.mu.Unlock()
		switch {
		case there:
			return nil
		case sched.Err(ctx) != nil:
			return context.Cause(ctx)
		case inside && g.help(ctx, wake):
		case changed == nil:
			yields++
			runtime.Gosched()
		default:
			sched.ParkCtxOr(ctx, wake, changed)
		}
	}
}

// help runs the oldest queued task in place, if there is one and its key is free.
func (g *Group[T, R]) help(ctx context.Context, wake chan struct{}) bool {
	for {
		var next *taskpool.Task[T, R]
		g.pool.eng.Guard(func() { next = g.tasks.oldestQueued() })
		switch {
		case next == nil:
			return false
		case g.pool.eng.Help(ctx, &g.origin, next, wake):
			return true
		case next.Queued(): // wake is signalled when its key is free
			return false
		}
	}
}

// count returns how many tasks there are.
func (g *Group[T, R]) count() (n int) {
	g.pool.eng.Guard(func() { n = g.tasks.n })
	return n
}

// seen returns how many results have been yielded.
func (g *Group[T, R]) seen() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.yielded
}

// closeIf closes the group if it has n tasks, all of which have ended, and reports whether it is closed.
func (g *Group[T, R]) closeIf(n int) (closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pool.eng.Guard(func() {
		g.tasks.closed = g.tasks.closed || g.tasks.n == n && g.ends.count() == n
		closed = g.tasks.closed
	})
	return closed
}

// isClosed reports whether the group is closed. Then all of its tasks have ended.
func (g *Group[T, R]) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tasks.closed
}

// finish returns the results of a closed group, and lets go of all else that no walk needs.
func (g *Group[T, R]) finish() ([]R, error) {
	g.mu.Lock()
	unwatch := g.unwatch
	g.unwatch = nil
	if g.origin.Scope() != nil {
		g.origin.Close()
		g.values = make([]R, 0, g.tasks.n)
		for _, block := range g.tasks.blocks {
			for i := range block[:min(len(block), g.tasks.n-len(g.values))] {
				g.values = append(g.values, block[i].Value)
			}
		}
	}
	if g.walks == 0 {
		g.pool.eng.Guard(func() { g.tasks.blocks, g.tasks.free, g.ends.order = nil, nil, nil })
	}
	values, err := g.values, g.errorLocked()
	g.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	return values, err
}
