package natscast

import (
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/outcome"
)

// ErrClosed is returned when the broadcast is closed. It is that of package
// broadcast.
var ErrClosed = broadcast.ErrClosed

// ErrDisconnected is wrapped by the error of a call that needs a server while
// the connection has none.
var ErrDisconnected = errors.New("natscast: not connected")

// ErrUnsuitable is wrapped by the error of a constructor whose connection or
// stream is not set up as it has to be.
var ErrUnsuitable = errors.New("natscast: unsuitable")

// ErrUncertain is wrapped by the error of a Send to a stream that was not
// answered: the value may have been stored, or not.
var ErrUncertain = errors.New("natscast: no answer, the value may have been stored")

// ErrGoexit is the error of a codec that called [runtime.Goexit].
var ErrGoexit = outcome.ErrGoexit

// PanicError is the error of a codec that panicked. Its fields are Value any,
// what was given to panic, and Stack []byte.
type PanicError = outcome.PanicError

// A DecodeError is what the error handler is told of a message that is no value.
type DecodeError struct {
	Subject string // of the message
	Size    int    // of the payload, in bytes
	Err     error  // of the codec
}

// Error says what could not be decoded.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("natscast: message of %d bytes on %q is no value: %v", e.Size, e.Subject, e.Err)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }
