package ratelimit

import (
	"math"
	"math/big"
	"slices"
	"time"
)

// A bucket is the arithmetic of a limiter behind its lock: a function of time,
// with no clock. It is the law of a plan, seen as a leaky bucket: the debt is
// what TAT is ahead of now. There is room for everything here: extremes,
// and permits that are promised for later.
//
// Permits that have been granted are a debt that time repays. One permit costs
// rate.period units, a nanosecond repays rate.permits units, and n permits can
// be granted when the debt is then at most burst·rate.period. An interval that
// is no whole number of nanoseconds is therefore neither rounded nor forgotten:
// what is left of it stays in the debt. In a closed window from a grant to a
// later one, the debt rises by what is granted, falls by at most permits·length,
// and is at most burst·period at its end: so at most burst + rate·length is
// granted.
//
// A pin is a claim that has been promised for an instant to come: it becomes
// debt when that is reached, and nothing may be granted before it that would
// make it too much then.
//
// Floating point was no option, since a limiter may run for years: a float64 of
// nanoseconds loses the ninth digit of a second after some months.
type bucket struct {
	rate  Rate // in lowest terms
	burst uint64
	last  time.Duration // the instant of debt
	debt  u128
	pins  []pin // by instant, all after last
}

type pin struct {
	id uint64
	at time.Duration
	n  uint64
}

func newBucket(p plan) bucket {
	return bucket{rate: p.rate(), burst: p.burst}
}

func (b *bucket) cost(n uint64) u128 { return mul(n, b.rate.period) }

func (b *bucket) capacity() u128 { return b.cost(b.burst) }

// advance moves the bucket to now. A clock that has gone back, as it seems to
// one made outside a synctest bubble and used inside, shifts everything: what is
// owed stays owed, for as long as before and no longer. That can't be a reading
// which comes late, since clocks are read under the lock.
func (b *bucket) advance(now time.Duration) {
	if back := b.last - now; back > 0 {
		for i := range b.pins {
			b.pins[i].at -= back
		}
		b.last = now
		return
	}
	due := 0
	for ; due < len(b.pins) && b.pins[due].at <= now; due++ {
		b.repay(b.pins[due].at)
		b.debt = b.debt.add(b.cost(b.pins[due].n))
	}
	if due > 0 {
		b.pins = slices.Delete(b.pins, 0, due)
	}
	b.repay(now)
}

func (b *bucket) repay(to time.Duration) {
	b.debt = b.debt.sub(mul(uint64(to-b.last), b.rate.permits))
	b.last = to
}

// between returns how long it is from now to at, which is not before it; Never
// if that does not fit.
func between(now, at time.Duration) time.Duration {
	if at-now < 0 {
		return Never
	}
	return at - now
}

// earliest returns the first instant, not before from, at which n permits can be
// granted; ok is false if there is none.
func (b *bucket) earliest(n uint64, from time.Duration) (at time.Duration, ok bool) {
	if b.rate.unlimited {
		return from, true
	}
	cost, capacity := b.cost(n), b.capacity()
	if n > b.burst {
		return 0, false
	}
	sim, pins := bucket{rate: b.rate, last: b.last, debt: b.debt}, b.pins
	at = max(from, b.last)
	for {
		for len(pins) > 0 && pins[0].at <= at {
			sim.repay(pins[0].at)
			sim.debt = sim.debt.add(b.cost(pins[0].n))
			pins = pins[1:]
		}
		sim.repay(at)
		if after := sim.debt.add(cost); capacity.less(after) {
			wait, rest, ok := after.sub(capacity).div(b.rate.permits)
			if rest {
				wait++
			}
			// Instants before the limiter's base, after a jump back, are negative.
			fits := ok && wait <= uint64(math.MaxInt64-max(at, at-b.last))
			switch {
			case len(pins) > 0 && (!fits || pins[0].at <= at+time.Duration(wait)):
				at = pins[0].at // and what it adds
			case !fits:
				return 0, false
			default:
				at += time.Duration(wait)
			}
			continue
		}
		broken := breaks(sim, pins, cost, capacity)
		if broken == nil {
			return at, true
		}
		at = broken.at // anything before it would break it as well
	}
}

// breaks returns the first of pins that would not fit any more after a claim of
// the given cost now, nil if all do.
func breaks(sim bucket, pins []pin, cost, capacity u128) *pin {
	sim.debt = sim.debt.add(cost)
	for i := range pins {
		sim.repay(pins[i].at)
		sim.debt = sim.debt.add(sim.cost(pins[i].n))
		if capacity.less(sim.debt) {
			return &pins[i]
		}
	}
	return nil
}

// take grants n permits at the bucket's instant.
func (b *bucket) take(n uint64) {
	if !b.rate.unlimited {
		b.debt = b.debt.add(b.cost(n))
	}
}

// pin promises n permits for an instant to come.
func (b *bucket) pin(id uint64, at time.Duration, n uint64) {
	i, _ := slices.BinarySearchFunc(b.pins, at, func(p pin, at time.Duration) int {
		if p.at <= at {
			return -1
		}
		return 1
	})
	b.pins = slices.Insert(b.pins, i, pin{id, at, n})
}

// unpin takes a promise back and reports whether it was still to come.
func (b *bucket) unpin(id uint64) bool {
	n := len(b.pins)
	b.pins = slices.DeleteFunc(b.pins, func(p pin) bool { return p.id == id })
	return len(b.pins) < n
}

// until returns how long it is to a pin, 0 if its instant has come.
func (b *bucket) until(id uint64) time.Duration {
	for _, p := range b.pins {
		if p.id == id {
			return p.at - b.last
		}
	}
	return 0
}

// remaining returns how many permits can be granted now.
func (b *bucket) remaining() uint64 {
	if b.rate.unlimited {
		return b.burst
	}
	free, _, _ := b.capacity().sub(b.debt).div(b.rate.period)
	if len(b.pins) == 0 || free == 0 {
		return free
	}
	// Not more than the pins leave: the largest number that can be had now.
	lo, hi := uint64(0), free
	for lo < hi {
		mid := hi - (hi-lo)/2
		if at, ok := b.earliest(mid, b.last); ok && at == b.last {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// reset returns how long it takes until nothing is owed any more.
func (b *bucket) reset() time.Duration {
	if b.rate.unlimited {
		return 0
	}
	sim := *b
	for _, p := range b.pins {
		sim.repay(p.at)
		sim.debt = sim.debt.add(sim.cost(p.n))
	}
	if sim.debt.zero() {
		return sim.last - b.last
	}
	wait, rest, ok := sim.debt.div(b.rate.permits)
	if rest {
		wait++
	}
	if !ok || wait > uint64(math.MaxInt64-(sim.last-b.last)) {
		return Never
	}
	return sim.last - b.last + time.Duration(wait)
}

// setRate changes the rate from now on. As many permits are owed as before,
// rounded up to the next unit, less than what a nanosecond repays.
func (b *bucket) setRate(r Rate) {
	r = r.reduced()
	if b.rate.unlimited || r.unlimited {
		b.debt, b.pins = u128{}, nil
	} else if r.period != b.rate.period {
		x := new(big.Int).SetUint64(b.debt.hi)
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(b.debt.lo))
		x.Mul(x, new(big.Int).SetUint64(r.period))
		old := new(big.Int).SetUint64(b.rate.period)
		x.Add(x, old).Sub(x, big.NewInt(1)).Quo(x, old)
		lo := new(big.Int).And(x, new(big.Int).SetUint64(math.MaxUint64))
		b.debt = u128{x.Rsh(x, 64).Uint64(), lo.Uint64()}
	}
	b.rate = r
}

func (b *bucket) clone() bucket {
	c := *b
	c.pins = slices.Clone(b.pins)
	return c
}
