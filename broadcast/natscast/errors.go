package natscast

import (
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/pool"
)

// ErrClosed is returned when the broadcast is closed. It is the same value as
// [broadcast.ErrClosed].
var ErrClosed = broadcast.ErrClosed

// ErrDisconnected is wrapped by the error of a call that needs a server while the
// connection is down.
var ErrDisconnected = errors.New("natscast: not connected")

// ErrUnsuitable is wrapped by the error of a constructor whose connection or stream
// lacks a required setting.
var ErrUnsuitable = errors.New("natscast: unsuitable")

// ErrUncertain is wrapped by the error of a Send that a stream has not answered: the
// stream may or may not have stored the value.
var ErrUncertain = errors.New("natscast: no answer, the value may have been stored")

// ErrGoexit is the error of a codec that called [runtime.Goexit].
var ErrGoexit = pool.ErrGoexit

// PanicError is the error of a codec that panicked. Its fields are Value any, the value
// given to panic, and Stack []byte.
type PanicError = pool.PanicError

// A DecodeError is reported to the error handler for a message that cannot be decoded.
type DecodeError struct {
	Subject string // of the message
	Size    int    // of the payload, in bytes
	Err     error  // of the codec
}

// Error returns a text with the subject, the size and the cause.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("natscast: message of %d bytes on %q is no value: %v", e.Size, e.Subject, e.Err)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// guard returns the outcome of code(v), where code is a function of a codec. A panic
// becomes a *PanicError. A Goexit passes through guard, which calls exited first.
func guard[In, Out any](code func(In) (Out, error), v In, exited func()) (out Out, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			err = pool.Recovered(r)
			return
		}
		exited()
	}()
	out, err = code(v)
	returned = true
	return out, err
}

// require panics unless ok is true.
func require(ok bool, format string, args ...any) {
	if !ok {
		panic("natscast: " + fmt.Sprintf(format, args...))
	}
}
