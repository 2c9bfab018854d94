package redislimit

import (
	"context"
	"errors"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/ratelimit"
)

// A lease is permits of a key that Redis has granted to this process in advance, and
// the last answer of Redis. It is guarded by the lock of its shard.
//
// Its size follows the use: it doubles when a lease is used up before its time, and shrinks
// to the part that was used of one that was not. So a key that is asked for once in a
// while takes no more than it needs. Of one that is asked for so often that a batch will
// not last, the caller that has used up half of it fetches the next, though its permits are
// granted, so that the others need not wait.
//
// Permits that are left when the time is over are not given back. Those that time has
// repaid meanwhile must not be given back, or others would get them twice; at rates at which a
// lease is worth its while that is all of it.
type lease struct {
	batch          // that permits are handed out from
	next   batch   // after that
	size   uint64  // how many to take
	flight *flight // of who asks

	debts []amount      // what was owed in Redis, nil if that is not known
	asked time.Duration // before it said so
	heard time.Duration // after that
}

// A batch is permits that were taken at once. Its time is counted from before Redis was
// asked, so that it ends no later than it should.
type batch struct {
	left, taken uint64
	from, until time.Duration
}

// held is how many permits there are.
func (x *lease) held() uint64 { return x.left + x.next.left }

// expire drops permits whose time is over, and returns how many.
func (x *lease) expire(now time.Duration) (dropped uint64) {
	for {
		if x.left > 0 && now >= x.until {
			dropped += x.left
			x.size = max(1, x.taken-x.left)
			x.left = 0
		}
		if x.left > 0 || x.next.left == 0 {
			return dropped
		}
		x.batch, x.next = x.next, batch{}
	}
}

// hand hands out n permits, of those that are held.
func (x *lease) hand(n uint64) {
	if n <= x.left {
		x.left -= n
		return
	}
	x.next.left -= n - x.left
	x.batch, x.next = x.next, batch{}
}

// keep keeps permits of a batch.
func (x *lease) keep(b batch) {
	switch {
	case x.left == 0:
		x.batch = b
	case x.next.left == 0:
		x.next = b
	default: // too few for who has asked
		x.next.left += b.left
		x.next.taken += b.left
	}
}

// short reports whether it is time for the next batch: half of a large one is used, in
// less than half of its time, and Redis has another.
func (e *entry) short(now, ttl time.Duration) bool {
	x := &e.lease
	return x.taken >= 8 && x.left > 0 && x.left*2 <= x.taken && x.next.left == 0 && x.flight == nil && (now-x.from)*2 < ttl &&
		e.limits.fits(x.debts, micros(now-x.heard), min(x.size, e.limits.burst))
}

// mostLeased is the largest lease that the script can count.
const mostLeased = 1 << 50

// A flight is a call of Redis that others wait for.
type flight struct {
	done chan struct{}
	err  error // if Redis has failed; set before done is closed
}

func (x *lease) idle(now, ttl time.Duration) bool {
	return x.flight == nil && (x.left == 0 || now >= x.until) && (x.next.left == 0 || now >= x.next.until) && (x.debts == nil || now-x.asked >= ttl)
}

// takeLeased makes a claim, on the lease if it has the permits. A claim that Redis
// denied is denied until it would be granted if no other call came between: others can only
// make that later.
func (l *Limiter[K]) takeLeased(ctx context.Context, sh *shard[K], k K, p *limits, c claim) (answer, error) {
	for {
		now := l.now()
		sh.mu.Lock()
		e := l.entryLocked(sh, k, p, now)
		if e == nil {
			sh.mu.Unlock()
			return l.takeOne(ctx, sh, k, p, c)
		}
		d, ok := l.serveLocked(sh, e, c, now)
		a := answer{Decision: d, limits: e.limits}
		if ok && !(d.OK && e.short(now, l.ttl)) {
			sh.mu.Unlock()
			return a, nil
		}
		f := e.lease.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			e.lease.flight = f
			if ok {
				more := l.moreLocked(e, 0, now)
				sh.mu.Unlock()
				_, _, _ = l.fly(ctx, sh, k, e, f, claim{}, more) // whatever comes of it, the claim is granted
				return a, nil
			}
			more := l.moreLocked(e, c.n, now)
			sh.mu.Unlock()
			a, err, failed := l.fly(ctx, sh, k, e, f, c, more)
			switch {
			case failed:
				return l.fallBack(sh, k, p, c, err)
			case err != nil:
				return a, sh.fails(err)
			}
			return a, nil
		}
		sh.mu.Unlock()
		err, failed := l.board(ctx, f)
		switch {
		case failed:
			return l.fallBack(sh, k, p, c, err)
		case err != nil:
			return answer{}, sh.fails(err)
		}
	}
}

// board waits for a flight of another. If failed, err is that of Redis, otherwise why ctx
// lets the caller wait no longer.
func (l *Limiter[K]) board(ctx context.Context, f *flight) (err error, failed bool) {
	patience, hurried := l.patience(ctx)
	call := ctx
	if hurried {
		var cancel context.CancelFunc
		call, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if _, _, err := ctxselect.Recv(call, f.done); err != nil {
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return context.Cause(ctx), false
		case l.fair(patience):
			return errHurried, true
		}
		return tooSoon(ctx), false
	}
	return f.err, f.err != nil
}

// serveLocked decides about a claim if Redis need not be asked.
func (l *Limiter[K]) serveLocked(sh *shard[K], e *entry, c claim, now time.Duration) (d ratelimit.Decision, ok bool) {
	x := &e.lease
	sh.stats.Expired += x.expire(now)
	// At some instant between asked and heard debts was owed. A claim that is
	// denied is denied for sure by the one, and RetryAfter is long enough by the other.
	ago := micros(now - x.heard)
	switch {
	case x.held() >= c.n:
		x.hand(c.n)
		sh.stats.FromLease++
		d = e.limits.decision(true, x.debts, ago, c.n)
	case c.wait <= 0 && x.debts != nil && now-x.asked < l.ttl && !e.limits.fits(x.debts, micros(now-x.asked)+1, c.n):
		sh.stats.FromDenial++
		d = e.limits.decision(false, x.debts, ago, c.n)
	default:
		return d, false
	}
	sh.countLocked(d.OK)
	x.addTo(&d)
	return d, true
}

// addTo adds the permits that are held to those of Redis.
func (x *lease) addTo(d *ratelimit.Decision) {
	d.Remaining = int(min(uint64(d.Remaining)+x.held(), uint64(d.Limit)))
}

// moreLocked returns how many permits to take besides n.
func (l *Limiter[K]) moreLocked(e *entry, n uint64, now time.Duration) uint64 {
	x := &e.lease
	switch {
	case now < x.until: // it was too small
		x.size *= 2
	case now-x.until > l.ttl: // that was long ago
		x.size = 1
	}
	x.size = max(1, min(x.size, uint64(l.options.lease), mostLeased))
	if want := min(max(n, x.size), e.limits.burst); want > n {
		return want - n
	}
	return 0
}

// fly makes a claim on Redis and asks for more, for itself and the callers that wait for f. If
// failed, err is that of Redis, otherwise why ctx lets it wait no longer.
func (l *Limiter[K]) fly(ctx context.Context, sh *shard[K], k K, e *entry, f *flight, c claim, more uint64) (a answer, err error, failed bool) {
	landed := false
	land := func() {
		landed = true
		e.lease.flight = nil
		close(f.done)
	}
	defer func() {
		if !landed { // the client has panicked
			sh.mu.Lock()
			land()
			sh.mu.Unlock()
		}
	}()
	asked := l.now()
	r, err := l.ask(ctx, k, e.said, c, more)
	if err == nil && c.n > 0 {
		a = l.answer(k, c, r)
	}
	if r.ok {
		l.spend(k, c.n+r.more)
	}
	now := l.now()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if err != nil {
		if r.failed && !r.hurried { // others may have more time
			f.err = err
		}
		land()
		return a, err, r.failed
	}
	if c.n > 0 {
		sh.countLocked(a.OK)
	}
	x := &e.lease
	if r.ok {
		l.keepLocked(sh, k, e, batch{r.more, r.more, asked, asked + l.ttl}, now)
	}
	e.limits = r.limits
	x.debts, x.asked, x.heard = r.debts, asked, now
	x.addTo(&a.Decision)
	land()
	return a, nil, false
}

// keepLocked keeps permits that were taken in advance.
func (l *Limiter[K]) keepLocked(sh *shard[K], k K, e *entry, b batch, now time.Duration) {
	if b.left > 0 {
		sh.stats.Leases++
		sh.stats.Leased += b.left
	}
	sh.stats.Expired += e.lease.expire(now)
	if now >= b.until || sh.entries[k] != e { // too late, or forgotten
		sh.stats.Expired += b.left
		return
	}
	e.lease.keep(b)
}
