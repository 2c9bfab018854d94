package ratelimit

import (
	"math"
	"time"
)

// Never is the delay of permits that will not be granted, however long the caller waits.
const Never = time.Duration(math.MaxInt64)

// A Decision is the answer to a Take or a Peek.
type Decision struct {
	// OK reports whether the permits were granted. In the answer to a Peek, it reports
	// whether one permit would be granted.
	OK bool
	// Limit is the burst of the window with the fewest permits remaining.
	Limit int
	// Remaining is the number of permits that can be granted now, after this decision.
	Remaining int
	// RetryAfter is 0 if OK. Otherwise the same call is granted after that time, and not
	// a nanosecond earlier, if no other call is granted in between. It is Never if the call
	// will not be granted.
	RetryAfter time.Duration
	// ResetAfter is the time until nothing is owed, if no call is granted in between. It
	// is Never if that does not happen.
	ResetAfter time.Duration
}
