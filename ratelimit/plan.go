package ratelimit

import (
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/point"
)

// A word holds the state of a limiter: its theoretical arrival time, and in the
// lowest two bits who may use it. The time is in units of a plan since an epoch.
type word = atomic.Uint64

const (
	// open: the time is all there is to know, and who asks may change it.
	open = iota
	// held: the state is elsewhere, behind a lock.
	held
	// shut: somebody waits, or the limiter is stopped, so the answer is no.
	shut
	// dead: the word belongs to nobody any more. Who sees it looks again, and so
	// does who sees one that is shut and held as well.
	dead

	states  = 3
	timeBit = 2
	// most is the largest time since an epoch, and the largest burst, in units.
	// Sums of two fit in a word.
	most = 1 << 60
)

// A verdict is what a word says to a claim.
type verdict int

const (
	denied verdict = iota
	granted
	unsure // ask behind the lock
)

// A plan is a rate and a burst, in the arithmetic of one word. It does not
// change.
//
// It is the generic cell rate algorithm, in the form of virtual scheduling, of
// ITU-T Recommendation I.371 (1993) and the ATM Forum's Traffic Management
// Specification: with T the interval of the rate and B the burst, n permits are
// granted at the instant now iff
//
//	max(TAT, now) + n·T ≤ now + B·T
//
// and TAT, the theoretical arrival time of the next permit if they came evenly,
// becomes the left side. With max a reading of the clock that comes late can't
// mint permits: take the first and the last grant of a window in the order of
// the compare-and-swaps; each adds n·T to TAT, which was at least the first
// one's now, and the last one leaves TAT at most at its now + B·T.
//
// In lowest terms the rate is permits in period nanoseconds. With 1/permits of a
// nanosecond as the unit, everything is a whole number: a nanosecond is permits
// units, T is period units. So no interval is rounded.
type plan struct {
	permits   uint64
	period    uint64
	burst     uint64
	capacity  uint64 // burst·period
	span      uint64 // nanoseconds after an epoch whose units still fit in a word
	unlimited bool
	// fits is false for extremes: bursts that take more than 36 years to come
	// back, and more than 4 permits a nanosecond. They are exact too, in 128
	// bits behind a lock.
	fits bool
}

func newPlan(r Rate, burst uint64) plan {
	r = r.reduced()
	capacity := mul(burst, r.period)
	return plan{
		permits:   r.permits,
		period:    r.period,
		burst:     burst,
		capacity:  capacity.lo,
		span:      most / max(r.permits, 1),
		unlimited: r.unlimited,
		fits:      r.unlimited || capacity.hi == 0 && capacity.lo <= most && r.permits <= 1<<32,
	}
}

// A clock tells the time since an epoch, which is counted from base. base has
// the monotonic reading, if there is one: time.Since reads one clock then, where
// time.Now reads two.
type clock struct {
	base  time.Time
	epoch time.Duration
}

// since returns a number beyond every span before the epoch.
func (c *clock) since() uint64 { return uint64(time.Since(c.base) - c.epoch) }

// attempt takes n permits from w if they can be had now. It returns the
// theoretical arrival time after that, or as it is, and the instant in units.
//
// It reads the clock after the word, so that all grants in the word were made at
// or before that instant; if the word has changed meanwhile, an older reading is
// good enough to grant but not to deny. It is not good enough to say what is left
// either, so the instant is 0 then. A time that is still too far ahead means that
// the clock has gone back.
func (p *plan) attempt(w *word, c *clock, n uint64) (v verdict, tat, now uint64) {
	point.At("ratelimit: claim before it reads the word")
	old := w.Load()
	var since uint64
	fresh := false
	for {
		switch old & states {
		case open:
		case shut:
			return denied, 0, 0
		default:
			return unsure, 0, 0
		}
		if p.unlimited {
			return granted, 0, 0
		}
		if since == 0 {
			since, fresh = c.since(), true
			point.At("ratelimit: claim has read the clock")
		}
		if since > p.span {
			return unsure, 0, 0
		}
		tat, now = old>>timeBit, since*p.permits
		if n <= p.burst {
			if next := max(tat, now) + n*p.period; next <= now+p.capacity {
				if w.CompareAndSwap(old, next<<timeBit) {
					if !fresh {
						now = 0
					}
					return granted, next, now
				}
				point.At("ratelimit: claim was beaten")
				old, fresh = w.Load(), false
				continue
			}
		}
		if !fresh {
			since = 0
			continue
		}
		if tat > now+p.capacity {
			return unsure, 0, 0
		}
		return denied, tat, now
	}
}

// denies reports whether w says no to n permits, without a change.
func (p *plan) denies(w *word, c *clock, n uint64) bool {
	point.At("ratelimit: look before it reads the word")
	old := w.Load()
	if old&states != open {
		return old&states == shut
	}
	if p.unlimited {
		return false
	}
	since := c.since()
	if since > p.span {
		return false
	}
	tat, now := old>>timeBit, since*p.permits
	return tat <= now+p.capacity && (n > p.burst || max(tat, now)+n*p.period > now+p.capacity)
}

// decide is attempt that says what it has found. It is unsure also of a word that
// is shut, which says no and nothing else.
func (p *plan) decide(w *word, c *clock, n uint64) (v verdict, d Decision) {
	v, tat, now := p.attempt(w, c, n)
	switch {
	case v == unsure || v == denied && tat|now == 0:
		return unsure, Decision{}
	case v == granted && now == 0: // it was beaten
		now = min(c.since(), p.span) * p.permits
	}
	return v, p.decision(v, tat, now, n)
}

// decision says what a claim has found.
func (p *plan) decision(v verdict, tat, now, n uint64) Decision {
	d := Decision{OK: v == granted, Limit: int(p.burst), Remaining: int(p.burst)}
	if p.unlimited {
		return d
	}
	debt := max(tat, now) - now
	d.Remaining = int((p.capacity - debt) / p.period)
	d.ResetAfter = p.repaid(debt)
	switch {
	case d.OK:
	case n > p.burst:
		d.RetryAfter = Never
	default:
		d.RetryAfter = p.repaid(debt + n*p.period - p.capacity)
	}
	return d
}

// repaid returns how long it takes until so many units are repaid.
func (p *plan) repaid(units uint64) time.Duration {
	switch {
	case units == 0:
		return 0
	case p.permits == 0:
		return Never
	}
	return time.Duration((units-1)/p.permits + 1)
}

func (p *plan) rate() Rate { return Rate{p.permits, p.period, p.unlimited} }
