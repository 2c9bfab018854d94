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
	room        int // beyond the workers
	root        context.Context
	minWorkers  int
	idleTimeout time.Duration
	onError     func(error)
	name        string
	key         any // a keySource of the tasks' type, see typed
	priority    any // a priorityFunc of it
	ageing      time.Duration
}

// WithQueue sets how many tasks may be accepted beyond those that the workers
// can run at once. The default is 1024. With 0 a task is accepted only when a
// worker is free for it. It panics if n is negative.
func WithQueue(n int) Option {
	misuse.Negative(n, "pool: WithQueue: size")
	return func(o *options) { o.room = n }
}

// WithContext sets the root of the tasks' contexts. When ctx ends, the pool
// closes, the contexts of running tasks end, and queued tasks resolve with
// the cause. From that moment no task starts, and a submission returns an error
// that wraps [ErrClosed] and the cause. The default is [context.Background]. It panics
// if ctx is nil.
func WithContext(ctx context.Context) Option {
	ctxselect.Require(ctx, "pool: WithContext")
	return func(o *options) { o.root = ctx }
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

// WithErrorHandler sets a function that is called with the error of each task
// that no one waits for, those given to Go and TryGo: what it returned, or why
// it will not run, if its context or the pool has ended. It runs on the worker,
// or on a goroutine of its own when the pool ends; several calls at once are possible,
// and it may call any method of the pool. By default such errors are only
// counted, in Stats.Failed and Stats.Cancelled. It panics if fn is nil.
func WithErrorHandler(fn func(error)) Option {
	misuse.Nil(fn == nil, "pool: WithErrorHandler: function")
	return func(o *options) { o.onError = fn }
}

// WithName names the pool. Its workers and tasks then carry the profiler labels
// "pool", the name, and "worker", the worker's id, which show in goroutine and CPU
// profiles. A task carries the labels of the context that it was submitted with as well;
// so does the error handler for a task. Functions that open and close states carry
// "pool". The default is no labels of the pool.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// A GroupOption changes how [Pool.Group] makes a group.
type GroupOption func(*groupOptions)

type groupOptions struct{ all bool }

// FailFast makes the first error of a task end the group: the contexts of its
// running tasks end, queued ones do not start, and Wait returns that error.
// This is the default.
func FailFast() GroupOption { return func(o *groupOptions) { o.all = false } }

// CollectAll makes a group run all of its tasks, whatever their errors; Wait
// joins these in the order of submission.
func CollectAll() GroupOption { return func(o *groupOptions) { o.all = true } }

// A MapOption changes how [Pool.Map] walks.
type MapOption func(*mapOptions)

type mapOptions struct{ unordered bool }

// Unordered makes Map yield results as tasks end. The default is the order of
// the tasks.
func Unordered() MapOption { return func(o *mapOptions) { o.unordered = true } }
