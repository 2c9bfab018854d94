package pool

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
)

const (
	defaultQueue       = 1024
	defaultIdleTimeout = 10 * time.Second
)

// An Option changes how [New] makes a pool.
type Option func(*options)

type options struct {
	queue       int
	ctx         context.Context
	minWorkers  int
	idleTimeout time.Duration
	onError     func(context.Context, error)
	name        string
	crash       bool
}

// WithQueue sets how many tasks may be accepted beyond those that the workers
// can run at once. The default is 1024. With 0 a task is accepted only when a
// worker is free for it. It panics if n is negative.
func WithQueue(n int) Option {
	misuse.Negative(n, "pool: WithQueue: size")
	return func(o *options) { o.queue = n }
}

// WithContext sets the root of the tasks' contexts. When ctx ends, the pool
// closes, the contexts of running tasks end, and queued tasks resolve with
// the cause. From that moment no task starts, and a submission returns an error
// that wraps [ErrClosed] and the cause. The default is [context.Background]. It panics
// if ctx is nil.
func WithContext(ctx context.Context) Option {
	ctxselect.Require(ctx, "pool: WithContext")
	return func(o *options) { o.ctx = ctx }
}

// WithMinWorkers sets how many workers stay when they are idle, once they
// have been started. The default is 0. It panics if n is negative; New panics
// if n is more than the pool's workers.
func WithMinWorkers(n int) Option {
	misuse.Negative(n, "pool: WithMinWorkers: workers")
	return func(o *options) { o.minWorkers = n }
}

// WithIdleTimeout sets how long a worker above the minimum stays idle before
// it ends. The default is 10 seconds. It panics if d is negative.
func WithIdleTimeout(d time.Duration) Option {
	misuse.Negative(d, "pool: WithIdleTimeout: duration")
	return func(o *options) { o.idleTimeout = d }
}

// WithErrorHandler sets a function that is called with the error of each task that no one
// waits for, those given to Go and TryGo: the error that the task returned, its panic or Goexit,
// or why it did not start. ctx is the context of the task. The handler runs on the worker, or on
// a goroutine of its own if the task never started; several calls at once are possible, and it
// may call any method of the pool that does not wait for its task. A panic in the handler is not
// recovered. Without a handler, Close, Shutdown and Stop return such errors, and a panic of a task
// given to Go ends the program. WithErrorHandler panics if fn is nil.
func WithErrorHandler(fn func(ctx context.Context, err error)) Option {
	misuse.Nil(fn == nil, "pool: WithErrorHandler: function")
	return func(o *options) { o.onError = fn }
}

// CrashOnPanic makes a panic of any task end the program, as one of a plain goroutine does. The
// default is that it becomes the error of the task.
func CrashOnPanic() Option { return func(o *options) { o.crash = true } }

// WithName names the pool. Its workers and tasks then carry the profiler labels
// "pool", the name, and "worker", the worker's id, which show in goroutine and CPU
// profiles. A task carries the labels of the context that it was submitted with as well;
// so does the error handler for a task. Functions that open and close states carry
// "pool". The default is no labels of the pool.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// A GroupOption changes how [Pool.Group] makes a group.
type GroupOption func(*groupOptions)

type groupOptions struct {
	all   bool
	limit int
}

// FailFast makes the first error of a task end the group: the contexts of its
// running tasks end, queued ones do not start, and Wait returns that error.
// This is the default.
func FailFast() GroupOption { return func(o *groupOptions) { o.all = false } }

// CollectAll makes a group run all of its tasks, whatever their errors; Wait
// joins these in the order of submission.
func CollectAll() GroupOption { return func(o *groupOptions) { o.all = true } }

// WithLimit makes at most n tasks of the group run at once: Go blocks while n of them are
// unfinished. So a task of the group must not call Go of its own group: it may wait for itself. The default is no limit but that of the pool. It panics if n is less than 1.
func WithLimit(n int) GroupOption {
	misuse.Below(n, 1, "pool: WithLimit: n")
	return func(o *groupOptions) { o.limit = n }
}

// A MapOption changes how [Pool.Map] walks.
type MapOption func(*mapOptions)

type mapOptions struct{ unordered bool }

// Unordered makes Map yield results as tasks end. The default is the order of
// the tasks.
func Unordered() MapOption { return func(o *mapOptions) { o.unordered = true } }
