package pool

import (
	"context"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// A worker is a place to run tasks, and the goroutine that fills it. A Goexit
// ends the goroutine; the next one takes the worker over as it is.
type worker[T, R any] struct {
	seat
	batch     batch[T, R]
	fn        Func[T, R]      // nil until the state is open
	close     func() error    // of the state; nil if there is none
	ctx       *taskContext    // of the last task; nil after a park
	own       context.Context // with the labels of the worker itself
	current   *ticket[T, R]
	index     int  // of the current task, for its receiver
	inUser    bool // current's function is on the stack
	searching bool // counted in core.searching
	rank      rank // of the task it has, in a pool with keys
}

// rouseLocked takes one worker off the idle stack, or adds one, if there is one
// to be had and nobody else is on the way to look for tasks. The caller wakes
// it once the lock is free. The one that is on the way does the same when it
// has found something and there is more, so that no task waits while a worker
// is idle, and nobody is woken to find nothing.
func (e *engine[T, R]) rouseLocked() *seat {
	if e.searching > 0 {
		return nil
	}
	if n := len(e.idle); n > 0 {
		s := e.idle[n-1]
		e.idle[n-1] = nil
		e.idle = e.idle[:n-1]
		e.searching++
		e.drowsyLocked()
		return s
	}
	if e.live >= e.limit {
		return nil
	}
	s := e.addSeatLocked()
	e.drowsyLocked()
	return s
}

// addSeatLocked adds a worker with the smallest free id. It is not started yet.
func (e *engine[T, R]) addSeatLocked() *seat {
	id := slices.Index(e.ids, false)
	if id < 0 {
		id = len(e.ids)
		e.ids = append(e.ids, false)
	}
	e.ids[id] = true
	e.live++
	e.searching++
	w := &worker[T, R]{fn: e.fn, searching: true}
	w.id = id
	w.taken = e.takes
	w.batch.tasks, w.batch.sampled = make([]T, batchSize[T]()), -1
	w.wake = make(chan struct{}, 1)
	w.start = func() { outcome.Spawn(func() { e.work(w) }, nil) }
	e.seats = append(e.seats, &w.seat)
	e.workers = append(e.workers, w)
	return &w.seat
}

func (e *engine[T, R]) work(w *worker[T, R]) {
	if w.own == nil {
		w.own = e.named(context.Background(), w.id)
	}
	pprof.SetGoroutineLabels(w.own) // it has those of the goroutine that started it
	point.At("pool: worker before it starts")
	g := goid.Current()
	e.mu.Lock()
	delete(e.inside, w.goid) // of a goroutine lost to Goexit
	w.goid = g
	e.inside[g] = place{worker: w.id}
	e.mu.Unlock()
	for e.loop(w) {
	}
}

// loop runs tasks until the worker ends, or until one panics, in which case it
// is to be called again. One deferred call serves all of them.
func (e *engine[T, R]) loop(w *worker[T, R]) (again bool) {
	defer func() {
		if !w.inUser {
			return // over; or a panic that no result can carry, which is let through
		}
		w.inUser = false
		err := ErrGoexit
		if v := recover(); v != nil {
			err, again = &PanicError{Value: v, Stack: debug.Stack()}, true
		}
		var zero R
		e.tellOf(w, w.current, err)
		w.tally.count(oneFailed)
		e.publish(w.current, w.index, zero, err)
	}()
	i, ok := w.tally.next(0)
	for {
		switch shared := w.batch.same; {
		case !ok:
			if !e.refill(w) {
				return false
			}
			point.At("pool: worker before its first claim")
			i, ok = w.tally.next(0)
		case shared != nil && (shared.to == nil || shared.many) && w.fn != nil:
			i, ok = e.runAlike(w, shared, i)
		default:
			i, ok = e.runOne(w, i)
		}
	}
}

// runAlike runs the claimed task i and those behind it in the batch, all of which
// have the same ticket, while nothing is amiss. It returns the next one that is
// claimed.
func (e *engine[T, R]) runAlike(w *worker[T, R], t *ticket[T, R], i int) (next int, ok bool) {
	var zero T
	tasks, fn, sampled, first := w.batch.tasks, w.fn, w.batch.sampled, t.index(w.batch.seq)
	ctx := w.contextFor(&e.core, t)
	labels := ctx.labelContext()
	w.current = t
	w.inUser = true // only user code can panic until it is false
	for ok = true; ok && i != sampled && e.alert.Load() == 0 && !e.ctx.over() && (!t.mortal || t.ctx.Err() == nil); {
		if t.to == nil {
			task := tasks[i]
			tasks[i] = zero
			pprof.SetGoroutineLabels(labels)
			if _, err := fn(ctx, task); err != nil {
				w.inUser = false
				return e.settle(w, t, 0, *new(R), err)
			}
			point.At("pool: worker before it counts")
			i, ok = w.tally.next(oneCompleted)
			continue
		}
		point.At("pool: worker before it claims")
		task, mine := t.to.claim(first + i)
		if !mine {
			i, ok = w.tally.next(oneSkipped)
			continue
		}
		w.index = first + i
		pprof.SetGoroutineLabels(labels)
		v, err := fn(ctx, task)
		if err != nil {
			w.inUser = false
			return e.settle(w, t, first+i, v, err)
		}
		at := first + i
		point.At("pool: worker before it counts")
		i, ok = w.tally.next(oneCompleted)
		point.At("pool: worker before it settles")
		t.to.settle(at, v, nil)
	}
	w.inUser = false
	if !ok {
		return 0, false
	}
	return e.runOne(w, i)
}

// runOne runs the claimed task i, whatever its kind, and returns the next one
// that is claimed.
func (e *engine[T, R]) runOne(w *worker[T, R], i int) (next int, ok bool) {
	if e.alert.Load()&crowded != 0 {
		e.relieve()
	}
	task, t := w.batch.pull(i)
	index := 0
	if t.to != nil {
		index = t.index(w.batch.seq + uint64(i))
		point.At("pool: worker before it claims")
		var ok bool
		if task, ok = t.to.claim(index); !ok {
			return w.tally.next(oneSkipped)
		}
	}
	point.At("pool: worker has claimed")
	if count, err := e.unfit(w, t); err != nil {
		point.At("pool: worker before it gives up a task")
		if t.to != nil || e.alert.Load()&ended == 0 || !e.orphan(item[T, R]{w.batch.seq + uint64(i), task, t}) {
			e.tellOf(w, t, err)
		}
		w.tally.count(count)
		var zero R
		e.publish(t, index, zero, err)
		return w.tally.next(0)
	}
	ctx := w.contextFor(&e.core, t)
	w.current, w.index = t, index
	pprof.SetGoroutineLabels(ctx.labelContext())
	if i != w.batch.sampled {
		w.inUser = true
		v, err := w.fn(ctx, task)
		w.inUser = false
		return e.settle(w, t, index, v, err)
	}
	smp := w.batch.sample
	start := time.Since(e.base)
	e.waits.add(start-smp.at, smp.weight)
	w.inUser = true
	v, err := w.fn(ctx, task)
	w.inUser = false
	e.runs.add(time.Since(e.base)-start, smp.weight)
	return e.settle(w, t, index, v, err)
}

// orphan keeps a task that a worker has claimed and will not start, if somebody
// is going to ask for it, and reports whether it is so.
func (e *engine[T, R]) orphan(it item[T, R]) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.handsBack {
		e.orphans = append(e.orphans, it)
	}
	return e.handsBack
}

// settle counts the task that has returned, says how it ended, and returns the
// next one that is claimed.
func (e *engine[T, R]) settle(w *worker[T, R], t *ticket[T, R], index int, v R, err error) (next int, ok bool) {
	point.At("pool: worker before it counts")
	count := uint64(oneCompleted)
	if err != nil {
		e.tellOf(w, t, err)
		count = oneFailed
	}
	next, ok = w.tally.next(count)
	if t.to != nil {
		point.At("pool: worker before it settles")
		t.to.settle(index, v, err)
	}
	return next, ok
}

// tell calls the error handler if no one waits for the task, with the labels of ctx. The
// task is counted after that, so that it is running as long as the handler is.
func (e *engine[T, R]) tell(t *ticket[T, R], err error, ctx *taskContext) {
	if t.to == nil && err != nil && e.onError != nil {
		pprof.SetGoroutineLabels(ctx.labelContext())
		e.onError(err)
	}
}

// tellOf is tell for a task of w.
func (e *engine[T, R]) tellOf(w *worker[T, R], t *ticket[T, R], err error) {
	if t.to == nil && err != nil && e.onError != nil {
		e.tell(t, err, w.contextFor(&e.core, t))
	}
}

// publish says how a task ended, after it has been counted.
func (e *engine[T, R]) publish(t *ticket[T, R], index int, v R, err error) {
	point.At("pool: before a result is published")
	if e.alert.Load()&crowded != 0 {
		e.relieve()
	}
	if t.to != nil {
		t.to.settle(index, v, err)
	}
}

// unfit returns why the task that w has claimed cannot run, and under what it
// is to be counted.
func (e *engine[T, R]) unfit(w *worker[T, R], t *ticket[T, R]) (count uint64, err error) {
	if t.mortal && t.ctx.Err() != nil {
		return oneCancelled, context.Cause(t.ctx)
	}
	if e.alert.Load()&ended != 0 || e.ctx.over() {
		if cause := e.cause(); cause != nil {
			return oneCancelled, cause
		}
	}
	if w.fn == nil {
		return oneFailed, e.openState(w)
	}
	return 0, nil
}

// contextFor returns the context to run a task under.
func (w *worker[T, R]) contextFor(c *core, t *ticket[T, R]) *taskContext {
	own := t.own != nil
	if own || w.ctx == nil || w.ctx.cancellable || !identical(w.ctx.submitted, t.ctx) {
		w.ctx = c.newTaskContext(t.ctx, own, w.id)
	}
	if own {
		t.own.begin(w.ctx)
	}
	return w.ctx
}

func (c *core) newTaskContext(submitted context.Context, cancellable bool, worker int) *taskContext {
	x := &taskContext{worker: int32(worker), labels: c.labelsFor(submitted, worker)}
	x.submitted, x.pool, x.cancellable = submitted, c.ctx, cancellable
	return x
}

// rest lets go of what was worked on last.
func (w *worker[T, R]) rest() {
	if w.ctx != nil && (w.ctx.cancellable || !isBackground(w.ctx.submitted)) {
		w.ctx = nil
	}
	pprof.SetGoroutineLabels(w.own)
}
