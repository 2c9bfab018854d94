package fan

import (
	"context"
	"errors"

	"github.com/tandemgo/tandem/internal/outcome"
)

// ErrNoQuorum is what First and Quorum return when fewer functions succeeded
// than are needed. It is joined to their errors.
var ErrNoQuorum = errors.New("fan: not enough functions succeeded")

// ErrGoexit is the error of a function that called [runtime.Goexit]. It is the
// same value in all packages of Tandem.
var ErrGoexit = outcome.ErrGoexit

// PanicError is the error of a function that panicked. Its fields are Value
// any, what was given to panic, and Stack []byte, the stack at the panic. It
// unwraps to Value if that is an error. It is the same type in all packages of
// Tandem.
type PanicError = outcome.PanicError

// errDone ends the contexts of what is not needed any more: losers of a race,
// workers of a walk that was left.
var errDone = errors.New("fan: the result is not needed any more")

// ended returns why no function is to be called any more, or nil: the cause of the
// caller's context, or of that of the calls. The former may be of a kind that does
// not end the latter at the same instant.
func ended(caller, calls context.Context) error {
	switch {
	case caller.Err() != nil:
		return context.Cause(caller)
	case calls.Err() != nil:
		return context.Cause(calls)
	}
	return nil
}

// root returns err, or the cause of the caller's context if err says no more than
// that it has ended.
func root(caller context.Context, err error) error {
	if caller.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, caller.Err())) {
		return context.Cause(caller)
	}
	return err
}
