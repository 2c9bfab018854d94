package pool

import (
	"errors"

	"github.com/tandemgo/tandem/internal/outcome"
)

// ErrClosed is returned for a task that a closed pool does not accept, and is
// the result of an accepted task that Stop kept from running. A group that
// has been waited for is closed as well.
var ErrClosed = errors.New("pool: closed")

// ErrQueueFull is returned by TryGo and TrySubmit when the pool has no room
// for another task, or others have been waiting for room longer.
var ErrQueueFull = errors.New("pool: queue is full")

// errInside is what join answers inside a task.
var errInside = errors.New("pool: inside a task")

// ErrGoexit is the result of a task that called [runtime.Goexit]. It is the
// same value in all packages of Tandem.
var ErrGoexit = outcome.ErrGoexit

// PanicError is the result of a task that panicked. Its fields are Value any,
// what was given to panic, and Stack []byte, the stack at the panic. It
// unwraps to Value if that is an error. It is the same type in all packages
// of Tandem.
type PanicError = outcome.PanicError
