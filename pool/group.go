package pool

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/shortlock"
)

// How a group works.
//
// A task costs a slot, which keeps it and then its result. Slots are made in
// blocks of growing size, and a slot whose task has ended is pushed on a stack,
// so that neither takes a lock or an allocation of its own; nor does a ticket,
// as long as nobody else submits in between. Whoever waits collects the stack; it
// parks after it has published how high the next one has to grow and looked at
// it again, and the task that makes it so high wakes it.

// A Group is a number of tasks of one pool that are waited for together. It is
// made by [Pool.Group] and safe for concurrent use; its tasks may add more.
// Every group must be waited for, by Wait or by walking Results to its end.
type Group[T, R any] struct {
	eng  *engine[T, R]
	all  bool
	open atomic.Pointer[commonScope] // nil once the group is closed

	blocks [maxBlocks]atomic.Pointer[block[T, R]]

	// Guarded by the lock of the pool's inbox.
	issued int
	free   []slot[T, R] // of the last block, from index issued on
	last   *ticket[T, R]
	closed bool

	over   atomic.Bool // what is queued is being dropped, or has been
	_      [64]byte
	landed atomic.Uint64 // the stack: its height, and in the low half 1 more than the index on top
	need   atomic.Int64  // height at which to wake; 0 for no one

	mu      shortlock.Mutex
	heaps   []uint64        // stacks that have been collected, as landed, in their order
	ended   int             // tasks on them
	waiters []chan struct{} // closed when need is met
	failure error           // the error that ended the group
	errs    map[int]error   // of tasks, by index
	oldest  int             // all tasks before it are claimed
}

const (
	firstBlock = 32 // slots; each block is twice as long as the one before
	maxBlocks  = 26 // for 2e9 tasks
)

// Group returns an empty group whose tasks run under ctx. What tells a task that
// another one of a FailFast group has failed is the context that it is given, not
// ctx. Options: FailFast (the default), CollectAll.
func (p *Pool[T, R]) Group(ctx context.Context, opts ...GroupOption) *Group[T, R] {
	ctxselect.Require(ctx, "pool: Group")
	var o groupOptions
	for _, opt := range opts {
		opt(&o)
	}
	g := &Group[T, R]{eng: p.eng, all: o.all}
	s := p.eng.newCommonScope(ctx)
	if s.submitted.Done() != nil {
		s.stop = context.AfterFunc(s.submitted, func() {
			point.At("pool: before the tasks of an ended group are dropped")
			g.dropQueued()
		})
	}
	g.open.Store(s)
	return g
}

// Go submits a task to the group. It waits while the pool's queue is full. Each
// call takes the next index, starting from 0, whether it succeeds or not, so
// that results pair with calls. If the task is not accepted, Go returns the
// reason, which is the result at that index too: ErrClosed, the cause of the
// group's context, or, in a group that has failed, the error it failed with.
// Wait returns it as well, so that who calls that need not look at it here. In a
// group that has been waited for, Go returns ErrClosed and changes nothing.
func (g *Group[T, R]) Go(task T) error {
	s := g.open.Load()
	if s == nil {
		return ErrClosed
	}
	switch err := g.eng.submit(s, task, g, true, false); {
	case err == nil:
		point.At("pool: before a group sees that it is over")
		if g.over.Load() {
			g.dropQueued() // it may have come before the task
		}
		return nil
	case err != errRefused && g.refuse(err):
		return err
	default:
		return ErrClosed
	}
}

// refuse gives the next index to a task that was not accepted, and reports
// whether the group was open.
func (g *Group[T, R]) refuse(err error) bool {
	in := &g.eng.in
	in.mu.Lock()
	i, open := g.issued, !g.closed
	if open {
		g.issueLocked().claimed.Store(1)
	}
	in.mu.Unlock()
	if open {
		point.At("pool: before a refused task settles")
		var zero R
		g.settle(i, zero, err)
	}
	return open
}

// note takes account of the error of a task, before its result is there.
func (g *Group[T, R]) note(i int, err error) {
	s := g.open.Load() // it is open as long as there are tasks
	ended := s.Err() != nil
	fails := false
	point.At("pool: before an error is noted")
	g.mu.Lock()
	if g.errs == nil {
		g.errs = make(map[int]error)
	}
	g.errs[i] = err
	if g.failure == nil {
		switch {
		case ended:
			// Whatever a task says now follows from this.
			g.failure = context.Cause(s)
		case !g.all:
			g.failure, fails = err, true
		}
	}
	g.mu.Unlock()
	if fails {
		point.At("pool: before a group fails")
		s.end(err)
		g.dropQueued()
	}
}

// count returns how many indexes have been issued.
func (g *Group[T, R]) count() int {
	g.eng.in.mu.Lock()
	defer g.eng.in.mu.Unlock()
	return g.issued
}

// dropQueued resolves the queued tasks of a group whose context has ended.
func (g *Group[T, R]) dropQueued() {
	g.over.Store(true)
	s := g.open.Load()
	if s == nil {
		return
	}
	point.At("pool: before the tasks of a group are dropped")
	var dropped []int
	for i := range g.count() {
		if _, ok := g.claim(i); ok {
			dropped = append(dropped, i)
		}
	}
	if len(dropped) == 0 {
		return
	}
	point.At("pool: before dropped tasks are counted")
	g.eng.dropped(len(dropped))
	point.At("pool: before dropped tasks settle")
	var zero R
	for _, i := range dropped {
		g.settle(i, zero, context.Cause(s))
	}
}

// Wait waits until all tasks have ended and returns their results by index;
// that of a task without one is the zero value. In a FailFast group the error
// is the first one of any task; in a CollectAll group all of them, joined in
// the order of submission. If the group's context ended before, the error is
// its cause, in a CollectAll group after those of the tasks. The group is then
// closed; Wait may be called again and returns the same.
func (g *Group[T, R]) Wait() ([]R, error) {
	g.waitAll()
	values := make([]R, 0, g.count())
	for k := 0; len(values) < cap(values); k++ {
		slots := g.blocks[k].Load().slots
		for i := range slots[:min(len(slots), cap(values)-len(values))] {
			values = append(values, slots[i].value)
		}
	}
	g.mu.Lock()
	failure, failed := g.failure, g.errs // neither changes any more
	g.mu.Unlock()
	if !g.all {
		return values, failure
	}
	var errs []error
	for _, i := range slices.Sorted(maps.Keys(failed)) {
		// What follows from the end of the context is said once, at the end.
		if err := failed[i]; !errors.Is(err, failure) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return values, failure
	}
	return values, errors.Join(append(errs, failure)...)
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
				if s := g.open.Load(); s != nil {
					s.end(context.Canceled)
				}
				g.dropQueued()
				g.waitAll()
			}
		}()
		for i := range g.completions() {
			g.mu.Lock()
			err := g.errs[i]
			g.mu.Unlock()
			if !yield(i, Result[R]{Value: g.slot(i).value, Err: err}) {
				return
			}
		}
		left = false
		g.waitAll()
	}
}
