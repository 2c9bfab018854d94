package pool

import (
	"context"
	"iter"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// Map walks the results of running every task of tasks in the pool, each with
// its own error: a task that fails does not end the walk, leaving it does.
// Results come in the order of the tasks, or with Unordered as they end. At
// most twice as many tasks as the pool had workers at the start of the walk
// are on their way at once, from the source to the loop body.
//
// Nothing is started before the walk, and the loop body runs on the goroutine
// that walks. The source runs on a goroutine of its own, with the profiler labels of
// ctx; if it panics or calls
// runtime.Goexit, that is the error of one last pair with a zero value. When
// ctx ends, the last pair is a zero value and the cause of ctx; when the pool
// closes, it is a zero value and ErrClosed. However the walk ends, its tasks
// are cancelled if they are not done, and it returns when all of them and the
// source have ended. A source that blocks cannot be interrupted.
func (p *Pool[T, R]) Map(ctx context.Context, tasks iter.Seq[T], opts ...MapOption) iter.Seq2[R, error] {
	ctxselect.Require(ctx, "pool: Map")
	misuse.Nil(tasks == nil, "pool: Map: sequence of tasks")
	var o mapOptions
	for _, opt := range opts {
		opt(&o)
	}
	return func(yield func(R, error) bool) {
		w := p.newWalk(ctx, o)
		defer w.leave()
		w.feeding.Go(func() { w.feed(tasks) })
		for v, err, ok := w.next(); ok && yield(v, err); v, err, ok = w.next() {
		}
	}
}

// A walk is one range over Map: a feeder that pulls tasks and submits them, and
// the caller, who takes their results.
//
// There are as many flights as the window is wide, and they are used again: in order as a ring, otherwise
// through the stacks landed and free, each of which has one taker, who takes
// all of it.
//
// Park and wake. The caller parks on ready after it has said in awaited what
// for, and looked again; any flight with unordered or nested set. The feeder
// parks on room after it has set full, and looked again; it is let go when half
// of the window is free. Both channels have capacity 1, and a signal too many
// does no harm.
type walk[T, R any] struct {
	eng       *engine[T, R]
	unordered bool
	at        place           // of the caller, if it is inside a task
	nested    bool            // it is
	changed   <-chan struct{} // what has to happen before it is worth to help again
	ctx       *commonScope    // of the tasks
	feeding   sync.WaitGroup
	last      error // why, unless the source came to its end; set before fed
	over      bool  // the last pair has been yielded

	flights []flight[T, R]
	issued  atomic.Int64 // accepted; written by the feeder
	taken   atomic.Int64 // yielded; written by the caller
	fed     atomic.Bool  // no more will be issued
	full    atomic.Bool  // the feeder is parked, or about to be
	room    chan struct{}
	awaited atomic.Pointer[flight[T, R]]
	ready   chan struct{}
	landed  atomic.Pointer[flight[T, R]] // if unordered: what has ended, newest first
	free    atomic.Pointer[flight[T, R]] // if unordered: what has been yielded
	queue   *flight[T, R]                // of the caller: taken from landed
	spare   *flight[T, R]                // of the feeder: taken from free
}

func (p *Pool[T, R]) newWalk(ctx context.Context, o mapOptions) *walk[T, R] {
	w := &walk[T, R]{
		eng:       p.eng,
		unordered: o.unordered,
		flights:   make([]flight[T, R], p.eng.window()),
		room:      make(chan struct{}, 1),
		ready:     make(chan struct{}, 1),
	}
	w.at, w.nested = p.eng.within(ctx)
	w.ctx = p.eng.newCommonScope(ctx)
	for i := range w.flights {
		f := &w.flights[i]
		f.state.Store(grounded)
		f.walk, f.ticket = w, ticket[T, R]{ctx: w.ctx, mortal: true, to: f}
		if w.unordered {
			f.next, w.spare = w.spare, f
		}
	}
	return w
}

// window returns how many tasks of a walk may be on their way at once.
func (c *core) window() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return 2 * c.limit
}

// feed submits the tasks of the source until it ends or the walk does.
func (w *walk[T, R]) feed(tasks iter.Seq[T]) {
	pprof.SetGoroutineLabels(w.ctx.under)
	outcome.Run(func() (struct{}, error) {
		for task := range tasks {
			if err := w.submit(task); err != nil {
				return struct{}{}, err
			}
			if err := w.waitForRoom(); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	}, func(_ struct{}, err error) {
		w.last = err
		point.At("pool: feeder before it says that it is done")
		w.fed.Store(true)
		point.At("pool: feeder before it ends")
		ctxselect.Signal(w.ready)
	})
}

func (w *walk[T, R]) submit(task T) error {
	n := w.issued.Load()
	f := &w.flights[n%int64(len(w.flights))]
	if w.unordered {
		if w.spare == nil {
			w.spare = w.free.Swap(nil)
		}
		f, w.spare = w.spare, w.spare.next
	}
	if err := w.eng.submit(w.ctx, task, f, true, w.nested); err != nil {
		return err
	}
	point.At("pool: feeder before it counts")
	w.issued.Store(n + 1)
	point.At("pool: feeder before it looks for the walk")
	if w.nested || w.awaited.Load() == f {
		ctxselect.Signal(w.ready) // the caller may have to run it, or it has landed already
	}
	return nil
}

// waitForRoom parks the feeder while the window is full.
func (w *walk[T, R]) waitForRoom() error {
	for w.aloftOrWaiting() == len(w.flights) {
		point.At("pool: feeder before it says that it is full")
		w.full.Store(true)
		point.At("pool: feeder before it looks again")
		if w.aloftOrWaiting() < len(w.flights) {
			w.full.Store(false)
			break
		}
		point.At("pool: feeder before it parks")
		_, _, err := ctxselect.Recv(w.ctx, w.room)
		point.At("pool: feeder goes on")
		if err != nil {
			return err
		}
	}
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

func (w *walk[T, R]) aloftOrWaiting() int { return int(w.issued.Load() - w.taken.Load()) }

// next waits for the next pair; ok is false when there is none.
func (w *walk[T, R]) next() (v R, err error, ok bool) {
	for !w.over {
		if w.ctx.Err() != nil {
			w.over = true
			if w.eng.ctx.over() {
				return v, w.eng.rootError(), true
			}
			return v, context.Cause(w.ctx), true
		}
		fed := w.fed.Load() // before the look at what there is
		point.At("pool: walk before it looks")
		f := w.take()
		switch {
		case f != nil:
			var zero R
			v, err = f.value, f.err
			f.value, f.err = zero, nil
			w.yielded(f)
			return v, err, true
		case fed && w.aloftOrWaiting() == 0:
			w.over = true
			return v, w.last, w.last != nil
		case w.nested && w.help():
		default:
			w.park()
		}
	}
	return v, nil, false
}

// take returns the flight whose result is next, nil if it has not landed.
func (w *walk[T, R]) take() *flight[T, R] {
	if !w.unordered {
		n := w.taken.Load()
		f := &w.flights[n%int64(len(w.flights))]
		if n == w.issued.Load() || f.state.Load() != settled {
			return nil
		}
		return f
	}
	if w.queue == nil {
		for f := w.landed.Swap(nil); f != nil; {
			below := f.next
			f.next, w.queue = w.queue, f
			f = below
		}
	}
	f := w.queue
	if f != nil {
		w.queue = f.next
	}
	return f
}

// yielded makes room for another flight.
func (w *walk[T, R]) yielded(f *flight[T, R]) {
	if w.unordered {
		push(&w.free, f)
	}
	w.taken.Add(1)
	point.At("pool: walk before it looks for the feeder")
	if w.full.Load() && w.aloftOrWaiting() <= len(w.flights)/2 {
		w.full.Store(false)
		ctxselect.Signal(w.room)
	}
}

func push[T, R any](stack *atomic.Pointer[flight[T, R]], f *flight[T, R]) {
	for {
		f.next = stack.Load()
		point.At("pool: flight before it is on top")
		if stack.CompareAndSwap(f.next, f) {
			return
		}
	}
}

// park waits until there may be something to take. An ended context is seen by
// the caller.
func (w *walk[T, R]) park() {
	f := &w.flights[w.taken.Load()%int64(len(w.flights))]
	point.At("pool: walk before it says what it waits for")
	w.awaited.Store(f)
	point.At("pool: walk before it looks again")
	there := w.taken.Load() < w.issued.Load() && f.state.Load() == settled
	if w.unordered {
		there = w.landed.Load() != nil
	}
	if !there {
		point.At("pool: walk before it parks")
		select {
		case <-w.ready:
		case <-w.ctx.Done():
		case <-w.changed:
			w.changed = nil
		}
		point.At("pool: walk goes on")
	}
	w.awaited.Store(nil)
}

// help runs the oldest task that is still queued in place, and reports whether
// there was one.
func (w *walk[T, R]) help() bool {
	for i := range w.flights {
		f := &w.flights[(int(w.taken.Load())+i)%len(w.flights)]
		if w.changed == nil && f.state.Load() == unclaimed {
			var acted bool
			if acted, w.changed = w.eng.lend(w.ctx.under, w.at, &f.ticket, 0); !acted {
				point.At("pool: walk gives way")
				runtime.Gosched() // a worker has it and is about to start it
			}
			return w.changed == nil
		}
	}
	return false
}

// leave ends the walk: whatever is not done is cancelled, and waited for.
func (w *walk[T, R]) leave() {
	if !w.over {
		w.ctx.end(context.Canceled)
	}
	point.At("pool: walk before it waits for the feeder")
	w.feeding.Wait()
	for i := range w.flights {
		w.eng.drop(&w.flights[i], 0, context.Canceled)
	}
	for i := range w.flights {
		for f := &w.flights[i]; f.aloft(); {
			point.At("pool: walk before it says which task it waits for")
			w.awaited.Store(f)
			point.At("pool: walk before it waits for a task")
			if f.aloft() {
				<-w.ready
				point.At("pool: walk goes on")
			}
		}
	}
}

// A flight is one task of a walk, on its way.
type flight[T, R any] struct {
	ticket ticket[T, R]
	walk   *walk[T, R]
	state  atomic.Uint32 // grounded, unclaimed, claimed, settled
	task   T
	value  R
	err    error
	next   *flight[T, R]
}

// aloft reports whether the task has been accepted and not ended.
func (f *flight[T, R]) aloft() bool {
	state := f.state.Load()
	return state == unclaimed || state == claimed
}

func (f *flight[T, R]) enter(_ uint64, task T, _ *ticket[T, R]) *ticket[T, R] {
	f.task = task
	f.state.Store(unclaimed)
	return &f.ticket
}

// A place that a flight has left behind in the queue may come up when it is used
// again: then its task is claimed there, and the other place is skipped.
func (f *flight[T, R]) claim(int) (task T, ok bool) {
	if !f.state.CompareAndSwap(unclaimed, claimed) {
		return task, false
	}
	var zero T
	task, f.task = f.task, zero
	return task, true
}

func (f *flight[T, R]) waits(int) bool { return f.state.Load() == unclaimed }

func (f *flight[T, R]) settle(_ int, v R, err error) {
	w := f.walk
	f.value, f.err = v, err
	point.At("pool: flight before it settles")
	f.state.Store(settled)
	point.At("pool: flight before it lands")
	if w.unordered {
		push(&w.landed, f)
	}
	point.At("pool: flight before it looks for the walk")
	if a := w.awaited.Load(); a == f || a != nil && w.unordered {
		ctxselect.Signal(w.ready)
	}
}
