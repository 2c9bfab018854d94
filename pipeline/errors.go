package pipeline

import (
	"errors"
	"fmt"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
)

// ErrGoexit is what a run ends with when a function given to it calls
// [runtime.Goexit]. It is the same value in all packages of Tandem.
var ErrGoexit = outcome.ErrGoexit

// PanicError is what a run ends with when a function given to it panics. Its
// fields are Value any, what was given to panic, and Stack []byte, the stack
// at the panic. It unwraps to Value if that is an error. It is the same type
// in all packages of Tandem.
type PanicError = outcome.PanicError

// A StageError is an error with the name of the stage that it comes from. A
// source is called "source", the function given to ForEach "sink".
type StageError struct {
	Stage string // the name of the stage
	Err   error  // what went wrong there
}

// Error returns the name of the stage and the text of the error.
func (e *StageError) Error() string { return fmt.Sprintf("pipeline: stage %q: %v", e.Stage, e.Err) }

// Unwrap returns Err.
func (e *StageError) Unwrap() error { return e.Err }

// Permanent marks an error that it makes no sense to try again after, as that a page
// is not there: [Retry] does not, nor does pool/natspool. The error that comes of it wraps err and has its
// text. It panics if err is nil.
func Permanent(err error) error {
	misuse.Nil(err == nil, "pipeline: Permanent: error")
	return outcome.Permanent(err)
}

// errEnough ends what is upstream of a Take that has all it wants.
var errEnough = errors.New("pipeline: downstream takes no more")

// errLeft ends a run whose caller has left the loop.
var errLeft = errors.New("pipeline: the loop over the results was left")
