package ratelimit

import (
	"math"
	"time"
)

// Never is the delay of what will not be granted, however long one waits.
const Never = time.Duration(math.MaxInt64)

// A Decision is the answer to a Take, with what a server tells its clients.
type Decision struct {
	// OK reports whether the permits were granted.
	OK bool
	// Limit is the burst: the most that can be granted at once.
	Limit int
	// Remaining is how many permits could be granted now, after this decision.
	Remaining int
	// RetryAfter is 0 if OK. Otherwise the same call will be granted that much
	// later and not a nanosecond sooner, if nobody comes between; it is Never
	// if it will not be.
	RetryAfter time.Duration
	// ResetAfter is how long it takes until Remaining is Limit, if nobody comes
	// between; Never if that will not be.
	ResetAfter time.Duration
}
