package outcome

import "errors"

// Permanent marks an error of user code that it makes no sense to call again for.
// All packages that try again honour the mark: a function may move
// from one to another.
func Permanent(err error) error { return &permanent{err} }

// IsPermanent reports whether err, or an error that it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	_, is := errors.AsType[*permanent](err)
	return is
}

type permanent struct{ error }

func (e *permanent) Unwrap() error { return e.error }
