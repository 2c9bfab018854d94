package ratelimit

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// The arithmetic is the generic cell rate algorithm in the form of virtual scheduling, of
// ITU-T Recommendation I.371 (1993). With T the interval of the rate and B the burst, n
// permits are granted at the instant now iff
//
//	max(TAT, now) + n·T ≤ now + B·T
//
// and TAT, the theoretical arrival time, becomes the left side. A debt is TAT - now.
//
// In lowest terms the rate is permits in period nanoseconds. The unit is 1/permits of a
// nanosecond, in which a nanosecond and T are whole numbers. So the remainder of an
// interval is carried.
const (
	maxCapacity = 1 << 60 // the largest burst, in units
	maxDebt     = 1 << 61 // the most that can be owed, in units
	maxSpeed    = 1 << 31 // the most units in a nanosecond
	minCost     = 1e6     // of a permit whose interval is rounded: by 1 ppm at most
)

// params is a rate and a burst in units. With an unlimited rate, a permit costs nothing and
// no burst is too small.
type params struct {
	Window
	speed    uint64 // units that a nanosecond repays
	cost     uint64 // units that a permit costs
	burst    uint64
	capacity uint64 // burst·cost
}

// newParams panics if w is out of range. call is the caller's name.
func newParams(call string, w Window) params {
	misuse.Negative(w.Burst, "ratelimit: "+call+": burst")
	if w.Rate.period == 0 {
		panic("ratelimit: " + call + ": the zero Rate is not usable, make one with Per or Every")
	}
	if w.Rate.unlimited {
		return params{Window: w, burst: math.MaxUint64}
	}
	r, burst := w.Rate.reduced(), max(uint64(w.Burst), 1)
	p := params{Window: w, speed: r.permits, cost: r.period, burst: uint64(w.Burst)}
	switch hi, lo := bits.Mul64(burst, p.cost); {
	case p.speed == 0: // nothing is repaid: the cost is only the unit of the debt
		p.cost = min(p.cost, maxCapacity/burst)
	case hi > 0 || lo > maxCapacity || p.speed > maxSpeed:
		p.speed, p.cost = rounded(r, burst)
	}
	if p.cost == 0 {
		panic(fmt.Sprintf("ratelimit: %s: the burst must take at most 36 years to come back, and rounding change the rate by at most 1 ppm, got %v with a burst of %d", call, w.Rate, w.Burst))
	}
	p.capacity = p.burst * p.cost
	return p
}

// reduced returns the same rate in lowest terms. The period of a rate of 0 stays as it
// is.
func (r Rate) reduced() Rate {
	if r.permits == 0 {
		return r
	}
	a, b := r.permits, r.period
	for b != 0 {
		a, b = b, a%b
	}
	return Rate{permits: r.permits / a, period: r.period / a}
}

// rounded returns a unit in which the burst fits, and the cost of a permit in it, rounded
// up. The cost is 0 if there is no such unit.
func rounded(r Rate, burst uint64) (speed, cost uint64) {
	speed = maxSpeed
	most := maxCapacity/burst - min(1, maxCapacity/burst) // the cost before it is rounded up
	if hi, lo := bits.Mul64(most, r.permits); hi < r.period {
		quo, _ := bits.Div64(hi, lo, r.period)
		speed = min(quo, maxSpeed)
	}
	hi, lo := bits.Mul64(speed, r.period)
	if hi >= r.permits {
		return 0, 0
	}
	cost, rest := bits.Div64(hi, lo, r.permits)
	if cost += min(rest, 1); cost < minCost {
		return 0, 0
	}
	return speed, cost
}

// product returns a·b, at most maxDebt.
func product(a, b uint64) uint64 {
	if hi, lo := bits.Mul64(a, b); hi == 0 {
		return min(lo, maxDebt)
	}
	return maxDebt
}

// repaid returns the units that are repaid in d.
func (p *params) repaid(d time.Duration) uint64 { return product(uint64(d), p.speed) }

// after returns the rest of a debt after d. A clock that has gone back repays nothing.
func (p *params) after(debt uint64, d time.Duration) uint64 {
	if d <= 0 || debt == 0 {
		return debt
	}
	return debt - min(p.repaid(d), debt)
}

// time returns the nanoseconds in which units are repaid, rounded up; Never if that is
// never.
func (p *params) time(units uint64) time.Duration {
	switch {
	case units == 0:
		return 0
	case p.speed == 0:
		return Never
	}
	return time.Duration((units-1)/p.speed + 1)
}

// fits reports whether n permits can be granted, if so much is owed now.
func (p *params) fits(debt, n uint64) bool {
	return n <= p.burst && debt+n*p.cost <= p.capacity
}

// delay returns the time until n permits can be granted, if so much is owed now.
func (p *params) delay(debt, n uint64) time.Duration {
	if n > p.burst {
		return Never
	}
	return p.time(max(debt+n*p.cost, p.capacity) - p.capacity)
}

// charged returns the debt after n more permits, which is at most maxDebt.
func (p *params) charged(debt, n uint64) uint64 {
	return min(debt+product(n, p.cost), maxDebt)
}

// converted returns a debt with other parameters: as many permits, rounded up to a whole
// unit. If permits are promised until an instant, it is the debt at that instant which stays
// the same.
func (p *params) converted(debt uint64, to *params, promised time.Duration) uint64 {
	var until uint64 // is repaid by then
	if units := p.repaid(promised); debt > units {
		debt, until = debt-units, to.repaid(promised)
	}
	hi, lo := bits.Mul64(debt, to.cost)
	lo, carry := bits.Add64(lo, p.cost-1, 0)
	switch hi += carry; {
	case p.cost == 0 || to.cost == 0:
		return 0
	case hi >= p.cost:
		return maxDebt
	}
	debt, _ = bits.Div64(hi, lo, p.cost)
	return min(min(debt, maxDebt)+until, maxDebt)
}

// permits returns how many permits a debt is worth.
func (p *params) permits(debt uint64) float64 { return float64(debt) / float64(max(p.cost, 1)) }

// decision describes the answer to a call for n permits, after which so much is owed.
func (p *params) decision(ok bool, debt, n uint64) Decision {
	d := Decision{OK: ok, Limit: p.Burst, Remaining: p.Burst, ResetAfter: p.time(debt)}
	if p.cost > 0 {
		d.Remaining = int((max(p.capacity, debt) - debt) / p.cost)
	}
	if !ok {
		d.RetryAfter = p.delay(debt, n)
	}
	return d
}
