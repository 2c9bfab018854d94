package pool

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
)

// A Func runs one task. Its context ends when the task's submitter, the pool
// or the holder of the Future wants it to stop. It does not end because the function
// returns, so that it may be given to work that goes on.
type Func[T, R any] func(ctx context.Context, task T) (R, error)

// A Pool runs tasks of type T, with results of type R, on a bounded number of
// goroutines. It is made by New or NewStateful.
type Pool[T, R any] struct{ eng *engine[T, R] }

// New returns a pool that runs fn for each task, on at most the given number
// of workers. No goroutine is started before the first task. Where tasks have no
// result, R is struct{}. New panics if workers is less than 1, if fn is nil, or if
// WithMinWorkers is more than workers.
func New[T, R any](workers int, fn Func[T, R], opts ...Option) *Pool[T, R] {
	misuse.Nil(fn == nil, "pool: New: function")
	p := newPool[T, R]("New", workers, opts)
	p.eng.fn = fn
	return p
}

// NewStateful is New for tasks that need something which is dear to make or
// must not be shared: a database connection, a parser, a buffer. Every worker
// has a state of its own. open makes it before the worker's first task,
// closeState is called with it once, after the worker's last task; that is
// when the pool closes, shrinks, or has been idle, see WithIdleTimeout and
// WithMinWorkers. Neither a panic nor a Goexit of a task costs the state.
//
// The context given to open ends when the pool is stopped. If open fails, so
// does the task that the worker was to run, with that error, and the next one
// tries again. An error of closeState goes to the error handler, and the first
// one is returned by Close and Shutdown. Both functions run on a goroutine of
// their own; panics and Goexit in them are errors.
//
// A task that runs in place, see Inside a task in the package's
// documentation, uses the state of the worker that waits for it. If it is
// another goroutine that waits, one that the task has started, a state is
// opened and closed for it alone.
//
// NewStateful panics as New does, also if one of the functions is nil.
func NewStateful[S, T, R any](workers int, open func(ctx context.Context) (S, error),
	fn func(ctx context.Context, state S, task T) (R, error), closeState func(S) error, opts ...Option,
) *Pool[T, R] {
	misuse.Nil(open == nil || fn == nil || closeState == nil, "pool: NewStateful: functions")
	p := newPool[T, R]("NewStateful", workers, opts)
	p.eng.opener = stateful(open, fn, closeState)
	return p
}

func newPool[T, R any](call string, workers int, opts []Option) *Pool[T, R] {
	misuse.Below(workers, 1, "pool: "+call+": workers")
	o := options{room: defaultQueue, root: context.Background(), idleTimeout: defaultIdleTimeout}
	for _, opt := range opts {
		opt(&o)
	}
	if o.minWorkers > workers {
		panic(fmt.Sprintf("pool: %s: WithMinWorkers must be at most the %d workers, got %d", call, workers, o.minWorkers))
	}
	return &Pool[T, R]{eng: newEngine(workers, o, newOrder[T, R](o, call))}
}

// Go submits a task that no one waits for. It waits while the queue is full.
// It returns nil once the task is accepted, ErrClosed, or the cause of ctx. An
// error of the task goes to the handler set by WithErrorHandler.
func (p *Pool[T, R]) Go(ctx context.Context, task T) error {
	ctxselect.Require(ctx, "pool: Go")
	return p.eng.submit(ctx, task, nil, true, false)
}

// TryGo is Go that does not wait: when the queue is full, it returns
// ErrQueueFull.
func (p *Pool[T, R]) TryGo(ctx context.Context, task T) error {
	ctxselect.Require(ctx, "pool: TryGo")
	return p.eng.submit(ctx, task, nil, false, false)
}

// Submit submits a task and returns the future of its result. It waits while
// the queue is full. The error is nil once the task is accepted, ErrClosed, or
// the cause of ctx, and then the future is nil. If ctx ends while the task is
// queued, whoever waits for the future gets the cause of ctx at once.
func (p *Pool[T, R]) Submit(ctx context.Context, task T) (*Future[R], error) {
	ctxselect.Require(ctx, "pool: Submit")
	return p.submit(ctx, task, true)
}

// TrySubmit is Submit that does not wait: when the queue is full, it returns
// ErrQueueFull.
func (p *Pool[T, R]) TrySubmit(ctx context.Context, task T) (*Future[R], error) {
	ctxselect.Require(ctx, "pool: TrySubmit")
	return p.submit(ctx, task, false)
}

func (p *Pool[T, R]) submit(ctx context.Context, task T, wait bool) (*Future[R], error) {
	c := newCall(p.eng, ctx, task, true)
	if err := p.eng.submit(ctx, task, c, wait, false); err != nil {
		return nil, err
	}
	return &c.Future, nil
}

// Do submits a task, waits for it, and returns its result. If ctx ends first,
// it returns the cause of ctx at once; the task then does not start, or its
// context ends if it has.
func (p *Pool[T, R]) Do(ctx context.Context, task T) (R, error) {
	ctxselect.Require(ctx, "pool: Do")
	c := newCall(p.eng, ctx, task, false)
	if err := p.eng.submit(ctx, task, c, true, false); err != nil {
		var zero R
		return zero, err
	}
	v, err := c.wait(ctx)
	if err != nil {
		c.cancel(err) // unless it has a result, that is
	}
	return v, err
}
