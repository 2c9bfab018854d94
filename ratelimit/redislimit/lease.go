package redislimit

import (
	"context"
	"errors"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A lease is permits of a key that Redis has granted to this process in advance, and
// the last answer of Redis. It is guarded by the lock of its shard.
//
// Its size follows the use: it doubles when a lease is used up before its time, and shrinks
// to the part that was used of one that was not. So a key that is asked for once in a
// while takes no more than it needs.
//
// Permits that are left when the time is over are not given back. Those that time has
// repaid meanwhile must not be given back, or others would get them twice; at rates at which a
// lease is worth its while that is all of it.
type lease struct {
	left, taken uint64        // permits
	until       time.Duration // counted from before Redis was asked, so no later than it should be
	size        uint64        // how many to take
	flight      *flight       // of the caller that asks

	debts []amount      // what was owed in Redis, nil if that is not known
	asked time.Duration // before it said so
	heard time.Duration // after that
}

// expire drops permits whose time is over, and returns how many.
func (x *lease) expire(now time.Duration) (dropped uint64) {
	if now < x.until || x.left == 0 {
		return 0
	}
	dropped, x.left = x.left, 0
	x.size = max(1, x.taken-dropped)
	return dropped
}

// mostLeased is the largest lease that the script can count.
const mostLeased = 1 << 50

// A flight is a call of Redis that others wait for.
type flight struct {
	done chan struct{}
	err  error // if Redis has failed; set before done is closed
}

func (x *lease) idle(now, ttl time.Duration) bool {
	return x.flight == nil && (x.left == 0 || now >= x.until) && (x.debts == nil || now-x.asked >= ttl)
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
		if d, ok := l.serveLocked(sh, e, c, now); ok {
			a := answer{Decision: d, limits: e.limits}
			sh.mu.Unlock()
			return a, nil
		}
		f := e.lease.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			e.lease.flight = f
			more := l.moreLocked(e, c.n, now)
			sh.mu.Unlock()
			r, err := l.fly(ctx, sh, k, e, f, c, more)
			return l.conclude(sh, k, p, c, r, err)
		}
		sh.mu.Unlock()
		if r, err := l.board(ctx, f); err != nil {
			return l.conclude(sh, k, p, c, r, err)
		}
	}
}

// board waits for a flight of another. Its results are those of ask.
func (l *Limiter[K]) board(ctx context.Context, f *flight) (reply, error) {
	patience, hurried := l.patience(ctx)
	call := ctx
	if hurried {
		var cancel context.CancelFunc
		call, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	switch {
	case receive(call, f.done) == nil:
		return reply{failed: f.err != nil}, f.err
	case errors.Is(ctx.Err(), context.Canceled):
		return reply{}, context.Cause(ctx)
	case l.fair(patience):
		return reply{failed: true}, errHurried
	}
	return reply{}, tooSoon(ctx)
}

// serveLocked decides about a claim if Redis need not be asked.
func (l *Limiter[K]) serveLocked(sh *shard[K], e *entry, c claim, now time.Duration) (d ratelimit.Decision, ok bool) {
	x := &e.lease
	sh.stats.Expired += x.expire(now)
	// At some instant between asked and heard debts was owed. A claim that is
	// denied is denied for sure by the one, and RetryAfter is long enough by the other.
	ago := micros(now - x.heard)
	switch {
	case x.left >= c.n:
		x.left -= c.n
		sh.stats.FromLease++
		d = e.limits.decision(true, x.debts, ago, c.n)
	case c.wait <= 0 && x.debts != nil && now-x.asked < l.ttl && !e.limits.fits(x.debts, micros(now-x.asked)+1, c.n):
		sh.stats.FromDenial++
		d = e.limits.decision(false, x.debts, ago, c.n)
	default:
		return d, false
	}
	sh.countLocked(d.OK)
	return withHeld(d, x.left), true
}

// withHeld adds the permits of a lease to those that remain in Redis.
func withHeld(d ratelimit.Decision, held uint64) ratelimit.Decision {
	d.Remaining = int(min(uint64(d.Remaining)+held, uint64(d.Limit)))
	return d
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

// fly makes a claim on Redis, for itself, and asks for more, for the callers that wait for f.
// Its results are those of ask.
func (l *Limiter[K]) fly(ctx context.Context, sh *shard[K], k K, e *entry, f *flight, c claim, more uint64) (r reply, err error) {
	defer func() { // also if the client panics
		sh.mu.Lock()
		defer sh.mu.Unlock()
		e.lease.flight = nil
		close(f.done)
	}()
	asked := l.now()
	if r, err = l.ask(ctx, k, e.said, c, more); err != nil {
		if r.failed && !r.hurried { // others may have more time
			f.err = err
		}
		return r, err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l.keepLocked(sh, k, e, r, asked)
	r.held = e.lease.left
	return r, nil
}

// keepLocked keeps an answer of Redis, and the permits that were taken in advance.
func (l *Limiter[K]) keepLocked(sh *shard[K], k K, e *entry, r reply, asked time.Duration) {
	x, now := &e.lease, l.now()
	e.limits = r.limits
	x.debts, x.asked, x.heard = r.debts, asked, now
	sh.stats.Expired += x.expire(now)
	if !r.ok {
		return
	}
	if r.more > 0 {
		sh.stats.Leases++
		sh.stats.Leased += r.more
	}
	if now >= asked+l.ttl || sh.entries[k] != e { // too late, or forgotten
		sh.stats.Expired += r.more
		return
	}
	if x.left == 0 { // otherwise these are for no longer than those that are left
		x.taken, x.until = 0, asked+l.ttl
	}
	x.left += r.more
	x.taken += r.more
}
