package pool

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
)

// A GroupOption changes how [Pool.Group] makes a group.
type GroupOption func(*groupOptions)

type groupOptions struct{ all bool }

// FailFast makes the first error of a task end the group: the contexts of its
// running tasks end, queued ones do not start, and Wait returns that error.
// This is the default.
func FailFast() GroupOption { return func(o *groupOptions) { o.all = false } }

// CollectAll makes a group run all of its tasks, whatever their errors; Wait
// joins these in the order of submission.
func CollectAll() GroupOption { return func(o *groupOptions) { o.all = true } }

// A Group is a number of tasks of one pool that are waited for together. It is
// made by [Pool.Group] and safe for concurrent use; its tasks may add more.
// Every group must be waited for, by Wait or by walking Results to its end.
type Group[T, R any] struct {
	pool *Pool[T, R]
	all  bool
	ctx  context.Context
	end  context.CancelCauseFunc
	stop func() bool // ends the watch on the context the group was made under

	mu       sync.Mutex
	results  []Result[R]
	slots    fifo.List[*slot[T, R]] // tasks not settled, oldest first
	finished []int                  // indexes in the order of completion
	waiters  []chan struct{}        // closed at the next completion
	first    error                  // the error that ended the group
	closed   bool
}

// Group returns an empty group whose tasks run under ctx. Options: FailFast
// (the default), CollectAll.
func (p *Pool[T, R]) Group(ctx context.Context, opts ...GroupOption) *Group[T, R] {
	ctxselect.Require(ctx, "pool: Group")
	var o groupOptions
	for _, opt := range opts {
		opt(&o)
	}
	g := &Group[T, R]{pool: p, all: o.all}
	g.ctx, g.end = context.WithCancelCause(ctx)
	g.stop = context.AfterFunc(ctx, func() {
		g.end(context.Cause(ctx)) // this can run before the end of ctx has reached g.ctx
		g.dropQueued()
	})
	return g
}

// Go submits a task to the group. It waits while the pool's queue is full. Each
// call takes the next index, starting from 0, whether it succeeds or not, so
// that results pair with calls. If the task is not accepted, Go returns the
// reason, which is the result at that index too: ErrClosed, the cause of the
// group's context, or, in a group that has failed, the error it failed with.
// In a group that has been waited for, Go returns ErrClosed and changes
// nothing.
func (g *Group[T, R]) Go(task T) error {
	s := &slot[T, R]{group: g}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrClosed
	}
	s.index = len(g.results)
	g.results = append(g.results, Result[R]{})
	s.node = g.slots.PushBack(s)
	g.mu.Unlock()
	err := g.pool.submit(g.ctx, task, s, true, false)
	if err != nil {
		var zero R
		s.settle(zero, err)
		return err
	}
	if g.ctx.Err() != nil {
		g.pool.eng.drop(s.unit, context.Cause(g.ctx)) // dropQueued may have come before it
	}
	return nil
}

// Wait waits until all tasks have ended and returns their results by index;
// that of a task without one is the zero value. In a FailFast group the error
// is the first one of any task; in a CollectAll group all of them, joined in
// the order of submission. If the group's context ended before, the error is
// its cause, in a CollectAll group after those of the tasks. The group is then
// closed; Wait may be called again and returns the same.
func (g *Group[T, R]) Wait() ([]R, error) {
	for range g.completions() {
	}
	g.mu.Lock()
	results, ended := g.results, g.first // both final now
	g.mu.Unlock()
	values := make([]R, len(results))
	errs := make([]error, 0, 1)
	for i, r := range results {
		values[i] = r.Value
		// What follows from the end of the context is said once, below.
		if g.all && r.Err != nil && !errors.Is(r.Err, ended) {
			errs = append(errs, r.Err)
		}
	}
	if !g.all || len(errs) == 0 {
		return values, ended
	}
	return values, errors.Join(append(errs, ended)...)
}

// Results walks the results in the order in which tasks end, each with its
// index. It ends, and closes the group, when every task submitted so far has
// ended and been yielded: submit first, or from within tasks. Leaving the walk
// early ends the group's context and waits for its tasks.
func (g *Group[T, R]) Results() iter.Seq2[int, Result[R]] {
	return func(yield func(int, Result[R]) bool) {
		left := true // early: by break, panic or Goexit of the loop body
		defer func() {
			if left {
				g.end(context.Canceled)
				g.dropQueued()
				for range g.completions() {
				}
			}
		}()
		for i := range g.completions() {
			g.mu.Lock()
			r := g.results[i]
			g.mu.Unlock()
			if !yield(i, r) {
				return
			}
		}
		left = false
	}
}

// completions walks the indexes of tasks as they end, from the first one, until
// none is left; then it closes the group.
func (g *Group[T, R]) completions() iter.Seq[int] {
	return func(yield func(int) bool) {
		for next := 0; ; {
			g.mu.Lock()
			if next < len(g.finished) {
				i := g.finished[next]
				g.mu.Unlock()
				if !yield(i) {
					return
				}
				next++
				continue
			}
			if g.slots.Len() == 0 {
				g.closed = true
				g.mu.Unlock()
				g.stop()
				g.end(ErrClosed)
				return
			}
			g.mu.Unlock()
			g.await(next)
		}
	}
}

// await returns when more than n tasks have ended. Inside a task of the pool it
// runs those that are still queued.
func (g *Group[T, R]) await(n int) {
	id, inside := g.pool.eng.within(g.ctx)
	for {
		g.mu.Lock()
		if len(g.finished) > n {
			g.mu.Unlock()
			return
		}
		var u *unit
		if inside {
			u = g.oldestQueuedLocked()
		}
		if u == nil {
			more := make(chan struct{})
			g.waiters = append(g.waiters, more)
			g.mu.Unlock()
			<-more
			return
		}
		g.mu.Unlock()
		g.pool.eng.lend(id, u)
	}
}

// oldestQueuedLocked returns the first unit that is still queued, nil if there
// is none. Those before it are running, so there are few. The engine's lock is
// taken after the group's, never the other way round.
func (g *Group[T, R]) oldestQueuedLocked() *unit {
	for s := range g.slots.All() {
		if s.unit != nil && g.pool.eng.isQueued(s.unit) {
			return s.unit
		}
	}
	return nil
}

// dropQueued resolves the queued tasks of a group whose context has ended.
func (g *Group[T, R]) dropQueued() {
	g.mu.Lock()
	units := make([]*unit, 0, g.slots.Len())
	for s := range g.slots.All() {
		if s.unit != nil {
			units = append(units, s.unit)
		}
	}
	g.mu.Unlock()
	for _, u := range units {
		g.pool.eng.drop(u, context.Cause(g.ctx))
	}
}

// A slot is one task of a group: the sink of its result.
type slot[T, R any] struct {
	group *Group[T, R]
	index int
	unit  *unit
	node  *fifo.Node[*slot[T, R]]
}

func (s *slot[T, R]) attach(u *unit) {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	s.unit = u
}

func (s *slot[T, R]) settle(v R, err error) {
	g := s.group
	ended := g.ctx.Err() != nil
	g.mu.Lock()
	g.results[s.index] = Result[R]{Value: v, Err: err}
	g.slots.Remove(s.node)
	g.finished = append(g.finished, s.index)
	waiters := g.waiters
	g.waiters = nil
	fails := false
	if err != nil && g.first == nil {
		switch {
		case ended:
			// Whatever a task says now follows from this.
			g.first = context.Cause(g.ctx)
		case !g.all:
			g.first, fails = err, true
		}
	}
	g.mu.Unlock()
	if fails {
		g.end(err)
		g.dropQueued()
	}
	for _, w := range waiters {
		close(w)
	}
}
