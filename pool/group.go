package pool

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math/bits"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
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
//
// A task costs a slot, which keeps it and then its result. Slots are made in
// blocks of growing size, and a slot whose task has ended is pushed on a stack,
// so that neither takes a lock or an allocation of its own; nor does a ticket,
// as long as nobody else submits in between. Whoever waits collects the stack; it
// parks after it has published how high the next one has to grow and looked at
// it again, and the task that makes it so high wakes it.
type Group[T, R any] struct {
	eng  *engine[T, R]
	all  bool
	ctx  context.Context
	end  context.CancelCauseFunc
	stop func() bool // ends the watch on the context the group was made under

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

	mu      lock
	heaps   []uint64        // stacks that have been collected, as landed, in their order
	ended   int             // tasks on them
	waiters []chan struct{} // closed when need is met
	failure error           // the error that ended the group
	errs    map[int]error   // of tasks, by index
	oldest  int             // all tasks before it are claimed
}

// A block holds the slots of neighbouring indexes.
type block[T, R any] struct{ slots []slot[T, R] }

// A slot has no room for an error: failures are few, and without it a slot of
// plain numbers is nothing that the garbage collector has to look into.
type slot[T, R any] struct {
	task    T // until it is claimed
	value   R
	claimed atomic.Uint32
	next    uint32 // below on the stack; 1 more than the index
}

const (
	firstBlock = 32 // slots; each block is twice as long as the one before
	maxBlocks  = 26 // for 2e9 tasks
)

// Group returns an empty group whose tasks run under ctx. Options: FailFast
// (the default), CollectAll.
func (p *Pool[T, R]) Group(ctx context.Context, opts ...GroupOption) *Group[T, R] {
	ctxselect.Require(ctx, "pool: Group")
	var o groupOptions
	for _, opt := range opts {
		opt(&o)
	}
	g := &Group[T, R]{eng: p.eng, all: o.all, stop: func() bool { return true }}
	ctx = p.eng.life(ctx)
	g.ctx, g.end = context.WithCancelCause(ctx)
	if ctx.Done() != nil {
		g.stop = context.AfterFunc(ctx, func() {
			g.end(context.Cause(ctx)) // this can run before the end of ctx has reached g.ctx
			g.dropQueued()
		})
	}
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
	switch err := g.eng.submit(g.ctx, task, g, true, false); {
	case err == nil:
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
		var zero R
		g.settle(i, zero, err)
	}
	return open
}

// slot returns the slot of an index that has been issued.
func (g *Group[T, R]) slot(i int) *slot[T, R] {
	k := bits.Len(uint(i/firstBlock+1)) - 1
	return &g.blocks[k].Load().slots[i-firstBlock*(1<<k-1)]
}

// issueLocked returns the slot of the next index.
func (g *Group[T, R]) issueLocked() *slot[T, R] {
	if len(g.free) == 0 {
		k := bits.Len(uint(g.issued / firstBlock))
		g.free = make([]slot[T, R], firstBlock<<k)
		g.blocks[k].Store(&block[T, R]{g.free})
	}
	s := &g.free[0]
	g.free = g.free[1:]
	g.issued++
	return s
}

func (g *Group[T, R]) enter(seq uint64, task T, last *ticket[T, R]) *ticket[T, R] {
	if g.closed {
		return nil
	}
	i := g.issued
	g.issueLocked().task = task
	if last == nil || last != g.last || last.index(seq) != i {
		g.last = g.ticket(seq - uint64(i))
	}
	return g.last
}

func (g *Group[T, R]) ticket(base uint64) *ticket[T, R] {
	return &ticket[T, R]{ctx: g.ctx, mortal: true, to: g, many: true, base: base}
}

func (g *Group[T, R]) claim(i int) (task T, ok bool) {
	s := g.slot(i)
	if !s.claimed.CompareAndSwap(0, 1) {
		return task, false
	}
	var zero T
	task, s.task = s.task, zero
	return task, true
}

func (g *Group[T, R]) waits(i int) bool { return g.slot(i).claimed.Load() == 0 }

func (g *Group[T, R]) settle(i int, v R, err error) {
	s := g.slot(i)
	s.value = v
	if err != nil {
		g.note(i, err)
	}
	var height uint64
	for {
		below := g.landed.Load()
		s.next, height = uint32(below), below>>32+1
		if g.landed.CompareAndSwap(below, height<<32|uint64(i+1)) {
			break
		}
	}
	if need := g.need.Load(); need > 0 && int64(height) >= need {
		g.mu.Lock()
		wake := g.wakeLocked()
		g.mu.Unlock()
		wake.close()
	}
}

// note takes account of the error of a task, before its result is there.
func (g *Group[T, R]) note(i int, err error) {
	ended := g.ctx.Err() != nil
	fails := false
	g.mu.Lock()
	if g.errs == nil {
		g.errs = make(map[int]error)
	}
	g.errs[i] = err
	if g.failure == nil {
		switch {
		case ended:
			// Whatever a task says now follows from this.
			g.failure = context.Cause(g.ctx)
		case !g.all:
			g.failure, fails = err, true
		}
	}
	g.mu.Unlock()
	if fails {
		g.end(err)
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
	var dropped []int
	for i := range g.count() {
		if _, ok := g.claim(i); ok {
			dropped = append(dropped, i)
		}
	}
	if len(dropped) == 0 {
		return
	}
	g.eng.dropped(len(dropped))
	var zero R
	for _, i := range dropped {
		g.settle(i, zero, context.Cause(g.ctx))
	}
}

// collectLocked takes what is on the stack.
func (g *Group[T, R]) collectLocked() (wake waiters) {
	stack := g.landed.Swap(0)
	if stack == 0 {
		return nil
	}
	g.heaps = append(g.heaps, stack)
	g.ended += int(stack >> 32)
	return g.wakeLocked() // what they need is another number now
}

// completions walks the indexes of the tasks in the order in which they end, as
// far as they have been issued when it comes to the end.
func (g *Group[T, R]) completions() iter.Seq[int] {
	return func(yield func(int) bool) {
		seen := 0
		for heap := 0; !(seen == g.count() && g.closeIf(seen)); heap++ {
			g.await(seen + 1)
			g.mu.Lock()
			stack := g.heaps[heap]
			g.mu.Unlock()
			order := make([]int, stack>>32)
			for i, at := len(order)-1, uint32(stack); i >= 0; i-- {
				order[i] = int(at) - 1
				at = g.slot(order[i]).next
			}
			for _, i := range order {
				seen++
				if !yield(i) {
					return
				}
			}
		}
	}
}

type waiters []chan struct{}

func (w waiters) close() {
	for _, ch := range w {
		close(ch)
	}
}

func (g *Group[T, R]) wakeLocked() waiters {
	wake := waiters(g.waiters)
	g.waiters = nil
	g.need.Store(0)
	return wake
}

// await returns when n tasks have ended. Inside a task of the pool it runs
// those that are still queued.
func (g *Group[T, R]) await(n int) {
	var at place
	var changed <-chan struct{} // what has to happen before it is worth to help again
	inside, known, yields := false, false, 0
	if m := g.eng.mark(g.ctx); m != nil {
		at, inside, known, yields = place{int(m.worker), m}, true, true, waitYields
	}
	for {
		g.mu.Lock()
		wake := g.collectLocked()
		there, queued := g.ended >= n, -1
		var more chan struct{}
		if !there && yields == waitYields {
			if inside || !known {
				queued = g.oldestQueuedLocked()
			}
			if queued < 0 || changed != nil {
				more = g.parkLocked(n - g.ended)
			}
		}
		g.mu.Unlock()
		wake.close()
		switch {
		case there:
			return
		case yields < waitYields:
			yields++
			runtime.Gosched()
		case more != nil:
			select {
			case <-more:
			case <-changed:
				changed = nil
			}
		case queued < 0 || changed != nil:
			// What is waited for has come meanwhile.
		case inside:
			var acted bool
			if acted, changed = g.eng.lend(at, g.ticket(0), queued); !acted {
				runtime.Gosched() // a worker has it and is about to start it
			}
		default:
			at, inside = g.eng.within(g.ctx)
			known = true
		}
	}
}

// parkLocked returns a channel that is closed when need more tasks have ended,
// nil if they have.
func (g *Group[T, R]) parkLocked(need int) chan struct{} {
	if old := int(g.need.Load()); old == 0 || need < old {
		g.need.Store(int64(need))
	}
	if int(g.landed.Load()>>32) >= need {
		return nil
	}
	more := make(chan struct{})
	g.waiters = append(g.waiters, more)
	return more
}

// oldestQueuedLocked sets oldest to the first task that can be claimed, and
// returns -1 if there is none.
func (g *Group[T, R]) oldestQueuedLocked() int {
	for n := g.count(); g.oldest < n; g.oldest++ {
		if g.waits(g.oldest) {
			return g.oldest
		}
	}
	return -1
}

// closeIf closes the group if n indexes have been issued, and reports whether
// it is closed.
func (g *Group[T, R]) closeIf(n int) bool {
	g.eng.in.mu.Lock()
	defer g.eng.in.mu.Unlock()
	g.closed = g.closed || g.issued == n
	return g.closed
}

// waitAll waits until all tasks have ended, and closes the group.
func (g *Group[T, R]) waitAll() {
	for n := g.count(); ; n = g.count() {
		if g.await(n); g.closeIf(n) {
			g.stop()
			g.end(ErrClosed)
			return
		}
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
				g.end(context.Canceled)
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
