package pool

import (
	"context"
	"errors"
	"maps"
	"slices"
	"unsafe"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// tasksPerBlock returns the number of tasks of the first block, which is small since many groups
// are, and of each of the others. They are 8 and 256, or fewer if tasks are large.
func tasksPerBlock[T, R any]() (first, others int) {
	const most, bytes = 256, 512 << 10
	others = max(min(bytes/int(unsafe.Sizeof(taskpool.Task[T, R]{})), most), 1)
	return max(others/32, 1), others
}

// taskLocked returns the task with an index. It makes the block if there is none yet.
func (g *Group[T, R]) taskLocked(i int) *taskpool.Task[T, R] {
	n, others := tasksPerBlock[T, R]()
	k := 0
	if i >= n {
		i, k, n = (i-n)%others, 1+(i-n)/others, others
	}
	if k == len(g.blocks) {
		g.blocks = append(g.blocks, make([]taskpool.Task[T, R], n))
	}
	return &g.blocks[k][i]
}

// oldestQueuedLocked returns the first task that can be claimed, or nil.
func (g *Group[T, R]) oldestQueuedLocked() *taskpool.Task[T, R] {
	for i := g.oldest; i < g.issued && !g.finishedLocked(); i++ {
		t := g.taskLocked(i)
		switch {
		case t.Queued():
			return t
		case t.Claimed() && i == g.oldest:
			g.oldest++
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
	var dropped []*taskpool.Task[T, R]
	g.mu.Lock()
	for t := g.oldestQueuedLocked(); t != nil; t = g.oldestQueuedLocked() {
		if t.Claim() {
			dropped = append(dropped, t)
		}
	}
	g.mu.Unlock()
	if len(dropped) == 0 {
		return
	}
	g.pool.eng.Cancelled(len(dropped))
	for _, t := range dropped {
		g.settle(t, outcome.NotStarted(context.Cause(ctx)))
	}
}

// A groupOwner keeps the methods that the engine calls apart from those of the group.
type groupOwner[T, R any] struct{ g *Group[T, R] }

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
	return fails
}

// pop returns the result of the task that ended first of those that Results has not yielded.
func (g *Group[T, R]) pop() (r Result[T, R], err error, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i, ok := g.ends.at(g.yielded)
	if !ok || g.finishedLocked() {
		return r, nil, false
	}
	t := g.taskLocked(i)
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
	if !g.all || failure == errLeft && len(g.errs) == len(g.follows) {
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
