package redislimit

import "errors"

// ErrUnavailable is wrapped by the error of a call that Redis did not answer, under
// [FailClosed].
var ErrUnavailable = errors.New("redislimit: Redis does not answer")

// ErrForeign is wrapped by the error of a call for a key at which Redis holds a
// value that is not of this package, under [FailClosed]. It is left as it is.
var ErrForeign = errors.New("redislimit: the key holds something else")

// ErrEvicts is wrapped by the error of [Limiter.Check] if a server may evict keys that owe
// something.
var ErrEvicts = errors.New("redislimit: Redis may evict keys that owe something")
