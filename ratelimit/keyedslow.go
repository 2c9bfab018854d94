package ratelimit

import (
	"time"

	"github.com/tandemgo/tandem/internal/point"
)

// What a Keyed does behind the lock of a shard.

// planOf returns the plan of a key that is new. It calls user code.
func (x *Keyed[K]) planOf(k K) *plan {
	if x.limits == nil {
		return x.plan
	}
	rate, burst := x.limits(k)
	p := checkedPlan("WithLimits", rate, burst)
	x.plansMu.Lock()
	defer x.plansMu.Unlock()
	if shared := x.plans[p]; shared != nil {
		return shared
	}
	if len(x.plans) < maxPlans {
		x.plans[p] = &p
	}
	return &p
}

// lockFor locks sh and returns the slot of k, or the plan for a new one.
func (x *Keyed[K]) lockFor(sh *shard[K], hash uint64, k K) (s *slot[K], p *plan) {
	point.At("ratelimit: keyed before the lock")
	sh.mu.Lock()
	for {
		if s = sh.table.Load().find(hash, k); s != nil {
			return s, s.plan
		}
		if p != nil {
			return nil, p
		}
		sh.mu.Unlock()
		p = x.planOf(k)
		point.At("ratelimit: keyed before the second lock")
		sh.mu.Lock()
	}
}

// ask is Take for a key that has no limiter yet, or one that can't be used
// without the lock. If brief, only OK is of interest.
func (x *Keyed[K]) ask(sh *shard[K], hash uint64, k K, n uint64, brief bool) Decision {
	s, p := x.lockFor(sh, hash, k)
	d, g := x.askLocked(sh, hash, k, n, s, p, brief)
	crowded := g != nil && s == nil && g.keep
	sh.mu.Unlock()
	if crowded {
		point.At("ratelimit: keyed before it makes room elsewhere")
		x.sweepNext()
	}
	return d
}

// askLocked takes n permits, from the limiter that is returned or, if that is
// nil, from a word.
func (x *Keyed[K]) askLocked(sh *shard[K], hash uint64, k K, n uint64, s *slot[K], p *plan, brief bool) (Decision, *guest) {
	if s == nil {
		return x.firstLocked(sh, hash, k, n, p, brief)
	}
	for {
		if s.word.Load()&states == held {
			g := sh.guests[k]
			return g.take(n, brief), g
		}
		t := sh.table.Load()
		if v, d := p.decide(&s.word, &t.clock, n); v != unsure {
			return d, nil
		}
		// The epoch is too long ago, or the clock has gone back.
		x.rebuildLocked(sh)
		if s = sh.table.Load().find(hash, k); s == nil { // nothing is owed
			return x.firstLocked(sh, hash, k, n, p, brief)
		}
	}
}

// firstLocked takes n permits of a key that has no limiter, and makes one if they
// are granted.
func (x *Keyed[K]) firstLocked(sh *shard[K], hash uint64, k K, n uint64, p *plan, brief bool) (Decision, *guest) {
	if p.unlimited {
		return p.decision(granted, 0, 0, n), nil
	}
	if n > p.burst {
		return p.decision(denied, 0, 0, n), nil
	}
	now := time.Since(x.base)
	sh.sweepLocked(now, sweepSlots, &x.keys)
	debt, free := u128{}, true
	if g := sh.cellOf(hash); g != nil {
		// It may be k that owes here, or that waits.
		debt, now = g.l.owed()
		debt = convert(debt, g.l.limit().period, p.period)
		free = g.refs == 0 && !mul(p.burst, p.period).less(debt.add(mul(n, p.period)))
	}
	if !free || !x.place() {
		sh.shared++
		g := sh.cellLocked(hash, p, x.base)
		return g.take(n, brief), g
	}
	t := sh.table.Load()
	if sh.fullLocked(t) || uint64(now-t.epoch) > p.span || sh.dead*2 > len(t.slots) {
		t = x.rebuildLocked(sh)
		debt, now = debt.sub(mul(uint64(t.epoch-now), p.permits)), t.epoch
	}
	sh.used++
	if !p.fits {
		g := x.inviteLocked(sh, k, p, debt, now)
		g.keep = true
		t.add(hash, k, p, held)
		return g.take(n, brief), g
	}
	at := uint64(now-t.epoch) * p.permits
	tat := at + debt.lo + n*p.period
	t.add(hash, k, p, tat<<timeBit)
	return p.decision(granted, tat, at, n), nil
}

// place takes a place for a key, if there is one.
func (x *Keyed[K]) place() bool {
	if x.keys.Add(1) > x.max {
		x.keys.Add(-1)
		return false
	}
	return true
}

// inviteLocked makes a limiter for k, who owes debt at an instant.
func (x *Keyed[K]) inviteLocked(sh *shard[K], k K, p *plan, debt u128, at time.Duration) *guest {
	g := &guest{l: newLimiter(x.base, *p, 0)}
	g.l.owe(debt, at)
	if sh.guests == nil {
		sh.guests = map[K]*guest{}
	}
	sh.guests[k] = g
	return g
}

// rebuildLocked gives sh a new table.
func (x *Keyed[K]) rebuildLocked(sh *shard[K]) *table[K] {
	t := sh.rebuildLocked(x.base, &x.keys)
	sh.table.Store(t)
	return t
}

// tidyLocked drops the table if nobody is left in it, or most are dead.
func (x *Keyed[K]) tidyLocked(sh *shard[K]) {
	switch {
	case sh.used == sh.dead:
		sh.table.Store(nil)
		sh.used, sh.dead = 0, 0
	case sh.dead*2 > sh.used && sh.used > 16:
		x.rebuildLocked(sh)
	}
}

// sweepNext makes room in some shard, since there was none where it was needed.
func (x *Keyed[K]) sweepNext() {
	sh := &x.shards[x.next.Add(1)%uint32(len(x.shards))]
	if sh.mu.TryLock() {
		sh.sweepLocked(time.Since(x.base), sweepSlots, &x.keys)
		sh.mu.Unlock()
	}
}

// lineUp grants n permits at once, in which case it returns nil, or returns the
// limiter at which to wait for them, or says why there is no point in that.
func (x *Keyed[K]) lineUp(sh *shard[K], hash uint64, k K, n uint64, deadline time.Time, limited bool) (*guest, error) {
	s, p := x.lockFor(sh, hash, k)
	defer sh.mu.Unlock()
	d, g := x.askLocked(sh, hash, k, n, s, p, true)
	switch {
	case d.OK:
		return nil, nil
	case n > p.burst:
		return nil, exceeds(n, p.burst)
	case g == nil:
		if limited {
			if err := tooLate(n, d.RetryAfter, deadline); err != nil {
				return nil, err
			}
		}
		t := sh.table.Load()
		s = t.find(hash, k)
		point.At("ratelimit: keyed before it holds the word")
		w, now := s.word.Swap(held), time.Since(x.base)
		g = x.inviteLocked(sh, k, p, u128{0, p.owed(w, t.epoch, now)}, now)
	}
	g.refs++
	sh.waiting++
	return g, nil
}

// leave goes from a limiter at which to wait. The last one takes it along.
func (x *Keyed[K]) leave(sh *shard[K], hash uint64, k K, g *guest) {
	point.At("ratelimit: keyed waiter before it leaves")
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.waiting--
	if g.refs--; g.refs > 0 || g.keep {
		return
	}
	t := sh.table.Load()
	s := t.find(hash, k)
	if uint64(time.Since(x.base)-t.epoch) > s.plan.span {
		t = x.rebuildLocked(sh) // with k still a guest
		s = t.find(hash, k)
	}
	delete(sh.guests, k)
	debt, now := g.l.owed()
	if debt.zero() {
		s.word.Store(dead)
		sh.buriedLocked(&x.keys)
		sh.evicted++
		x.tidyLocked(sh)
		return
	}
	s.word.Store((uint64(now-t.epoch)*s.plan.permits + debt.lo) << timeBit)
}

// convert turns what is owed from units of one period into units of another,
// rounded up.
func convert(debt u128, from, to uint64) u128 {
	if from == to || debt.zero() {
		return debt
	}
	b := bucket{rate: Rate{permits: 1, period: from}, debt: debt}
	b.setRate(Rate{permits: 1, period: to})
	return b.debt
}
