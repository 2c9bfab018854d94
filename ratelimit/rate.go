package ratelimit

import (
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// A Rate is a number of permits in a period of time. [Per] and [Every] make one. The
// zero value is not usable.
type Rate struct {
	permits   uint64
	period    uint64 // nanoseconds, at least 1
	unlimited bool
}

// Unlimited is the rate without a limit: every call is granted at once, whatever the
// burst is.
var Unlimited = Rate{unlimited: true, period: 1}

// Per returns the rate of n permits in each d. A limiter of Per(0, d) grants its burst
// once and then denies. Per panics if n is negative or d is not positive.
func Per(n int, d time.Duration) Rate {
	misuse.Negative(n, "ratelimit: Per: number")
	misuse.NotPositive(d, "ratelimit: Per: duration")
	return Rate{permits: uint64(n), period: uint64(d)}
}

// Every returns the rate of one permit in each d. It panics if d is not positive.
func Every(d time.Duration) Rate {
	misuse.NotPositive(d, "ratelimit: Every: duration")
	return Rate{permits: 1, period: uint64(d)}
}

// String returns text such as "10 per 1s".
func (r Rate) String() string {
	if r.unlimited {
		return "unlimited"
	}
	return fmt.Sprintf("%d per %v", r.permits, time.Duration(r.period))
}

// MarshalText returns the text of String, so that it stands in logs and JSON.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Parts returns the number of permits and the period, in lowest terms. Both are 0 for
// [Unlimited] and for the zero Rate, which == tells apart.
func (r Rate) Parts() (permits int, period time.Duration) {
	if r.unlimited {
		return 0, 0
	}
	r = r.reduced()
	return int(r.permits), time.Duration(r.period)
}

// A Window is one limit of a key: at most Burst permits at once, and Rate after that.
type Window struct {
	Rate  Rate
	Burst int
}
