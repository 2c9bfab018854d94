package outcome

import "errors"

// Permanent marks an error of user code as not retryable. All packages that retry
// respect the mark, so a function may be moved from one to another.
func Permanent(err error) error { return &permanent{err} }

// IsPermanent reports whether err, or an error that it wraps, was marked by Permanent or has a
// method Permanent() bool that returns true, as the errors of the adapters have.
func IsPermanent(err error) bool {
	p, is := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	return is && p.Permanent()
}

type permanent struct{ error }

func (e *permanent) Unwrap() error { return e.error }

func (e *permanent) Permanent() bool { return true }
