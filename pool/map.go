package pool

import (
	"context"
	"iter"
	"runtime/pprof"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// Map runs every task of a sequence in the pool and yields the results, each with its own
// error, a *TaskError: a task that fails does not end the walk. Results come in the order of the
// tasks, or with Unordered as they end. At most twice as many tasks as the pool had workers at
// the start of the walk are under way at once, from the source to the loop body.
//
// Nothing is started before the walk, and the loop body runs on the goroutine that walks. The
// source runs on a goroutine of its own, with the profiler labels of ctx. If it panics or calls
// runtime.Goexit, the last pair is a zero value and that error. If ctx ends, the last pair is a
// zero value and the cause of ctx; if the pool closes, a zero value and ErrClosed. However the
// walk ends, Map cancels its tasks that have not ended, and returns when all of them and the
// source have. A source that blocks cannot be interrupted.
//
// Inside a task of the pool, the source may use the pool under the context of the task. Under
// another context, such as context.Background, it waits for a free worker, for ever if there is
// none. Map panics if ctx or tasks is nil.
func (p *Pool[T, R]) Map(ctx context.Context, tasks iter.Seq[T], opts ...MapOption) iter.Seq2[R, error] {
	ctxselect.Require(ctx, "pool: Map")
	misuse.Nil(tasks == nil, "pool: Map: sequence of tasks")
	var o mapOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return func(yield func(R, error) bool) {
		w := &walk[T, R]{
			pool: p, unordered: o.unordered, ctx: ctx, window: p.eng.Window(), errs: make(map[*taskpool.Task[T, R]]error),
			ready: make(chan struct{}, 1), room: make(chan struct{}, 1), fed: make(chan struct{}, 1),
		}
		common, scope := taskctx.NewCommon(p.eng.Root, ctx)
		w.common, w.origin.Owner = common, w
		w.origin.Open(scope, false) // the caller may be in the loop body when it ends
		w.inside = p.eng.Root.Inside(ctx) != nil
		defer w.leave()
		go w.feed(tasks)
		for v, err, ok := w.next(); ok && yield(v, err); v, err, ok = w.next() {
		}
	}
}

// A walk is one range over Map: a feeder pulls tasks and submits them, and the caller takes their
// results. The feeder parks on room, the caller on ready, each after it has said so
// under mu.
type walk[T, R any] struct {
	pool      *Pool[T, R]
	unordered bool
	ctx       context.Context // of the caller
	common    *taskctx.Common // of the tasks
	origin    taskpool.Origin[T, R]
	window    int
	inside    bool // the caller is inside a task of the pool
	ready     chan struct{}
	room      chan struct{}
	fed       chan struct{} // signalled when the feeder ends

	over bool // the last pair has been yielded; used by the caller only

	mu       sched.Mutex
	tasks    []*taskpool.Task[T, R] // submitted and not yielded, in their order
	errs     map[*taskpool.Task[T, R]]error
	landed   []*taskpool.Task[T, R] // if unordered: those that have ended, in their order
	free     []*taskpool.Task[T, R] // for the next tasks
	running  int                    // submitted and not ended
	waiting  bool                   // the caller parks, or is about to
	leaving  bool                   // it waits for all tasks
	full     bool                   // the feeder parks, or is about to
	finished bool                   // the feeder has
	last     error                  // why, unless the source came to its end
}

// feed submits the tasks of the source until it ends or the walk does.
func (w *walk[T, R]) feed(tasks iter.Seq[T]) {
	pprof.SetGoroutineLabels(w.ctx)
	outcome.Run(func() (struct{}, error) {
		n := 0
		for task := range tasks {
			if err := w.submit(n, task); err != nil {
				return struct{}{}, err
			}
			if err := w.waitForRoom(); err != nil {
				return struct{}{}, err
			}
			n++
		}
		return struct{}{}, nil
	}, func(_ struct{}, err error) {
		w.mu.Lock()
		w.last, w.finished = err, true
		w.mu.Unlock()
		sched.Signal(w.ready)
		sched.Signal(w.fed)
	})
}

// submit submits the task with number n.
func (w *walk[T, R]) submit(n int, task T) error {
	if err := w.pool.eng.Ended(w.common); err != nil {
		return err
	}
	w.mu.Lock()
	t := &taskpool.Task[T, R]{Origin: &w.origin}
	if k := len(w.free); k > 0 {
		t, w.free = w.free[k-1], w.free[:k-1]
	}
	t.Index, t.Arg = n, task
	t.Reset()
	w.tasks = append(w.tasks, t)
	w.running++
	w.mu.Unlock()
	var zero T
	err := w.pool.eng.Push(w.common, zero, t, true)
	switch {
	case err != nil:
		w.mu.Lock()
		w.removeLocked(t)
		w.running--
		w.mu.Unlock()
	case w.inside:
		sched.Signal(w.ready) // the caller may have to run it
	}
	return err
}

// removeLocked removes a task of which the result has been yielded, or that was not accepted.
func (w *walk[T, R]) removeLocked(t *taskpool.Task[T, R]) {
	if w.tasks[0] == t {
		w.tasks = w.tasks[1:]
		return
	}
	i := slices.Index(w.tasks, t)
	w.tasks = slices.Delete(w.tasks, i, i+1)
}

// waitForRoom parks the feeder while the window is full.
func (w *walk[T, R]) waitForRoom() error {
	for {
		w.mu.Lock()
		w.full = len(w.tasks) >= w.window
		full := w.full
		w.mu.Unlock()
		switch {
		case sched.Err(w.common) != nil:
			return context.Cause(w.common)
		case !full:
			return nil
		}
		sched.ParkCtx(w.common, w.room)
	}
}

// next waits for the next pair; ok is false when there is none.
func (w *walk[T, R]) next() (v R, err error, ok bool) {
	for !w.over {
		if sched.Err(w.common) != nil {
			w.over = true
			if err := w.pool.eng.Ended(w.common); err != nil {
				return v, err, true
			}
		}
		t, end, queued := w.take()
		switch {
		case t != nil:
			v, err = w.yielded(t)
			return v, err, true
		case end:
			w.over = true
			return v, w.last, w.last != nil
		case queued != nil && w.pool.eng.Help(w.ctx, queued, w.ready):
		default:
			sched.ParkCtx(w.common, w.ready)
		}
	}
	return v, nil, false
}

// take returns the task whose result is next, or says that there is none any more, or that the
// caller waits. Then it returns a queued task if the caller is inside a task.
func (w *walk[T, R]) take() (t *taskpool.Task[T, R], end bool, queued *taskpool.Task[T, R]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.unordered && len(w.landed) > 0:
		return w.landed[0], false, nil
	case !w.unordered && len(w.tasks) > 0 && w.tasks[0].Landed():
		return w.tasks[0], false, nil
	case w.finished && len(w.tasks) == 0:
		return nil, true, nil
	}
	w.waiting = true
	for _, t := range w.tasks {
		if w.inside && t.Queued() {
			return nil, false, t
		}
	}
	return nil, false, nil
}

// yielded takes the result out of a task, and makes room for another one.
func (w *walk[T, R]) yielded(t *taskpool.Task[T, R]) (v R, err error) {
	var zero R
	v, t.Value = t.Value, zero
	w.mu.Lock()
	if err = w.errs[t]; err != nil {
		delete(w.errs, t)
		err = &TaskError{Index: t.Index, Err: err}
	}
	w.waiting = false
	if w.unordered {
		w.landed = w.landed[1:]
	}
	w.removeLocked(t)
	w.free = append(w.free, t)
	wake := w.full && len(w.tasks) <= w.window/2
	w.mu.Unlock()
	if wake {
		sched.Signal(w.room)
	}
	return v, err
}

// leave ends the walk: it cancels the tasks that have not ended, and waits for them.
func (w *walk[T, R]) leave() {
	if !w.over {
		w.common.End(context.Canceled)
	}
	sched.Park(w.fed)
	w.mu.Lock()
	w.waiting, w.leaving = true, true
	dropped := 0
	var zero T
	for _, t := range w.tasks {
		if t.Claim() {
			t.Arg = zero
			dropped++
			w.running--
		}
	}
	w.mu.Unlock()
	if dropped > 0 {
		w.pool.eng.Cancelled(dropped)
	}
	for {
		w.mu.Lock()
		running := w.running
		w.mu.Unlock()
		if running == 0 {
			return
		}
		sched.Park(w.ready)
	}
}

// Context returns the context to run tasks with.
func (w *walk[T, R]) Context(r *taskctx.Root, last *taskctx.Context, worker int) *taskctx.Context {
	return w.origin.Context(r, last, worker)
}

// Settle publishes how a task has ended.
func (w *walk[T, R]) Settle(t *taskpool.Task[T, R], err error) {
	var zero T
	w.mu.Lock()
	if t.Arg = zero; err != nil {
		w.errs[t] = err
	}
	t.Land()
	w.running--
	if w.unordered {
		w.landed = append(w.landed, t)
	}
	wake := w.waiting && (w.unordered || w.leaving || w.tasks[0] == t)
	w.mu.Unlock()
	if wake {
		sched.Signal(w.ready)
	}
}
