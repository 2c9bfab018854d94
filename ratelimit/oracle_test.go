package ratelimit_test

import (
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// An oracle says what a limiter must do, in rational arithmetic and with no
// regard to cost. It counts what is owed in permits.
type oracle struct {
	now       int64 // ns
	owed      *big.Rat
	n, d      int64 // the rate: n in d ns
	unlimited bool
	outside   bool // of the bubbles; it was made long after they are
	burst     int64
	pins      []oraclePin // by instant, all after now
	line      []oracleWaiter
	lastID    int
}

type oraclePin struct {
	at, n int64
	id    int
}

type oracleWaiter struct {
	n  int64
	id int
}

func (o *oracle) rate() *big.Rat { return big.NewRat(o.n, o.d) } // permits per ns

// after returns what is owed dt later.
func (o *oracle) after(owed *big.Rat, dt int64) *big.Rat {
	left := new(big.Rat).Mul(o.rate(), new(big.Rat).SetInt64(dt))
	if left.Sub(owed, left).Sign() < 0 {
		left.SetInt64(0)
	}
	return left
}

// until returns the whole ns after which so much is repaid.
func (o *oracle) until(permits *big.Rat) (ns int64, ok bool) {
	if permits.Sign() <= 0 {
		return 0, true
	}
	if o.n == 0 {
		return 0, false
	}
	q := new(big.Rat).Quo(permits, o.rate())
	up := new(big.Int).Add(q.Num(), q.Denom())
	up.Sub(up, big.NewInt(1)).Quo(up, q.Denom())
	return up.Int64(), up.IsInt64() && up.Int64() <= o.room()
}

// room returns how far the limiter can look ahead: it counts from when it was
// made, in 63 bits.
func (o *oracle) room() int64 {
	if o.outside {
		return math.MaxInt64 - 1
	}
	return math.MaxInt64 - 1 - o.now
}

func (o *oracle) plus(owed *big.Rat, n int64) *big.Rat {
	return new(big.Rat).Add(owed, new(big.Rat).SetInt64(n))
}

func (o *oracle) over(owed *big.Rat) bool { return owed.Cmp(new(big.Rat).SetInt64(o.burst)) > 0 }

// earliest returns the first instant from which on n permits can be granted. It
// tries the stretches of time between the promises: the earliest instant of one at
// which the burst suffices is also the one that leaves the least for later.
func (o *oracle) earliest(n, from int64) (at int64, ok bool) {
	if o.unlimited {
		return from, true
	}
	if n > o.burst {
		return 0, false
	}
	owed, last := o.owed, o.now
	for i := 0; ; i++ {
		start := max(from, last)
		if end := int64(math.MaxInt64); i < len(o.pins) {
			end = o.pins[i].at
			if at, ok := o.fits(owed, last, start, end, n, o.pins[i:]); ok {
				return at, true
			}
			owed, last = o.plus(o.after(owed, end-last), o.pins[i].n), end
			continue
		} else if at, ok := o.fits(owed, last, start, end, n, nil); ok {
			return at, true
		}
		return 0, false
	}
}

func (o *oracle) fits(owed *big.Rat, last, start, end, n int64, pins []oraclePin) (at int64, ok bool) {
	if start >= end {
		return 0, false
	}
	owed = o.after(owed, start-last)
	wait, ok := o.until(new(big.Rat).Sub(o.plus(owed, n), new(big.Rat).SetInt64(o.burst)))
	if !ok || wait >= end-start {
		return 0, false
	}
	at = start + wait
	owed, last = o.plus(o.after(owed, wait), n), at
	for _, p := range pins {
		owed, last = o.plus(o.after(owed, p.at-last), p.n), p.at
		if o.over(owed) {
			return 0, false
		}
	}
	return at, true
}

// advance moves to an instant up to which nobody who waits is due.
func (o *oracle) advance(to int64) {
	for len(o.pins) > 0 && o.pins[0].at <= to {
		p := o.pins[0]
		o.owed, o.now = o.plus(o.after(o.owed, p.at-o.now), p.n), p.at
		o.pins = o.pins[1:]
	}
	o.owed, o.now = o.after(o.owed, to-o.now), to
}

func (o *oracle) charge(n int64) {
	if !o.unlimited {
		o.owed = o.plus(o.owed, n)
	}
}

// run moves to an instant and grants on the way. It returns who was granted, by
// id, and when.
func (o *oracle) run(to int64) map[int]int64 {
	grants := map[int]int64{}
	for len(o.line) > 0 {
		at, ok := o.earliest(o.line[0].n, o.now)
		if !ok || at > to {
			break
		}
		o.advance(at)
		o.charge(o.line[0].n)
		grants[o.line[0].id] = at
		o.line = o.line[1:]
	}
	o.advance(to)
	return grants
}

func (o *oracle) allow(n int64) bool {
	if len(o.line) > 0 {
		return false
	}
	at, ok := o.earliest(n, o.now)
	if !ok || at > o.now {
		return false
	}
	o.charge(n)
	return true
}

// delay returns how long n permits take, behind all who wait.
func (o *oracle) delay(n int64) time.Duration {
	p := *o
	p.pins = slices.Clone(o.pins)
	from := o.now
	for _, w := range append(slices.Clone(o.line), oracleWaiter{n: n}) {
		at, ok := p.earliest(w.n, from)
		if !ok {
			return ratelimit.Never
		}
		p.pin(at, w.n)
		from = at
	}
	return time.Duration(from - o.now)
}

func (o *oracle) pin(at, n int64) (id int) {
	if at == o.now {
		o.charge(n)
		return 0
	}
	if o.unlimited {
		return 0
	}
	i := 0
	for i < len(o.pins) && o.pins[i].at <= at {
		i++
	}
	o.lastID++
	o.pins = slices.Insert(o.pins, i, oraclePin{at, n, o.lastID})
	return o.lastID
}

func (o *oracle) take(n int64) ratelimit.Decision {
	d := ratelimit.Decision{OK: o.allow(n), Limit: int(o.burst)}
	if !d.OK {
		d.RetryAfter = o.delay(n)
	}
	if o.unlimited {
		d.Remaining = d.Limit
		return d
	}
	for k := o.burst; k > 0 && len(o.line) == 0; k-- {
		if at, ok := o.earliest(k, o.now); ok && at == o.now {
			d.Remaining = int(k)
			break
		}
	}
	owed, last := o.owed, o.now
	for _, p := range o.pins {
		owed, last = o.plus(o.after(owed, p.at-last), p.n), p.at
	}
	if wait, ok := o.until(owed); ok && wait <= o.room()-(last-o.now) {
		d.ResetAfter = time.Duration(last - o.now + wait)
	} else {
		d.ResetAfter = ratelimit.Never
	}
	return d
}

// setRate rounds what is owed up to what it can be counted in: a permit divided
// by the period in lowest terms.
func (o *oracle) setRate(n, d int64, unlimited bool) {
	if o.unlimited || unlimited {
		o.owed, o.pins = new(big.Rat), nil
	}
	o.n, o.d, o.unlimited = n, d, unlimited
	unit := big.NewInt(d)
	if n > 0 {
		unit = big.NewRat(n, d).Denom()
	}
	x := new(big.Rat).Mul(o.owed, new(big.Rat).SetInt(unit))
	up := new(big.Int).Add(x.Num(), x.Denom())
	up.Sub(up, big.NewInt(1)).Quo(up, x.Denom())
	o.owed = new(big.Rat).SetFrac(up, unit)
}

// setBurst returns the ids of those who wait for more.
func (o *oracle) setBurst(burst int64) (gone []int) {
	o.burst = burst
	o.line = slices.DeleteFunc(o.line, func(w oracleWaiter) bool {
		if o.unlimited || w.n <= burst {
			return false
		}
		gone = append(gone, w.id)
		return true
	})
	return gone
}

// jump moves to an instant before now. What is known to be owed stays owed;
// after a grant that was not looked at since, the theoretical arrival time stays
// where it is, with no more than the burst owed.
func (o *oracle) jump(to int64, known bool) {
	back := o.now - to
	for i := range o.pins {
		o.pins[i].at -= back
	}
	if !known && !o.unlimited {
		o.owed.Add(o.owed, new(big.Rat).Mul(o.rate(), new(big.Rat).SetInt64(back)))
		if o.over(o.owed) {
			o.owed = new(big.Rat).SetInt64(o.burst)
		}
	}
	o.now = to
}
