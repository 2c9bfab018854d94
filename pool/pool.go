package pool

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A Func runs one task. Its context ends when the task's submitter, the pool
// or the holder of the Future wants it to stop, and when it returns.
type Func[T, R any] func(ctx context.Context, task T) (R, error)

// A Pool runs tasks of type T, with results of type R, on a bounded number of
// goroutines. It is made by New.
type Pool[T, R any] struct {
	fn      Func[T, R]
	onError func(error)
	eng     *engine
}

// New returns a pool that runs fn for each task, on at most the given number
// of workers. No goroutine is started before the first task. New panics if
// workers is less than 1, if fn is nil, or if WithMinWorkers is more than
// workers.
func New[T, R any](workers int, fn Func[T, R], opts ...Option) *Pool[T, R] {
	if workers < 1 {
		panic(fmt.Sprintf("pool: New: workers must be at least 1, got %d", workers))
	}
	if fn == nil {
		panic("pool: New: function must not be nil")
	}
	o := options{queue: defaultQueue, root: context.Background(), idleTimeout: defaultIdleTimeout}
	for _, opt := range opts {
		opt(&o)
	}
	if o.minWorkers > workers {
		panic(fmt.Sprintf("pool: New: WithMinWorkers must be at most the %d workers, got %d", workers, o.minWorkers))
	}
	return &Pool[T, R]{fn: fn, onError: o.onError, eng: newEngine(workers, o)}
}

// Go submits a task that no one waits for. It waits while the queue is full.
// It returns nil once the task is accepted, ErrClosed, or the cause of ctx. An
// error of the task goes to the handler set by WithErrorHandler.
func (p *Pool[T, R]) Go(ctx context.Context, task T) error {
	ctxselect.Require(ctx, "pool: Go")
	return p.submit(ctx, task, nil, true, false)
}

// TryGo is Go that does not wait: when the queue is full, it returns
// ErrQueueFull.
func (p *Pool[T, R]) TryGo(ctx context.Context, task T) error {
	ctxselect.Require(ctx, "pool: TryGo")
	return p.submit(ctx, task, nil, false, false)
}

// Submit submits a task and returns the future of its result. It waits while
// the queue is full. The error is nil once the task is accepted, ErrClosed, or
// the cause of ctx, and then the future is nil. If ctx ends while the task is
// queued, the future resolves with the cause of ctx at once.
func (p *Pool[T, R]) Submit(ctx context.Context, task T) (*Future[R], error) {
	ctxselect.Require(ctx, "pool: Submit")
	return p.future(ctx, task, true)
}

// TrySubmit is Submit that does not wait: when the queue is full, it returns
// ErrQueueFull.
func (p *Pool[T, R]) TrySubmit(ctx context.Context, task T) (*Future[R], error) {
	ctxselect.Require(ctx, "pool: TrySubmit")
	return p.future(ctx, task, false)
}

// Do submits a task, waits for it, and returns its result. If ctx ends first,
// it returns the cause of ctx at once; the task then does not start, or its
// context ends if it has.
func (p *Pool[T, R]) Do(ctx context.Context, task T) (R, error) {
	ctxselect.Require(ctx, "pool: Do")
	f, err := p.future(ctx, task, true)
	if err != nil {
		var zero R
		return zero, err
	}
	v, err := f.Wait(ctx)
	if err != nil && !f.settled() {
		f.Cancel(err)
	}
	return v, err
}

func (p *Pool[T, R]) future(ctx context.Context, task T, wait bool) (*Future[R], error) {
	f := newFuture[R](p.eng)
	if err := p.submit(ctx, task, f, wait, false); err != nil {
		return nil, err
	}
	p.eng.watch(f.unit, p.eng.life(ctx))
	return f, nil
}

// submit gives the engine a task whose result goes to the given sink, nil for
// one that no one waits for.
func (p *Pool[T, R]) submit(ctx context.Context, task T, to sink[R], wait, nested bool) error {
	j := &job[T, R]{pool: p, task: task, to: to}
	j.unit.job, j.unit.ctx = j, p.eng.life(ctx)
	if to != nil {
		to.attach(&j.unit)
	}
	return p.eng.submit(ctx, &j.unit, wait, nested)
}
