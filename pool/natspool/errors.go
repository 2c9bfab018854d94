package natspool

import (
	"context"
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/pool"
)

// ErrClosed is returned for a task that a closed pool does not accept. It is the
// same value as [pool.ErrClosed].
var ErrClosed = pool.ErrClosed

// ErrInside is returned by Shutdown inside a task of the same pool, where it would wait
// for its own caller. It is the same value as [pool.ErrInside].
var ErrInside = pool.ErrInside

// ErrUnacknowledged is wrapped by the error of a call whose task was sent and not
// acknowledged. The stream may have stored the task; if so, the task runs.
var ErrUnacknowledged = errors.New("natspool: not acknowledged, the task may have been stored")

// ErrDuplicate is returned by Go, Submit and Do for a task that the stream has not
// stored, because it has received the task's message id before within the duplicate
// window. The earlier task may be waiting, running or complete. Its result goes to the
// process that submitted it first.
var ErrDuplicate = errors.New("natspool: a task with this message id is stored already")

// ErrResultLost is the error of a Future whose task has ended without its result
// reaching this process: this process was disconnected, and the worker's process has
// ended too or had no room to keep the result. The task may be submitted again, if it may
// take effect twice.
var ErrResultLost = errors.New("natspool: the task has ended and its result is lost; it may be submitted again")

// A TaskError is the error of a task that has failed for good. It carries the text of
// the error, not its value, since the error comes from another process. If the last run
// panicked, it wraps a [*pool.PanicError] whose Value is the text of the panic value;
// if the last run called [runtime.Goexit], it wraps [pool.ErrGoexit]; if the task was
// canceled by [Pool.Cancel], it wraps [context.Canceled].
type TaskError struct {
	Text     string // of the error of the last run
	Attempts int    // how often the task was delivered to a worker, also if it was handed back
	cause    error
}

// Error returns the text of the last error.
func (e *TaskError) Error() string { return e.Text }

// Unwrap returns a *pool.PanicError, pool.ErrGoexit, context.Canceled or nil.
func (e *TaskError) Unwrap() error { return e.cause }

// Permanent marks the error of a task as not retryable: the task becomes a dead letter
// at once. An error marked by pipeline.Permanent has the same effect, and so has any error
// with a method Permanent() bool that returns true. Permanent panics if err is nil.
func Permanent(err error) error {
	require(err != nil, "Permanent: error must not be nil")
	return &markedError{err, ""}
}

// A markedError is an error of a task that need not be tried again.
type markedError struct {
	error
	kind string // of the failure that it is; "" if that follows from the error
}

func (e *markedError) Unwrap() error { return e.error }

// Permanent marks the error for pipeline.WithRetry as well. A task that has used up its
// attempts is no reason of its own.
func (e *markedError) Permanent() bool { return e.kind != exhausted }

func isPermanent(err error) bool {
	p, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	return ok && p.Permanent()
}

// require panics unless ok is true.
func require(ok bool, format string, args ...any) {
	if !ok {
		panic("natspool: " + fmt.Sprintf(format, args...))
	}
}

// wait waits until done is closed, and returns nil, or until ctx ends, and returns its
// cause. If both have happened, it returns nil.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	default:
		return context.Cause(ctx)
	}
}
