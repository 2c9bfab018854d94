package ratelimit

import "errors"

// ErrClosed is returned by calls that wait at a limiter that has been closed.
var ErrClosed = errors.New("ratelimit: limiter closed")

// ErrExceedsBurst is wrapped by the error of a call for more permits than the burst.
// Such a call can never be granted.
var ErrExceedsBurst = errors.New("ratelimit: more permits than the burst")
