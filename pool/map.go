package pool

import (
	"context"
	"iter"
	"runtime/pprof"
	"slices"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
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
	p.require(ctx, "Map")
	misuse.Nil(tasks == nil, "pool: Map: sequence of tasks")
	var o mapOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return func(yield func(R, error) bool) {
		common, _ := taskctx.NewCommon(p.eng.Root, ctx)
		w := &walk[T, R]{
			pool: p, unordered: o.unordered, ctx: ctx, common: common, window: 2 * min(max(p.eng.Stats().Limit, 1), 1<<29), inside: p.eng.Root.Inside(ctx) != nil,
			ready: make(chan struct{}, 1), room: make(chan struct{}, 1), fed: make(chan struct{}, 1),
		}
		defer w.leave()
		go w.feed(tasks)
		for v, err, ok := w.next(); ok && yield(v, err); v, err, ok = w.next() {
		}
	}
}

// A walk is one range over Map: a feeder pulls tasks and submits them as [Pool.Submit] does, and the
// caller takes their results.
type walk[T, R any] struct {
	pool      *Pool[T, R]
	unordered bool
	ctx       context.Context // of the caller
	common    *taskctx.Common // of the tasks
	window    int
	inside    bool          // the caller is inside a task of the pool
	ready     chan struct{} // signalled when there is a call, if unordered when one has ended, and at the end of the feeder
	room      chan struct{} // signalled when the feeder may go on
	fed       chan struct{} // signalled when the feeder has ended
	over      bool          // the last pair has been yielded; used by the caller only

	mu       sched.Mutex
	calls    []*call[T, R] // submitted and not yielded, in their order
	full     bool          // the feeder parks, or is about to
	finished bool          // the feeder has ended
	last     error         // why, unless the source came to its end
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

// submit submits task n, and waits until there is room for the next one.
func (w *walk[T, R]) submit(n int, task T) error {
	var notify chan<- struct{}
	if w.unordered {
		notify = w.ready
	}
	c, err := w.pool.call(w.common, task, true, false, notify)
	if err != nil {
		return err
	}
	c.Index = n
	w.mu.Lock()
	w.calls = append(w.calls, c)
	first := len(w.calls) == 1
	w.mu.Unlock()
	if first || w.inside || w.unordered && c.Landed() { // the caller did not know of it when it landed
		sched.Signal(w.ready)
	}
	for {
		w.mu.Lock()
		w.full = len(w.calls) >= w.window
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
			return v, w.pool.eng.Ended(w.common), true
		}
		w.mu.Lock()
		calls, finished := w.calls, w.finished
		w.mu.Unlock()
		candidates := calls
		if !w.unordered && len(calls) > 0 {
			candidates = calls[:1]
		}
		i := slices.IndexFunc(candidates, func(c *call[T, R]) bool { return c.Landed() })
		switch {
		case i >= 0:
			c := calls[i]
			return c.Value, w.yielded(i, c.err), true
		case finished && len(calls) == 0:
			w.over = true
			return v, w.last, w.last != nil
		case w.help(calls):
		case w.unordered || len(calls) == 0:
			sched.ParkCtx(w.common, w.ready)
		default:
			sched.ParkCtxOr(w.common, w.ready, calls[0].ended(w.common))
		}
	}
	return v, nil, false
}

// help runs a queued task in place if the caller is inside a task of the pool.
func (w *walk[T, R]) help(calls []*call[T, R]) bool {
	return slices.ContainsFunc(calls, func(c *call[T, R]) bool {
		return c.Queued() && w.pool.eng.Help(w.ctx, &c.origin, &c.Task, w.ready)
	})
}

// yielded removes call i, and returns its error.
func (w *walk[T, R]) yielded(i int, err error) error {
	w.mu.Lock()
	if err != nil {
		err = &TaskError{Index: w.calls[i].Index, Err: err}
	}
	if i == 0 {
		w.calls[0], w.calls = nil, w.calls[1:]
	} else {
		w.calls = slices.Delete(w.calls, i, i+1)
	}
	wake := w.full && len(w.calls) <= w.window/2
	w.mu.Unlock()
	if wake {
		sched.Signal(w.room)
	}
	return err
}

// leave ends the walk: it cancels the tasks that have not ended, and waits for them.
func (w *walk[T, R]) leave() {
	if !w.over {
		w.common.End(context.Canceled)
	}
	sched.Park(w.fed)
	for _, c := range w.calls {
		_, _ = c.wait(context.WithoutCancel(w.ctx))
	}
	w.pool.forget(w.common)
}
