package inflight

import (
	"math"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// NewAdaptive returns a limiter that learns its limit from the outcomes and the latencies of
// its permits, between min and max, by algorithm. It begins with min and doubles the limit
// each round until a round shows that it is enough. The latency of a permit is the time from
// the return of Acquire to Release.
//
// The minimum should be no less than the largest weight: a call for more is granted if it
// need not wait, and fails with [ErrExceedsLimit] otherwise. NewAdaptive panics if min is less
// than 1, if max is less than min, or if algorithm is the zero value.
func NewAdaptive(min, max int, algorithm Algorithm, opts ...Option) *Limiter {
	misuse.Below(min, 1, "inflight: NewAdaptive: minimum")
	misuse.Below(max, min, "inflight: NewAdaptive: maximum")
	misuse.Zero(algorithm.next == nil, "inflight: NewAdaptive", "Algorithm", "AIMD, Gradient or Vegas")
	l := New(min, opts...)
	l.adaptive = &adaptive{Algorithm: algorithm, min: min, max: max, limit: float64(min), rising: true}
	l.adaptive.begin()
	return l
}

// An Algorithm is the way in which an adaptive limiter learns its limit. It is made by [AIMD],
// [Gradient] or [Vegas], and may be used for any number of limiters.
type Algorithm struct {
	timeout time.Duration                              // of a permit that counts as dropped; 0: none
	drift   float64                                    // of the base to the latency of each round
	jump    float64                                    // a base that differs more is new and not averaged; 0: there is none
	next    func(limit, base, latency float64) float64 // the limit after a round
}

// AIMD adds one to the limit in each round, and multiplies it by 0.9, at most once in a round,
// when a permit is dropped or has taken longer than timeout. With a timeout of 0, only
// Dropped counts. It does not compare latencies: it needs a server that drops, or a timeout
// that is not reached otherwise. Clients of one server come to equal shares.
//
// The algorithm is that of D. Chiu and R. Jain, Analysis of the Increase and Decrease
// Algorithms for Congestion Avoidance in Computer Networks (1989), which TCP uses. AIMD panics
// if timeout is negative.
func AIMD(timeout time.Duration) Algorithm {
	misuse.Negative(timeout, "inflight: AIMD: timeout")
	return Algorithm{timeout: timeout, next: func(limit, _, _ float64) float64 { return limit + 1 }}
}

// Gradient multiplies the limit by the ratio of a long-term latency to the present one, as far
// as that is above a tolerance of 1.2, and adds the square root of the limit for a queue. It
// lets more wait than Vegas, and so loses less throughput where latencies vary.
//
// The algorithm is Gradient2 of Netflix's concurrency-limits, with the queue that Netflix
// describes in Performance Under Load (2018). Two things differ. There the tolerance is 1.5 and
// a step goes 0.2 of the way, here 1.2 and 0.4; and there the long-term latency is an average of
// 600 rounds alone, which a queue that stays raises, and with it the limit, as long as clients
// ask for more. Here it is measured anew in drained rounds, as for Vegas.
func Gradient() Algorithm {
	const tolerance, smoothing, rounds = 1.2, 0.4, 600
	return Algorithm{
		drift: 2.0 / (rounds + 1), jump: 1.5,
		next: func(limit, base, latency float64) float64 {
			next := max(0.5, min(1, tolerance*base/latency))*limit + min(math.Sqrt(limit), limit/3)
			return limit + smoothing*(next-limit)
		},
	}
}

// Vegas keeps about three permits waiting at the server, or three times the decimal logarithm
// of the limit. How many wait follows from the latency and from the latency when none waits,
// which is measured in drained rounds. It has the lowest latency of the three.
//
// The algorithm is that of L. Brakmo, S. O'Malley and L. Peterson, TCP Vegas: New Techniques
// for Congestion Detection and Avoidance (1994), scaled by the logarithm as in Netflix's
// concurrency-limits. If far more waits than that, an eighth of it is taken off each round.
func Vegas() Algorithm {
	return Algorithm{jump: 1.25, next: func(limit, base, latency float64) float64 {
		unit := min(max(1, math.Log10(limit)), limit/8)
		switch waiting := limit * (1 - base/latency); {
		case waiting < unit:
			return limit + 3*unit
		case waiting < 3*unit:
			return limit + unit
		case waiting > 3.5*unit:
			return limit - max(unit, waiting/8)
		}
		return limit
	}}
}

// An adaptive learns a limit. It works in rounds. A round looks at a cohort of permits, those
// that are acquired next, as many as are in flight, and ends when most of them have been
// released: a little more than two latencies. To take the permits that are released first, of
// any that there are, would favour the quick ones. Permits have numbers, so that the lock of
// the limiter, which guards an adaptive, is taken at the end of a permit only.
//
// base is the latency without a queue. A drained round measures it: no
// more than half the limit was in flight, since no more was asked for, or since the limit was
// halved for that round. The latter is done every drainAfter rounds, and when the latency is
// more than twice the base. If that does not bring the latency down, it has other reasons than
// this limiter, and is the new base.
type adaptive struct {
	Algorithm
	min, max         int
	issued           sched.Counter // permits
	released, backed uint64        // permits, and the number of the first after the last backoff
	cohort

	limit           float64
	rising, drained bool    // the limit doubles each round until something waits; it is halved for this round
	base            float64 // ns; 0: not known
	latency, before float64 // ns, of the last round and of the one before it
	age             int     // rounds since the base was measured
}

// A cohort is the permits that a round looks at.
type cohort struct {
	first, size  uint64 // number of the first one, and how many there are
	ended, later uint64 // permits that have ended, of the cohort and behind it
	samples      int
	sum          time.Duration
	most         int // weight in flight
}

// fewest is the least number of permits of a cohort, drainAfter one of rounds.
const fewest, drainAfter, backoff = 16, 30, 0.9

// observe notes the end of a permit with the weight in flight then.
func (a *adaptive) observe(number uint64, latency time.Duration, inFlight int, outcome Outcome) {
	a.released++
	if (outcome == Dropped || outcome == Success && a.timeout > 0 && latency > a.timeout) && number >= a.backed {
		a.rising, a.drained = false, false
		a.limit *= backoff
		a.begin()
		a.backed = a.first
	}
	switch {
	case number >= a.first+a.size:
		a.later++
	case number >= a.first:
		a.ended++
		a.most = max(a.most, inFlight)
		if outcome == Success {
			a.sum += latency
			a.samples++
		}
	}
	if a.ended < a.size-a.size/10 && a.later < 4*a.size {
		return
	}
	if a.samples < min(fewest, int(a.size/2)) { // most were ignored: another cohort
		a.first, a.size, a.ended, a.later = a.issued.Load(), a.flying(), 0, 0
		return
	}
	a.before, a.latency = a.latency, max(1, float64(a.sum)/float64(a.samples)) // 0 by a coarse clock
	if idle := 2*a.most <= a.effective(); a.drains(idle) {
		a.rising = a.rising && idle
	} else {
		next := a.next(a.limit, a.base, a.latency)
		if a.rising = a.rising && next > a.limit; a.rising {
			next = 2 * a.limit
		}
		a.limit = next
	}
	a.begin()
}

// drains measures the base or has it measured in the next round, and reports whether the
// limit is to stay as it is.
func (a *adaptive) drains(idle bool) bool {
	drained, slow, fast := a.drained, a.latency > 2*a.base, a.latency < a.base/2
	a.drained = false
	a.age++
	switch {
	case a.jump == 0:
		return idle
	case drained && a.before > 2*a.base && a.latency < 0.75*a.before:
		a.limit /= 2 // so much waited because of this limiter
		a.drained = slow
	case drained || idle || fast || a.base == 0:
		far := max(a.base, a.latency) > a.jump*min(a.base, a.latency)
		if a.drained = far && drained && a.age > 1; far && !a.drained { // measured twice
			a.base = a.latency
		}
		a.age = 0
		a.base += (a.latency - a.base) / 4
		return drained || idle
	case slow && a.latency < 1.25*a.before || a.age >= drainAfter:
		a.drained = true
	default:
		a.base += a.drift * (a.latency - a.base)
		return false
	}
	return true
}

// flying returns the number of permits that are in flight, at least fewest.
func (a *adaptive) flying() uint64 { return max(fewest, a.issued.Load()-a.released) }

// begin begins a round.
func (a *adaptive) begin() {
	a.limit = min(max(a.limit, float64(a.min)), float64(a.max))
	a.cohort = cohort{first: a.issued.Load(), size: a.flying()}
}

// effective returns the limit that holds in this round.
func (a *adaptive) effective() int {
	if a.drained {
		return max(a.min, int(a.limit/2))
	}
	return int(min(a.limit, math.MaxInt/4)) // as much as a limiter has
}
