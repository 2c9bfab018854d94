package ratelimit

import "errors"

// ErrStopped is returned by a limiter that has been stopped.
var ErrStopped = errors.New("ratelimit: stopped")

// ErrExceedsBurst is wrapped by the error of a call that asks for more permits
// than the burst, and so can never be granted.
var ErrExceedsBurst = errors.New("ratelimit: more permits than the burst")
