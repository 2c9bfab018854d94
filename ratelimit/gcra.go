package ratelimit

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// The arithmetic is the generic cell rate algorithm in the form of virtual scheduling, of
// ITU-T Recommendation I.371 (1993). With T the interval of the rate and B the burst, n
// permits are granted at the instant now iff
//
//	max(TAT, now) + n·T ≤ now + B·T
//
// and TAT, the theoretical arrival time, becomes the left side. A reading of the clock
// that comes late cannot mint permits: each grant adds n·T to TAT, which is at least the
// first grant's now, and leaves TAT at most at the last grant's now + B·T.
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

// params is a rate and a burst in units.
type params struct {
	Window
	speed    uint64 // units that a nanosecond repays
	cost     uint64 // units that a permit costs
	burst    uint64
	capacity uint64 // burst·cost
	horizon  uint64 // nanoseconds in which maxCapacity is repaid
}

// newParams panics if w is out of range. call is the caller's name.
func newParams(call string, w Window) params {
	misuse.Negative(w.Burst, "ratelimit: "+call+": burst")
	if w.Rate.period == 0 {
		panic("ratelimit: " + call + ": the zero Rate is not usable, make one with Per or Every")
	}
	r, burst := w.Rate.reduced(), max(uint64(w.Burst), 1)
	p := params{Window: w, speed: r.permits, cost: r.period, burst: uint64(w.Burst), horizon: math.MaxInt64}
	switch hi, lo := bits.Mul64(burst, p.cost); {
	case r.unlimited:
		return p
	case p.speed == 0: // nothing is repaid: the cost is only the unit of what is owed
		p.cost = min(p.cost, maxCapacity/burst)
	case hi > 0 || lo > maxCapacity || p.speed > maxSpeed:
		p.speed, p.cost = rounded(r, burst)
	}
	if p.cost == 0 {
		panic(fmt.Sprintf("ratelimit: %s: the burst must take at most 36 years to come back, and rounding change the rate by at most 1 ppm, got %v with a burst of %d", call, w.Rate, w.Burst))
	}
	p.capacity = p.burst * p.cost
	if p.speed > 0 {
		p.horizon = maxCapacity / p.speed
	}
	return p
}

// rounded returns the finest unit in which the burst fits, and the cost of a permit in it,
// rounded up. The cost is 0 if there is no such unit.
func rounded(r Rate, burst uint64) (speed, cost uint64) {
	permits, period := new(big.Int).SetUint64(r.permits), new(big.Int).SetUint64(r.period)
	n := new(big.Int).SetUint64(maxCapacity - min(burst, maxCapacity))
	n.Mul(n, permits).Quo(n, new(big.Int).Mul(period, new(big.Int).SetUint64(burst)))
	speed = maxSpeed
	if n.IsUint64() {
		speed = min(n.Uint64(), maxSpeed)
	}
	n.SetUint64(speed)
	n.Mul(n, period).Add(n, permits).Sub(n, big.NewInt(1)).Quo(n, permits)
	if cost = n.Uint64(); cost < minCost {
		return 0, 0
	}
	return speed, cost
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

// repaid returns the units that are repaid in d, which is at most maxDebt.
func (p *params) repaid(d time.Duration) uint64 {
	if hi, units := bits.Mul64(uint64(d), p.speed); hi == 0 {
		return min(units, maxDebt)
	}
	return maxDebt
}

// delay returns the time until n permits can be granted, if so much is owed now.
func (p *params) delay(debt, n uint64) time.Duration {
	switch {
	case p.Rate.unlimited:
		return 0
	case n > p.burst:
		return Never
	}
	return p.time(max(debt+n*p.cost, p.capacity) - p.capacity)
}

// charged returns the debt after n more permits, which is at most maxDebt.
func (p *params) charged(debt, n uint64) uint64 {
	if p.Rate.unlimited {
		return 0
	}
	if hi, units := bits.Mul64(n, p.cost); hi == 0 && units < maxDebt-min(debt, maxDebt) {
		return debt + units
	}
	return maxDebt
}

// decision describes the answer to a call for n permits, after which so much is owed.
func (p *params) decision(ok bool, debt, n uint64) Decision {
	d := Decision{OK: ok, Limit: p.Burst, Remaining: p.Burst, ResetAfter: p.time(debt)}
	if !p.Rate.unlimited {
		d.Remaining = int((max(p.capacity, debt) - debt) / p.cost)
	}
	if !ok {
		d.RetryAfter = p.delay(debt, n)
	}
	return d
}

// A cell is what is owed at an instant, in nanoseconds since a base.
type cell struct {
	debt uint64
	last int64
}

// advance moves c to now. If the clock has gone back, the debt stays as it is.
func (c *cell) advance(p *params, now int64) {
	if now > c.last && c.debt > 0 {
		c.debt -= min(p.repaid(time.Duration(now-c.last)), c.debt)
	}
	c.last = now
}

// convert keeps what is owed, in permits, when the parameters change. It rounds up to a
// whole unit. If permits are reserved, it keeps what is owed at the last of their instants.
func (c *cell) convert(from, to *params, promised time.Duration) {
	var until uint64 // is repaid by then
	if units := from.repaid(promised); c.debt > units {
		c.debt, until = c.debt-units, to.repaid(promised)
	}
	hi, lo := bits.Mul64(c.debt, to.cost)
	lo, carry := bits.Add64(lo, from.cost-1, 0)
	switch hi += carry; {
	case from.Rate.unlimited || to.Rate.unlimited:
		c.debt = 0
	case hi >= from.cost:
		c.debt = maxDebt
	default:
		q, _ := bits.Div64(hi, lo, from.cost)
		c.debt = min(min(q, maxDebt)+until, maxDebt)
	}
}

// A meter is a cell that is changed without a lock. word is TAT in units since base,
// modulo 2^63, and the lowest bit is slow: the state is behind the lock of the limiter.
// Differences of TAT and now are taken as signed numbers. seen is an instant before which
// TAT is not; a meter that was not seen for longer than the horizon is renewed behind the
// lock.
//
// The parameters never change. A limiter whose parameters change gets another meter, and
// the old one stays slow.
type meter struct {
	params
	base time.Time
	_    [128]byte // the words change all the time, the parameters never
	seen sched.Uint64
	word sched.Uint64
	_    [112]byte
}

const slow = 1

// A verdict is the answer of a meter to a call.
type verdict int

const (
	denied verdict = iota
	granted
	unsure // the answer is behind the lock
)

// read returns the word, the instant and the debt. It reads the clock after the word, so
// no grant in the word was made after that instant. More owed than the capacity is either
// reserved or means that the clock has gone back: ok is false.
func (m *meter) read() (word, now, debt uint64, ok bool) {
	seen := m.seen.Load()
	word = m.word.Load()
	if word&slow != 0 {
		return 0, 0, 0, false
	}
	since := uint64(time.Since(m.base))
	now = since * m.speed << 1
	debt = uint64(max(int64(word-now)>>1, 0))
	return word, now, debt, since-seen <= m.horizon && debt <= m.capacity
}

// take takes n permits, and returns what is owed after that.
func (m *meter) take(n uint64) (v verdict, debt uint64) {
	for {
		word, now, debt, ok := m.read()
		switch {
		case !ok:
			return unsure, 0
		case m.Rate.unlimited:
			return granted, 0
		case n > m.burst || debt+n*m.cost > m.capacity:
			return denied, debt
		}
		debt += n * m.cost
		if m.word.CompareAndSwap(word, now+debt<<1) {
			return granted, debt
		}
	}
}

// put publishes c, which then can be changed without a lock.
func (m *meter) put(c cell) (word uint64) {
	word = (uint64(c.last)*m.speed + c.debt) << 1
	m.seen.Store(uint64(c.last))
	m.word.Store(word)
	return word
}

// get moves c to now, with what was granted since it was put, and returns how many
// permits that were, or more. It is called with the slow bit set; old is the word without
// it.
func (m *meter) get(c *cell, put, old uint64, now int64) (permits uint64) {
	c.last = int64(m.seen.Load())
	c.debt = (old>>1 - uint64(c.last)*m.speed) & (1<<63 - 1)
	c.advance(&m.params, now)
	if rise := (old - put) >> 1; rise > 0 {
		c.debt = min(c.debt, m.capacity) // more means that the clock has gone back
		permits = (rise-1)/m.cost + 1
	}
	return permits
}
