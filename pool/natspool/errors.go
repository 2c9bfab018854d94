package natspool

import (
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/pool"
)

// ErrClosed is returned for a task that a closed pool does not accept. It is the
// same value as [pool.ErrClosed].
var ErrClosed = pool.ErrClosed

// ErrInside is returned by Shutdown inside a task of the same pool: it would wait for its
// caller. It is the same value as [pool.ErrInside].
var ErrInside = pool.ErrInside

// ErrUnacknowledged is wrapped by the error of a call whose task was sent and
// not acknowledged: the stream may have stored it, and then it runs, or not.
var ErrUnacknowledged = errors.New("natspool: not acknowledged, the task may have been stored")

// ErrDuplicate is returned by Go, Submit and Do for a task that the stream has not
// stored, since it has had the message id within the duplicate window, be it of a task
// that waits, runs or has run. The result of that one goes to the process that
// submitted it first.
var ErrDuplicate = errors.New("natspool: a task with this message id is stored already")

// ErrResultLost is what a Future ends with when its task has ended, somewhere, and the
// result has not reached this process, which was disconnected meanwhile: the worker's
// process has ended as well, or was too full of other results to keep it.
var ErrResultLost = errors.New("natspool: the task has ended and its result is lost")

// A TaskError is the error of a task that has failed for good, as it has come
// from another process: its text, not its value. If the last run panicked, it
// wraps a [*pool.PanicError], whose Value is the text of what was given to panic;
// if it called [runtime.Goexit], it wraps [pool.ErrGoexit].
type TaskError struct {
	Text     string // of the error of the last run
	Attempts int    // how often the task was delivered to a worker, also if it was handed back
	cause    error
}

// Error returns the text of the last error.
func (e *TaskError) Error() string { return e.Text }

// Unwrap returns a *pool.PanicError, pool.ErrGoexit or nil.
func (e *TaskError) Unwrap() error { return e.cause }

// Permanent marks the error of a task that it makes no sense to try again: the
// task goes to the dead letters at once. An error marked by pipeline.Permanent counts
// as well. It panics if err is nil.
func Permanent(err error) error {
	misuse.Nil(err == nil, "natspool: Permanent: error")
	return outcome.Permanent(err)
}

// An undecodableError says that a message is not a task.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string {
	return fmt.Sprintf("natspool: undecodable task: %v", e.err)
}
func (e *undecodableError) Unwrap() error { return e.err }
