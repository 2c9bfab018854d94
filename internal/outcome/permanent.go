package outcome

import "errors"

// Permanent marks an error of user code that it makes no sense to call again for.
// It is marked for whoever tries again, in whatever package: a function may move
// from one to another.
func Permanent(err error) error { return &permanent{err} }

// IsPermanent reports whether err, or what it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	_, is := errors.AsType[*permanent](err)
	return is
}

type permanent struct{ error }

func (e *permanent) Unwrap() error { return e.error }
