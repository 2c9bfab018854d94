package pool

import (
	"context"
	"iter"
	"sync"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/outcome"
)

// A MapOption changes how [Pool.Map] walks.
type MapOption func(*mapOptions)

type mapOptions struct{ unordered bool }

// Unordered makes Map yield results as tasks end. The default is the order of
// the tasks.
func Unordered() MapOption { return func(o *mapOptions) { o.unordered = true } }

// Map walks the results of running every task of tasks in the pool, each with
// its own error: a task that fails does not end the walk, leaving it does.
// Results come in the order of the tasks, or with Unordered as they end. At
// most twice as many tasks as the pool had workers at the start of the walk
// are on their way at once, from the source to the loop body.
//
// Nothing is started before the walk, and the loop body runs on the goroutine
// that walks. The source runs on a goroutine of its own; if it panics or calls
// runtime.Goexit, that is the error of one last pair with a zero value. When
// ctx ends, the last pair is a zero value and the cause of ctx; when the pool
// closes, it is a zero value and ErrClosed. However the walk ends, its tasks
// are cancelled if they are not done, and it returns when all of them and the
// source have ended. A source that blocks cannot be interrupted.
func (p *Pool[T, R]) Map(ctx context.Context, tasks iter.Seq[T], opts ...MapOption) iter.Seq2[R, error] {
	ctxselect.Require(ctx, "pool: Map")
	if tasks == nil {
		panic("pool: Map: sequence of tasks must not be nil")
	}
	var o mapOptions
	for _, opt := range opts {
		opt(&o)
	}
	return func(yield func(R, error) bool) {
		w := p.newWalk(ctx, o)
		defer w.leave()
		w.feeding.Add(1)
		go w.feed(tasks)
		for v, err, ok := w.next(); ok && yield(v, err); v, err, ok = w.next() {
		}
	}
}

// A walk is one range over Map: a feeder that pulls tasks and submits them, and
// the caller, who takes their results.
//
// room holds a token for each task between the source and the loop body: the
// feeder puts one in before it pulls, the caller takes one out with a result.
// ready, of capacity 1, says that something below mu has changed. Only the
// caller parks on it, and looks again before it does. mu is taken before the
// engine's lock, never the other way round.
type walk[T, R any] struct {
	pool      *Pool[T, R]
	unordered bool
	worker    int  // that the caller runs as
	nested    bool // the caller is inside a task
	ctx       context.Context
	end       context.CancelCauseFunc
	room      chan struct{}
	ready     chan struct{}
	feeding   sync.WaitGroup
	over      bool // the last pair has been yielded

	mu      sync.Mutex
	flights fifo.List[*flight[T, R]] // not taken; if unordered, not landed either
	landed  fifo.List[*flight[T, R]] // if unordered: landed and not taken
	aloft   int                      // flights that have not landed
	fed     bool                     // no more flights will be added
	last    error                    // why, unless the source came to its end
}

func (p *Pool[T, R]) newWalk(ctx context.Context, o mapOptions) *walk[T, R] {
	window := 2 * p.Stats().Limit
	w := &walk[T, R]{
		pool:      p,
		unordered: o.unordered,
		room:      make(chan struct{}, window),
		ready:     make(chan struct{}, 1),
	}
	w.worker, w.nested = p.eng.within(ctx)
	w.ctx, w.end = context.WithCancelCause(ctx)
	return w
}

// feed submits the tasks of the source until it ends or the walk does.
func (w *walk[T, R]) feed(tasks iter.Seq[T]) {
	defer w.feeding.Done()
	outcome.Run(func() (struct{}, error) {
		if err := ctxselect.Send(w.ctx, w.room, struct{}{}); err != nil {
			return struct{}{}, err
		}
		for task := range tasks {
			if err := w.submit(task); err != nil {
				return struct{}{}, err
			}
			if err := ctxselect.Send(w.ctx, w.room, struct{}{}); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	}, func(_ struct{}, err error) {
		w.mu.Lock()
		w.fed, w.last = true, err
		w.mu.Unlock()
		ctxselect.Signal(w.ready)
	})
}

func (w *walk[T, R]) submit(task T) error {
	f := &flight[T, R]{walk: w}
	if err := w.pool.submit(w.ctx, task, f, true, w.nested); err != nil {
		w.mu.Lock()
		w.flights.Remove(f.node)
		w.aloft--
		w.mu.Unlock()
		return err
	}
	if w.nested {
		ctxselect.Signal(w.ready) // the caller may have to run it
	}
	return nil
}

// next waits for the next pair; ok is false when there is none.
func (w *walk[T, R]) next() (v R, err error, ok bool) {
	for !w.over {
		if w.ctx.Err() != nil {
			w.over = true
			return v, context.Cause(w.ctx), true
		}
		w.mu.Lock()
		f := w.takeLocked()
		empty := w.fed && w.flights.Len() == 0
		w.mu.Unlock()
		switch {
		case f != nil:
			<-w.room
			return f.value, f.err, true
		case empty:
			w.over = true
			return v, w.last, w.last != nil
		case w.nested && w.help():
		default:
			// An ended context is seen above.
			_, _, _ = ctxselect.Recv(w.ctx, w.ready)
		}
	}
	return v, nil, false
}

// takeLocked returns the flight whose result is next, nil if it has not
// landed.
func (w *walk[T, R]) takeLocked() *flight[T, R] {
	if w.unordered {
		f, _ := w.landed.Pop()
		return f
	}
	if n := w.flights.Front(); n == nil || !n.Value.down {
		return nil
	}
	f, _ := w.flights.Pop()
	return f
}

// help runs the oldest task that is still queued in place, and reports whether
// there was one.
func (w *walk[T, R]) help() bool {
	w.mu.Lock()
	var u *unit
	for f := range w.flights.All() {
		if f.unit != nil && w.pool.eng.isQueued(f.unit) {
			u = f.unit
			break
		}
	}
	w.mu.Unlock()
	if u != nil {
		w.pool.eng.lend(w.worker, u)
	}
	return u != nil
}

// leave ends the walk: whatever is not done is cancelled, and waited for.
func (w *walk[T, R]) leave() {
	w.end(context.Canceled)
	w.feeding.Wait()
	w.mu.Lock()
	for {
		var queued []*unit
		for f := range w.flights.All() {
			if !f.down && w.pool.eng.isQueued(f.unit) {
				queued = append(queued, f.unit)
			}
		}
		if w.aloft == 0 {
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		for _, u := range queued {
			w.pool.eng.drop(u, context.Canceled)
		}
		if len(queued) == 0 {
			<-w.ready
		}
		w.mu.Lock()
	}
}

// A flight is one task of a walk: the sink of its result.
type flight[T, R any] struct {
	walk  *walk[T, R]
	node  *fifo.Node[*flight[T, R]]
	unit  *unit
	down  bool // landed
	value R
	err   error
}

func (f *flight[T, R]) attach(u *unit) {
	w := f.walk
	w.mu.Lock()
	defer w.mu.Unlock()
	f.unit = u
	f.node = w.flights.PushBack(f)
	w.aloft++
}

func (f *flight[T, R]) settle(v R, err error) {
	w := f.walk
	w.mu.Lock()
	f.value, f.err, f.down = v, err, true
	f.unit = nil
	w.aloft--
	if w.unordered {
		w.flights.Remove(f.node)
		w.landed.PushBack(f)
	}
	w.mu.Unlock()
	ctxselect.Signal(w.ready)
}
