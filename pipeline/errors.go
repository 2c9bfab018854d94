package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
)

// ErrGoexit is the error of a function given to a stage that calls [runtime.Goexit]. It
// is the same value in all packages of Tandem.
var ErrGoexit = outcome.ErrGoexit

// ErrSkip drops an item: a function of a stage that returns it, or an error that wraps it,
// sends nothing for the item. The item is counted as skipped and has not failed. An
// ErrSkip in a branch of [Zip] ends the run, since each item needs its pair there.
var ErrSkip = errors.New("pipeline: skip this item")

// errZipSkip is the error of an item that is dropped in a branch of Zip.
var errZipSkip = errors.New("pipeline: ErrSkip in a branch of Zip")

// PanicError is the error of a function given to a stage that panics. Its fields are
// Value any, the argument of panic, and Stack []byte, the stack at the panic. It unwraps
// to Value if that is an error. It is the same type in all packages of Tandem.
type PanicError = outcome.PanicError

// A StageError is an error with the place that it comes from. A source is called
// "source", the function given to ForEach "sink".
type StageError struct {
	Stage string // the name of the stage
	Index int    // the number of the item among those that the stage received, from 0; -1 if the error belongs to no item
	Err   error  // the error of the function
}

// Error returns the name of the stage, the number of the item and the text of the error.
func (e *StageError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("pipeline: stage %q: %v", e.Stage, e.Err)
	}
	return fmt.Sprintf("pipeline: stage %q: item %d: %v", e.Stage, e.Index, e.Err)
}

// Unwrap returns Err.
func (e *StageError) Unwrap() error { return e.Err }

// Permanent marks err as not retryable, for example a 404: [WithRetry] makes no further
// attempt, nor does pool/natspool. The result wraps err and has its text. Any error with a
// method Permanent() bool that returns true is marked in the same way. Permanent panics if
// err is nil.
func Permanent(err error) error {
	misuse.Nil(err == nil, "pipeline: Permanent: error")
	return outcome.Permanent(err)
}

// RetryAfter returns an error that asks [WithRetry] to pause for d before the next
// attempt, as the Retry-After header of an HTTP response does. MaxDelay does not bound
// that pause. The result wraps err and has its text. Any error with a method RetryAfter()
// time.Duration asks for a pause in the same way. RetryAfter panics if err is nil or d is
// negative.
func RetryAfter(err error, d time.Duration) error {
	misuse.Nil(err == nil, "pipeline: RetryAfter: error")
	misuse.Negative(d, "pipeline: RetryAfter: duration")
	return &delayed{err, d}
}

type delayed struct {
	error
	after time.Duration
}

func (e *delayed) Unwrap() error             { return e.error }
func (e *delayed) RetryAfter() time.Duration { return e.after }

// errEnough ends the stages upstream of a Take that has all its items.
var errEnough = errors.New("pipeline: downstream takes no more")

// errLeft ends a run whose caller has left the loop.
var errLeft = errors.New("pipeline: the loop over the results was left")

// both returns an error in whose chain are later and first, which later may wrap.
func both(later, first error) error {
	if errors.Is(later, first) {
		return later
	}
	return errors.Join(later, first)
}

// skips reports whether err drops the item of the call that returned it.
func skips(err error) bool { return err == ErrSkip || errors.Is(err, ErrSkip) && !panicked(err) }

func panicked(err error) bool {
	_, yes := errors.AsType[*PanicError](err)
	return yes
}
