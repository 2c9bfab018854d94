package pool

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/taskctx"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// A Func runs one task. Its context ends with the one that the task was submitted under,
// with the one of [WithContext], when the pool is stopped, and when the Future or the
// group of the task is cancelled. It does not end because the function returns, so the
// function may give it to work that goes on.
type Func[T, R any] func(ctx context.Context, task T) (R, error)

// A Pool runs tasks of type T, with results of type R, on a bounded number of goroutines. It
// is made by New, NewStateful or NewOrdered.
type Pool[T, R any] struct {
	eng     *taskpool.Engine[T, R]
	onError func(context.Context, error) // nil if there is no handler
	headers [8]sched.Pointer[header[T, R]]

	mu       sched.Mutex
	failures []error // the first of them
	failed   int     // how many there were
}

// New returns a pool that runs fn for each task, on at most the given number of workers. It
// starts no goroutine before the first task. Where tasks have no result, R is struct{}. New
// panics if workers is less than 1, if fn is nil, or if WithMinWorkers is more than workers.
func New[T, R any](workers int, fn Func[T, R], opts ...Option) *Pool[T, R] {
	misuse.Nil(fn == nil, "pool: New: function")
	return newPool("New", workers, taskpool.Config[T, R]{Fn: fn}, opts)
}

// NewStateful is New for tasks that need a state which is expensive to make or must not be
// shared: a database connection, a parser, a buffer. Each worker has a state of its own. It
// calls open before its first task and closeState, which may be nil, once after its last
// task. That is when the pool is closed or shrinks, or when the worker has been idle, see
// [WithIdleTimeout] and [WithMinWorkers]. A task that panics or calls Goexit does not cost the
// state.
//
// The context given to open ends when the pool is stopped. If open fails, the task that the
// worker was about to run fails with that error, and the next task tries again. An error of
// closeState goes to the error handler, and Close, Shutdown and Stop return it. Both functions
// run on goroutines of their own; their panics and Goexit are errors.
//
// A task that runs in place, see Inside a task in the documentation of the package, has a
// state that is opened and closed for it alone.
//
// NewStateful panics as New does, and if open is nil.
func NewStateful[S, T, R any](workers int, open func(ctx context.Context) (S, error),
	fn func(ctx context.Context, state S, task T) (R, error), closeState func(S) error, opts ...Option,
) *Pool[T, R] {
	misuse.Nil(open == nil || fn == nil, "pool: NewStateful: functions")
	return newPool("NewStateful", workers, taskpool.Config[T, R]{
		Open: func(ctx context.Context) (taskpool.Func[T, R], func() error, error) {
			state, err := open(ctx)
			if err != nil {
				return nil, nil, err
			}
			run := func(ctx context.Context, task T) (R, error) { return fn(ctx, state, task) }
			if closeState == nil {
				return run, nil, nil
			}
			return run, func() error { return closeState(state) }, nil
		},
	}, opts)
}

func newPool[T, R any](call string, workers int, c taskpool.Config[T, R], opts []Option) *Pool[T, R] {
	misuse.Below(workers, 1, "pool: "+call+": workers")
	o := options{queue: defaultQueue, ctx: context.Background(), idleTimeout: defaultIdleTimeout}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if o.minWorkers > workers {
		panic(fmt.Sprintf("pool: %s: WithMinWorkers must be at most the %d workers, got %d", call, workers, o.minWorkers))
	}
	p := &Pool[T, R]{onError: o.onError}
	c.Workers, c.MinWorkers, c.IdleTimeout, c.Room = workers, o.minWorkers, o.idleTimeout, o.queue
	c.Context, c.Name, c.Crash = o.ctx, o.name, o.crash
	c.Idle, c.Report, c.Unhandled = p.rest, p.report, o.onError == nil
	p.eng = taskpool.New(c)
	return p
}

// require panics if p is the zero value or ctx is nil.
func (p *Pool[T, R]) require(ctx context.Context, call string) {
	switch {
	case p.eng == nil:
		misuse.Zero(true, "pool: "+call, "Pool", "New")
	case ctx == nil:
		ctxselect.Require(ctx, "pool: "+call)
	}
}

// Go submits a task that no one waits for. It blocks while the queue is full. It returns nil
// once the task is accepted, ErrClosed, or the cause of ctx if ctx ends first. An error of the
// task goes to the handler of [WithErrorHandler]; without one, Close, Shutdown and Stop return
// it, and a panic of the task ends the program. It panics if ctx is nil.
func (p *Pool[T, R]) Go(ctx context.Context, task T) error {
	p.require(ctx, "Go")
	return p.detach(ctx, task, true)
}

// TryGo is Go that does not block: it returns ErrQueueFull if the queue is full.
func (p *Pool[T, R]) TryGo(ctx context.Context, task T) error {
	p.require(ctx, "TryGo")
	return p.detach(ctx, task, false)
}

func (p *Pool[T, R]) detach(ctx context.Context, task T, wait bool) error {
	h, err := p.header(ctx)
	if err != nil {
		return err
	}
	if err = p.eng.Push(ctx, task, &h.origin, wait); err != nil {
		p.forget(ctx)
	}
	return err
}

// Submit submits a task and returns the future of its result. It blocks while the queue is
// full. The error is nil once the task is accepted, ErrClosed, or the cause of ctx if ctx ends
// first; then the future is nil. If ctx ends while the task is queued, the task does not run,
// and the future has an error that matches ErrNotStarted and the cause of ctx. It panics if ctx
// is nil.
func (p *Pool[T, R]) Submit(ctx context.Context, task T) (*Future[R], error) {
	p.require(ctx, "Submit")
	return p.submit(ctx, task, true)
}

// TrySubmit is Submit that does not block: it returns ErrQueueFull if the queue is full.
func (p *Pool[T, R]) TrySubmit(ctx context.Context, task T) (*Future[R], error) {
	p.require(ctx, "TrySubmit")
	return p.submit(ctx, task, false)
}

// Do submits a task, waits for it, and returns its result. If ctx ends first, Do returns the
// cause of ctx at once; then the task does not start, or its context ends if it has. It panics
// if ctx is nil.
func (p *Pool[T, R]) Do(ctx context.Context, task T) (R, error) {
	p.require(ctx, "Do")
	f, err := p.call(ctx, task, true, false, nil)
	if err != nil {
		var zero R
		return zero, err
	}
	v, err := f.wait(ctx)
	if err != nil {
		f.cancel(err) // unless it has a result
	}
	return v, err
}

// Wait waits until no accepted task is unfinished. The pool stays open. Wait returns the cause
// of ctx if ctx ends first, and ErrInside at once inside a task of the pool. While the pool is
// paused, see [Pool.Resize], queued tasks do not finish. It panics if ctx is nil.
func (p *Pool[T, R]) Wait(ctx context.Context) error {
	p.require(ctx, "Wait")
	return p.eng.Wait(ctx, false)
}

// Close stops accepting tasks, and waits until every accepted task and every worker has ended.
// Calls that wait for room return ErrClosed. Close is idempotent. It returns the errors that no
// handler was told, those of tasks given to Go and of closing states: the first 8 of them,
// joined, and their number if there were more.
//
// Inside a task of the pool Close waits for its caller, for ever: call [Pool.Shutdown] there.
func (p *Pool[T, R]) Close() error {
	misuse.Zero(p.eng == nil, "pool: Close", "Pool", "New")
	p.eng.Close()
	_ = p.eng.Wait(context.Background(), true)
	return p.errors()
}

// Shutdown is Close with a limit. If ctx ends before all tasks have, the contexts of running
// tasks end with the cause of ctx, queued tasks do not run, and Shutdown returns at once. Its
// error then wraps the cause and says how many tasks there were, or how many workers are still
// closing their states. Tasks that ignore their context go on; Close waits for them. Inside a
// task of the pool Shutdown takes effect and returns ErrInside at once. It panics if ctx is nil.
func (p *Pool[T, R]) Shutdown(ctx context.Context) error {
	p.require(ctx, "Shutdown")
	p.eng.Close()
	return p.end(ctx, "Shutdown")
}

// Stop stops accepting tasks, starts none of those that are queued, and returns these in the
// order in which they were submitted. Futures and groups that wait for one of them get an error
// that matches ErrNotStarted and ErrClosed; the error handler does not hear of them. Running
// tasks may end until ctx does, then their contexts end with its cause and Stop returns at
// once. The error is that of Shutdown. Inside a task of the pool Stop takes effect and returns
// ErrInside at once. A second call returns no tasks. It panics if ctx is nil.
func (p *Pool[T, R]) Stop(ctx context.Context) ([]T, error) {
	p.require(ctx, "Stop")
	tasks := p.eng.Drain(ErrClosed)
	return tasks, p.end(ctx, "Stop")
}

// end waits for the end of a closed pool.
func (p *Pool[T, R]) end(ctx context.Context, call string) error {
	err := p.eng.Wait(ctx, true)
	switch err {
	case nil:
		return p.errors()
	case ErrInside:
		return err
	}
	running, cancelled, closing := p.eng.Abort(ErrClosed, err, false)
	if running > 0 || cancelled > 0 {
		return fmt.Errorf("pool: %s: %d tasks still running, %d cancelled in the queue: %w", call, running, cancelled, err)
	}
	if closing > 0 {
		return fmt.Errorf("pool: %s: no task is left, %d workers have not closed their state: %w", call, closing, err)
	}
	return p.Close() // the workers are about to end
}

// Resize sets the number of workers. More take effect at once. With fewer, running tasks are
// not disturbed: the workers beyond the number end after the task that they run, and none of
// them starts another. With 0 the pool is paused: it accepts tasks and runs none, except those
// that a running task waits for, which run in place. The next Resize, Close, Shutdown and Stop
// end a pause. Resize panics if workers is negative.
func (p *Pool[T, R]) Resize(workers int) {
	misuse.Zero(p.eng == nil, "pool: Resize", "Pool", "New")
	misuse.Negative(workers, "pool: Resize: workers")
	p.eng.Resize(workers)
}

// WorkerID returns the id of the worker that runs the task which ctx was given to, or is
// derived from one that was. Ids are 0 … workers-1; no two tasks run as the same worker at any
// instant, apart from those that run in place inside another one. Per-worker state can be indexed
// by it, unless goroutines of a task wait for tasks of the pool: these run at once. ok is false
// outside tasks.
func WorkerID(ctx context.Context) (id int, ok bool) {
	c := taskctx.Of(ctx)
	if c == nil {
		return 0, false
	}
	return int(c.Worker), true
}

// A header is common to the tasks of Go that were submitted under one context, and has their
// scope.
type header[T, R any] struct {
	under  context.Context
	mortal bool // either the scope or the pool can end
	scope  taskctx.Scope
	origin taskpool.Origin[T, R]
}

// header returns the header of tasks under ctx, or why none is accepted. The pool remembers the
// headers of a few contexts, so that Go does not allocate. A pool at rest remembers none but that
// of context.Background.
func (p *Pool[T, R]) header(ctx context.Context) (*header[T, R], error) {
	h := p.kept(ctx)
	if h != nil && !h.mortal {
		return h, nil
	}
	if err := p.eng.Ended(ctx); err != nil {
		return nil, err
	}
	if h == nil {
		h = &header[T, R]{under: ctx, scope: taskctx.NewScope(p.eng.Root, ctx)}
		h.origin.Open(&h.scope, false)
		h.mortal = h.scope.Mortal() || p.eng.Root.Mortal()
		p.slot(ctx).Store(h)
	}
	return h, nil
}

// slot returns the place of the header of ctx, which it shares with those of other contexts.
func (p *Pool[T, R]) slot(ctx context.Context) *sched.Pointer[header[T, R]] {
	address := (*[2]uintptr)(unsafe.Pointer(&ctx))[1]
	return &p.headers[address>>5%uintptr(len(p.headers))]
}

// kept returns the header of tasks under ctx if the pool remembers it, and nil otherwise.
func (p *Pool[T, R]) kept(ctx context.Context) *header[T, R] {
	if h := p.slot(ctx).Load(); h != nil && taskctx.Identical(h.under, ctx) {
		return h
	}
	return nil
}

// forget lets go of the header of tasks under ctx, unless that is the background.
func (p *Pool[T, R]) forget(ctx context.Context) {
	if h := p.kept(ctx); h != nil && !taskctx.Identical(ctx, context.Background()) {
		p.slot(ctx).CompareAndSwap(h, nil)
	}
}

// rest lets go of the headers. It is called when the pool comes to rest.
func (p *Pool[T, R]) rest() {
	for i := range p.headers {
		if h := p.headers[i].Load(); h != nil {
			p.forget(h.under)
		}
	}
}

// mostFailures is how many errors a pool keeps.
const mostFailures = 8

// report tells the handler of an error that no one waits for, or keeps the error. Errors of
// closing states are kept in any case.
func (p *Pool[T, R]) report(ctx context.Context, err error, closing bool) {
	if p.onError == nil || closing {
		p.mu.Lock()
		if p.failed++; len(p.failures) < mostFailures {
			p.failures = append(p.failures, err)
		}
		p.mu.Unlock()
	}
	if p.onError != nil {
		p.onError(ctx, err)
	}
}

// errors returns the error of Close.
func (p *Pool[T, R]) errors() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed == 0:
		return nil
	case p.failed == 1:
		return p.failures[0]
	}
	err := errors.Join(p.failures...)
	if more := p.failed - len(p.failures); more > 0 {
		err = fmt.Errorf("%w\nand %d more errors", err, more)
	}
	return err
}
