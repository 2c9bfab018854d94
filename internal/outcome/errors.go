package outcome

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/tandemgo/tandem/internal/misuse"
)

// ErrGoexit is the error of user code that ended its goroutine by calling
// [runtime.Goexit], as t.FailNow does.
var ErrGoexit = errors.New("tandem: function called runtime.Goexit")

// ErrNotStarted is matched by the error of a task or element that never started.
var ErrNotStarted = errors.New("tandem: not started")

// NotStarted returns the error of a task or element that never started because of
// cause. It matches ErrNotStarted and cause.
func NotStarted(cause error) error {
	if cause = Sound(cause); errors.Is(cause, ErrNotStarted) {
		return cause
	}
	return &notStarted{cause}
}

type notStarted struct{ cause error }

func (e *notStarted) Error() string        { return "not started: " + e.cause.Error() }
func (e *notStarted) Unwrap() error        { return e.cause }
func (e *notStarted) Is(target error) bool { return target == ErrNotStarted }

// TaskError is the error of one of several tasks or elements.
type TaskError struct {
	// Index is the position of the task or element, counted from zero.
	Index int
	// Err is the error of the task or element.
	Err error
}

// Error returns the index and the error.
func (e *TaskError) Error() string { return fmt.Sprintf("task %d: %v", e.Index, e.Err) }

// Unwrap returns Err.
func (e *TaskError) Unwrap() error { return e.Err }

// PanicError is the error of user code that panicked.
type PanicError struct {
	// Value is the argument of panic.
	Value any
	// Stack is the stack of the goroutine at the panic, as formatted by
	// [debug.Stack].
	Stack []byte

	place string
}

// Panicked returns the error of a call for which recover has returned r, not
// nil. Panicked must be called by the deferred function that has recovered r.
func Panicked(r any) error { return &PanicError{Value: r, Stack: debug.Stack(), place: panicPlace()} }

// Sound returns err, or the error of the panic if a method of err panics when it is asked what it
// is: that of a nil pointer may. The callers of Sound ask that outside of any call that catches
// panics.
func Sound(err error) (sound error) {
	if err == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			sound = Panicked(r)
		}
	}()
	_ = errors.Is(err, ErrNotStarted) || IsPermanent(err)
	return err
}

// panicPlace returns the function, file and line that the deferred function's
// caller panicked in, "" if the stack does not tell.
func panicPlace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s (%s:%d)", f.Function, filepath.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// Error returns one line: the value given to panic, and the function, file and
// line of the panic.
func (e *PanicError) Error() string {
	if e.place == "" {
		return fmt.Sprintf("tandem: function panicked: %v", e.Value)
	}
	return fmt.Sprintf("tandem: function panicked: %v, in %s", e.Value, e.place)
}

// Format prints the error; with %+v, the stack follows.
func (e *PanicError) Format(f fmt.State, verb rune) {
	misuse.Nil(e == nil || f == nil, "tandem: PanicError.Format: error and state")
	switch {
	case verb == 'v' && f.Flag('+'):
		fmt.Fprintf(f, "%s\n\n%s", e.Error(), e.Stack)
	case verb == 'q':
		fmt.Fprintf(f, "%q", e.Error())
	default:
		fmt.Fprint(f, e.Error())
	}
}

// Unwrap returns Value if it is an error, nil otherwise.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
