package pool

import (
	"context"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// tasks are the tasks of a group that the pool has accepted, in blocks. The lock of the engine
// guards them.
type tasks[T, R any] struct {
	blocks [][]taskpool.Task[T, R]
	free   []taskpool.Task[T, R] // the rest of the last block
	n      int
	oldest int  // all tasks before it are claimed
	closed bool // there will be no more
}

// The first block has 8 tasks, since many groups are small, and the next ones twice as many each, up
// to 256, or less if tasks are large.
func firstBlock[T, R any]() int {
	const bytes = 512 << 10
	return max(min(bytes/int(unsafe.Sizeof(taskpool.Task[T, R]{})), 256)>>doublings, 1)
}

const doublings = 5

// add adds a task.
func (s *tasks[T, R]) add(arg T) *taskpool.Task[T, R] {
	if len(s.free) == 0 {
		s.free = make([]taskpool.Task[T, R], firstBlock[T, R]()<<min(len(s.blocks), doublings))
		s.blocks = append(s.blocks, s.free)
	}
	t := &s.free[0]
	s.free = s.free[1:]
	t.Index, t.Arg = s.n, arg
	s.n++
	return t
}

// at returns the task with an index.
func (s *tasks[T, R]) at(i int) *taskpool.Task[T, R] {
	first := firstBlock[T, R]()
	block := min(bits.Len(uint(i/first+1))-1, doublings)
	n := first << block // the length of that block, and of all after it if there are no more doublings
	i -= n - first      // counted from it
	return &s.blocks[block+i/n][i%n]
}

// oldestQueued returns the first task that can be claimed, or nil.
func (s *tasks[T, R]) oldestQueued() *taskpool.Task[T, R] {
	for ; s.oldest < s.n && s.blocks != nil; s.oldest++ {
		if t := s.at(s.oldest); t.Queued() {
			return t
		}
	}
	return nil
}

// dropQueued settles the queued tasks of a group whose context has ended.
func (g *Group[T, R]) dropQueued() {
	g.over.Store(true)
	ctx := g.context()
	if ctx == nil {
		return
	}
	_ = sched.Err(ctx) // so that submitters which wait for room see its end
	for {
		const atOnce = 256 // so that the lock is not held for long
		var dropped []*taskpool.Task[T, R]
		g.pool.eng.Guard(func() {
			for t := g.tasks.oldestQueued(); t != nil && len(dropped) < atOnce; t = g.tasks.oldestQueued() {
				if t.Claim() {
					dropped = append(dropped, t)
				}
			}
		})
		if len(dropped) == 0 {
			return
		}
		g.pool.eng.Cancelled(len(dropped))
		for _, t := range dropped {
			g.settle(t, outcome.NotStarted(context.Cause(ctx)))
		}
	}
}

// A groupOwner keeps the methods that the engine calls apart from those of the group.
type groupOwner[T, R any] struct{ g *Group[T, R] }

// Accept adds a task, unless the group takes no more or has as many unfinished as it may.
func (o groupOwner[T, R]) Accept(arg T) (*taskpool.Task[T, R], error) {
	g := o.g
	switch {
	case g.tasks.closed:
		return nil, errClosed
	case g.limit > 0 && g.tasks.n-g.ends.count() >= g.limit:
		return nil, errLimit
	}
	return g.tasks.add(arg), nil
}

// Why a group does not accept a task.
var (
	errClosed = errors.New("pool: group closed")
	errLimit  = errors.New("pool: group is full")
)

func (groupOwner[T, R]) Starts(*taskctx.Context) {}

func (o groupOwner[T, R]) Settle(t *taskpool.Task[T, R], err error) { o.g.settle(t, err) }

// settle publishes how a task has ended.
func (g *Group[T, R]) settle(t *taskpool.Task[T, R], err error) {
	fails := false
	if err != nil {
		err = outcome.Sound(err)
		fails = g.note(t.Index, err)
	}
	if fails {
		g.context().End(err) // before Wait can return
	}
	g.ends.add(t.Index)
	if fails {
		g.dropQueued()
	}
}

// note takes account of the error of a task, before the task has ended, and reports whether the
// group fails by it.
func (g *Group[T, R]) note(i int, err error) (fails bool) {
	ctx := g.context()
	ended := context.Cause(ctx)
	follows := ended != nil && (errors.Is(err, ended) || errors.Is(err, sched.Err(ctx)))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.skipped = g.skipped || errors.Is(err, ErrNotStarted)
	err = &TaskError{Index: i, Err: err}
	if g.errs == nil {
		g.errs, g.follows = make(map[int]error), make(map[int]bool)
	}
	g.errs[i] = err
	if follows {
		g.follows[i] = true
	}
	switch {
	case g.failure != nil:
	case ended != nil:
		g.failure = ended // what a task says now follows from this
	case !g.all:
		g.failure, fails = err, true
	}
	if g.failure != nil {
		g.failed.Store(true)
	}
	return fails
}

// pop returns the result of the task that ended first of those that Results has not yielded.
func (g *Group[T, R]) pop() (r Result[T, R], err error, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, ok := g.ends.at(g.yielded)
	if !ok {
		return r, nil, false
	}
	var t *taskpool.Task[T, R]
	g.pool.eng.Guard(func() { t = g.tasks.at(i) })
	g.yielded++
	r = Result[T, R]{i, t.Arg, t.Value}
	var zero T
	t.Arg = zero
	return r, g.errs[i], true
}

// errorLocked returns the error of the group. It says once, at the end, what follows from the
// end of the context.
func (g *Group[T, R]) errorLocked() error {
	failure := g.failure
	switch _, ofTask := failure.(*TaskError); {
	case failure == errLeft && (!g.all || len(g.errs) == len(g.follows)), ofTask:
		return failure
	case !g.all && failure != nil && g.skipped:
		return outcome.NotStarted(failure)
	case !g.all:
		return failure
	}
	var errs []error
	for _, i := range slices.Sorted(maps.Keys(g.errs)) {
		if !g.follows[i] {
			errs = append(errs, g.errs[i])
		}
	}
	switch {
	case failure == errLeft:
		failure = nil
	case failure != nil && g.skipped:
		failure = outcome.NotStarted(failure)
	}
	if len(errs) == 0 {
		return failure
	}
	return errors.Join(append(errs, failure)...)
}
