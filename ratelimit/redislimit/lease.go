package redislimit

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/ratelimit"
)

// A lease is permits of a key that Redis has granted to this process in advance, and
// what Redis has said last. It is guarded by the lock of its shard. Its time is counted
// from before Redis was asked, so that it ends no later than it should.
//
// Its size follows what is used: it doubles when one is used up before its time, and
// shrinks to what was used of one that was not. So a key that is asked for once in a
// while takes no more than it needs.
//
// What is left when the time is over is not given back. What time has repaid of it
// meanwhile must not be given back, or others would get it twice; at rates at which a
// lease is worth its while that is all of it.
type lease struct {
	left   uint64        // permits that can be handed out
	taken  uint64        // how many there were
	until  time.Duration // when they end
	size   uint64        // how many to take
	debts  []amount      // what was owed in Redis, nil if that is not known
	asked  time.Duration // before it said so
	heard  time.Duration // after that
	flight *flight       // of who asks
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

// takeLeased takes n permits, of the lease if it has them. What Redis denied is denied
// until it would be granted if nobody comes between: others can only make that later.
func (l *Limiter[K]) takeLeased(ctx context.Context, sh *shard[K], k K, n uint64) (ratelimit.Decision, error) {
	var p *limits
	for {
		now := l.now()
		sh.mu.Lock()
		e := sh.entries[k]
		if e == nil && p == nil {
			sh.mu.Unlock()
			if p = l.limitsOf(k); p.free {
				return l.takeFree(sh, p, n), nil
			}
			continue
		}
		if e == nil {
			if e = l.entryLocked(sh, k, p, now); e == nil {
				sh.mu.Unlock()
				return l.takeOne(ctx, sh, k, p, n)
			}
		}
		p = e.limits
		if d, ok := l.serveLocked(sh, e, n, now); ok {
			sh.mu.Unlock()
			return d, nil
		}
		f := e.lease.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			e.lease.flight = f
			more := l.moreLocked(e, n, now)
			sh.mu.Unlock()
			return l.fly(ctx, sh, k, e, f, n, more)
		}
		sh.mu.Unlock()
		if _, _, err := ctxselect.Recv(ctx, f.done); err != nil {
			return ratelimit.Decision{}, sh.fails(err)
		}
		if f.err != nil {
			return l.fallBack(sh, k, p, n, f.err)
		}
	}
}

// serveLocked decides about n permits if Redis need not be asked.
func (l *Limiter[K]) serveLocked(sh *shard[K], e *entry, n uint64, now time.Duration) (d ratelimit.Decision, ok bool) {
	x := &e.lease
	if x.left > 0 && now >= x.until {
		sh.stats.expired += x.left
		x.size = max(1, x.taken-x.left)
		x.left = 0
	}
	// It was at some instant between asked and heard that debts was owed. What is
	// denied is denied for sure by the one, and RetryAfter is long enough by the other.
	ago := micros(now - x.heard)
	switch {
	case x.left >= n:
		x.left -= n
		sh.stats.fromLease++
		d = e.limits.decision(true, x.debts, ago, n)
	case x.debts != nil && now-x.asked < l.ttl && !e.limits.fits(x.debts, micros(now-x.asked)+1, n):
		sh.stats.fromDenial++
		d = e.limits.decision(false, x.debts, ago, n)
	default:
		return d, false
	}
	sh.countLocked(d.OK)
	d.Remaining = int(min(uint64(d.Remaining)+x.left, uint64(d.Limit)))
	return d, true
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

// fly asks Redis for n permits and more, for itself and those who wait for f.
func (l *Limiter[K]) fly(ctx context.Context, sh *shard[K], k K, e *entry, f *flight, n, more uint64) (ratelimit.Decision, error) {
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
	p, asked := e.limits, l.now()
	r, err := l.ask(ctx, k, p, n, more)
	now := l.now()
	sh.mu.Lock()
	if err != nil {
		if r.failed {
			f.err = err
		}
		land()
		sh.mu.Unlock()
		if r.failed {
			return l.fallBack(sh, k, p, n, err)
		}
		return ratelimit.Decision{}, sh.fails(err)
	}
	defer sh.mu.Unlock()
	d := p.decision(r.ok, r.debts, 0, n)
	sh.countLocked(d.OK)
	if d.OK {
		l.keepLocked(sh, k, e, r.more, asked, now)
		if e.owed != nil {
			p.local.charge(e.owed, micros(now), n+r.more)
		}
	}
	e.lease.debts, e.lease.asked, e.lease.heard = r.debts, asked, now
	d.Remaining = int(min(uint64(d.Remaining)+e.lease.left, uint64(d.Limit)))
	land()
	return d, nil
}

// keepLocked keeps permits that were taken in advance.
func (l *Limiter[K]) keepLocked(sh *shard[K], k K, e *entry, more uint64, asked, now time.Duration) {
	x := &e.lease
	if more > 0 {
		sh.stats.leases++
		sh.stats.leased += more
	}
	until := asked + l.ttl
	if now >= until || sh.entries[k] != e { // too late, or forgotten
		sh.stats.expired += more
		return
	}
	if x.left > 0 && now >= x.until {
		sh.stats.expired += x.left
		x.left = 0
	}
	if x.left > 0 { // too few for who has asked
		until = min(until, x.until)
	}
	x.left += more
	x.taken, x.until = x.left, until
}
