package ratelimit

import (
	"fmt"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// A Rate is how many permits come back in how much time. It is exact: no rate
// is rounded to a whole number of nanoseconds. Rates are made by [Per] and
// [Every]; the zero value is not usable.
type Rate struct {
	permits   uint64
	period    uint64 // nanoseconds, at least 1
	unlimited bool
}

// Unlimited is the rate that always grants at once, whatever the burst.
var Unlimited = Rate{unlimited: true, permits: 1, period: 1}

// Per returns the rate of n permits in each d. Per(0, d) gives none back: a
// limiter with it grants its burst and then denies. Per panics if n is negative
// or d is not positive.
func Per(n int, d time.Duration) Rate {
	misuse.Negative(n, "ratelimit: Per: number")
	misuse.NotPositive(d, "ratelimit: Per: duration")
	return Rate{permits: uint64(n), period: uint64(d)}
}

// Every returns the rate of one permit in each d. It panics if d is not
// positive.
func Every(d time.Duration) Rate {
	misuse.NotPositive(d, "ratelimit: Every: duration")
	return Rate{permits: 1, period: uint64(d)}
}

// String returns the rate in words, such as "10 per 1s".
func (r Rate) String() string {
	if r.unlimited {
		return "unlimited"
	}
	return fmt.Sprintf("%d per %v", r.permits, time.Duration(r.period))
}

// Parts returns the rate as so many permits in so much time, in lowest terms, for
// those who count in a way of their own. Of [Unlimited] and of the zero Rate, which
// == tells apart, both are 0.
func (r Rate) Parts() (permits int, period time.Duration) {
	if r.unlimited {
		return 0, 0
	}
	r = r.reduced()
	return int(r.permits), time.Duration(r.period)
}

// reduced returns the same rate in lowest terms. One of 0 stays as it is: its
// period is then only how finely a part of a permit is counted.
func (r Rate) reduced() Rate {
	if r.permits == 0 {
		return r
	}
	a, b := r.permits, r.period
	for b != 0 {
		a, b = b, a%b
	}
	r.permits, r.period = r.permits/a, r.period/a
	return r
}

func (r Rate) check(call string) {
	if r.period == 0 {
		panic("ratelimit: " + call + ": the zero Rate is not usable, make one with Per or Every")
	}
}
