package pool

import (
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// ErrClosed is returned for a task that a closed pool does not accept. It is also why a
// task did not start that Stop returned.
var ErrClosed = taskpool.ErrClosed

// ErrQueueFull is returned by TryGo and TrySubmit when the pool has no room for another
// task, or when other callers wait for room.
var ErrQueueFull = taskpool.ErrQueueFull

// ErrInside is returned by Wait, Shutdown and Stop when they are called inside a task of the
// same pool: they would wait for their caller.
var ErrInside = taskpool.ErrInside

// ErrNotStarted is matched by the error of an accepted task that never started. The error
// matches the reason as well. It is the same value in all packages of Tandem.
var ErrNotStarted = outcome.ErrNotStarted

// ErrGoexit is the error of a task that called [runtime.Goexit]. It is the same value in all
// packages of Tandem.
var ErrGoexit = outcome.ErrGoexit

// PanicError is the error of a task that panicked. Its fields are Value any, the argument of
// panic, and Stack []byte, the stack at the panic. Its text names the function, file and line
// of the panic; %+v prints the stack as well. It unwraps to Value if that is an error. It is
// the same type in all packages of Tandem.
type PanicError = outcome.PanicError

// Recovered returns the error of a panic for which recover has returned r. It must be called
// by the deferred function that has called recover. Code that calls functions of others on
// behalf of a task, as the adapters do, so returns the error that a task would have.
// Recovered panics if r is nil.
func Recovered(r any) error {
	misuse.Nil(r == nil, "pool: Recovered: value")
	return outcome.Panicked(r)
}

// TaskError is the error of one task of a group or a walk. Its fields are Index int, which
// counts the tasks from 0 in the order of submission, and Err error, to which it unwraps. It
// is the same type in all packages of Tandem.
type TaskError = outcome.TaskError
