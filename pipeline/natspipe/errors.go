package natspipe

import (
	"errors"
	"fmt"
)

// ErrUsed is the error of a [Source] that is run for the second time.
var ErrUsed = errors.New("natspipe: a Source is for one run: make another one")

// ErrClosed is the error of a run whose connection or [Source] is closed.
var ErrClosed = errors.New("natspipe: closed")

// A MessageError is the error of a message of a [Source] that has failed, with its
// place. The error handler gets it, see [WithErrorHandler].
type MessageError struct {
	Stream     string // its name
	Sequence   uint64 // in the stream
	Deliveries int    // of the message so far
	Dead       bool   // the message becomes a dead letter; otherwise it is delivered again
	Err        error  // of the function, the codec or the stream of the Sink
}

// Error returns the fields of e.
func (e *MessageError) Error() string {
	return fmt.Sprintf("natspipe: message %d of stream %q in delivery %d, dead letter %t: %v", e.Sequence, e.Stream, e.Deliveries, e.Dead, e.Err)
}

// Unwrap returns Err.
func (e *MessageError) Unwrap() error { return e.Err }

// require panics unless ok.
func require(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf("natspipe: "+format, args...))
	}
}
