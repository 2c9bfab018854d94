package fan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

// ErrNoQuorum is the error of First and Quorum when fewer functions succeeded than are
// needed. It is joined to the errors of the functions.
var ErrNoQuorum = errors.New("fan: not enough functions succeeded")

// ErrGoexit is the error of a function that called [runtime.Goexit]. It is the same
// value in all packages of Tandem.
var ErrGoexit = outcome.ErrGoexit

// ErrNotStarted is matched by the error of an element for which the function was never
// called. It is the same value in all packages of Tandem.
var ErrNotStarted = outcome.ErrNotStarted

// PanicError is the error of a function that panicked. Its fields are Value any, the
// value given to panic, and Stack []byte, the stack at the panic. It unwraps to Value if
// that is an error. It is the same type in all packages of Tandem.
type PanicError = outcome.PanicError

// TaskError is the error of one of several elements, items or functions. Its fields are
// Index int, the position of the element, counted from zero, and Err error, to which it
// unwraps. It is the same type in all packages of Tandem.
type TaskError = outcome.TaskError

// errDone ends the contexts of functions whose results are not needed any more.
var errDone = errors.New("fan: the result is not needed any more")

// check panics if a context is nil or n is less than 1.
func check(ctx context.Context, call string, n int) {
	ctxselect.Require(ctx, call)
	if n < 1 { // otherwise no string is made
		misuse.Below(n, 1, call+": n")
	}
}

// ended returns why no function may be called any more, or nil: the cause of the
// caller's context, or of that of the functions. A context of a kind of its own may end
// the latter with a delay.
func ended(caller, calls context.Context) error {
	switch {
	case sched.Err(caller) != nil:
		return context.Cause(caller)
	case sched.Err(calls) != nil:
		return context.Cause(calls)
	}
	return nil
}

// taskError returns the error of the element at index, or the cause of the caller's
// context if err only says that it has ended.
func taskError(caller context.Context, index int, err error) error {
	if stage.Follows(err, caller) {
		return context.Cause(caller)
	}
	return &TaskError{Index: index, Err: err}
}

// An unfinished is the error of a call that has left out elements.
type unfinished struct {
	err   error // that of an element, or the cause of the caller's context
	spans []rest
}

// failure returns the error of work that has ended.
func (f *parallelFor) failure() error {
	if f.err == nil {
		return nil
	}
	u := &unfinished{err: f.err}
	for _, r := range f.rests {
		if r.lo < r.hi {
			u.spans = append(u.spans, *r)
		}
	}
	if next := int(f.next.Load()); next < f.size {
		u.spans = append(u.spans, rest{lo: next, hi: f.size})
	}
	if len(u.spans) == 0 {
		return f.err
	}
	slices.SortFunc(u.spans, func(a, b rest) int { return cmp.Compare(a.lo, b.lo) })
	u.spans = slices.Compact(u.spans) // a rest may be there twice
	return u
}

func (u *unfinished) Error() string {
	if n := u.count(); n > 0 {
		return fmt.Sprintf("%v (elements not started: %d)", u.err, n)
	}
	return u.err.Error() + " (not all items started)"
}

// Is and As answer for the error that ended the call. What they find is found without the list of
// the other elements, of which there may be millions.
func (u *unfinished) Is(target error) bool {
	return target == ErrNotStarted || errors.Is(u.err, target)
}

func (u *unfinished) As(target any) bool { return errors.As(u.err, target) }

// Unwrap returns the error that ended the call, and one for each element that never
// started.
func (u *unfinished) Unwrap() []error {
	errs := append(make([]error, 0, 1+u.count()), u.err)
	why := outcome.NotStarted(u.err)
	for _, s := range u.spans {
		for i := s.lo; i < s.hi; i++ {
			errs = append(errs, &TaskError{Index: i, Err: why})
		}
	}
	return errs
}

func (u *unfinished) count() (n int) {
	for _, s := range u.spans {
		n += s.hi - s.lo
	}
	return n
}
