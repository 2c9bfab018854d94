package redislimit

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A lease is permits of a key that Redis has granted to this process in advance, and
// the last answer of Redis. The lock of the limiter guards it. A caller that has found a lease
// may go on using it after it was dropped, which has no effect on others.
//
// Its size follows the use: it doubles when a lease is used up before its time, and shrinks
// to the part that was used of one that was not. So a key that is asked for once in a
// while takes no more than it needs.
//
// Permits that are left when the time is over are not given back. Those that time has
// repaid meanwhile must not be given back, or others would get them twice; at rates at which a
// lease is worth its while that is all of it.
//
// One goroutine asks for a key, that is its flight; others park on the channel of the flight,
// which is closed when the answer is in the lease, and look again. All callers of a flight that
// has failed fall back, so that they don't wait one after the other.
type lease struct {
	own    *limits // of this process
	limits *limits // own, or those that were set
	place  *list.Element

	left, taken uint64        // permits
	until       time.Duration // counted from before Redis was asked, so no later than it should be
	size        uint64        // how many to take
	flight      *flight       // of the caller that asks

	debts []amount      // what was owed in Redis, nil if that is not known
	asked time.Duration // before it answered so
	heard time.Duration // after that
}

// A flight is a call of Redis that others wait for.
type flight struct {
	done chan struct{}
	err  error // if Redis has failed; set before done is closed
}

const (
	// mostLeased is the largest lease that the script can count.
	mostLeased = 1 << 50
	// sweepLeases is how many leases are looked at when one is added. More than one, so that
	// the table is swept faster than it fills.
	sweepLeases = 4
)

func micros(d time.Duration) uint64 { return uint64(d / time.Microsecond) }

// leaseLocked returns the lease of k, and makes one if there is room. If it is of other
// limits, another takes its place, and the rest of the lease is not handed out any more, as it
// may be more than k may have now.
func (l *Limiter[K]) leaseLocked(k K, p *limits, now time.Duration) *lease {
	x := l.leases[k]
	if x != nil && x.own == p {
		return x
	}
	l.dropLocked(k)
	for range min(sweepLeases, l.sweep.Len()) {
		place := l.sweep.Front()
		if other := l.leases[place.Value.(K)]; other != nil && other.idle(now, l.ttl) {
			l.dropLocked(place.Value.(K))
		} else {
			l.sweep.MoveToBack(place)
		}
	}
	if len(l.leases) >= l.maxKeys {
		return nil
	}
	x = &lease{own: p, limits: p, place: l.sweep.PushBack(k)}
	l.leases[k] = x
	return x
}

func (l *Limiter[K]) dropLocked(k K) {
	if x := l.leases[k]; x != nil {
		l.stats.Expired += x.left
		x.left = 0
		delete(l.leases, k)
		l.sweep.Remove(x.place)
	}
}

func (x *lease) idle(now, ttl time.Duration) bool {
	return x.flight == nil && (x.left == 0 || now >= x.until) && (x.debts == nil || now-x.asked >= ttl)
}

// expireLocked drops permits of x whose time is over.
func (l *Limiter[K]) expireLocked(x *lease, now time.Duration) {
	if now < x.until || x.left == 0 {
		return
	}
	l.stats.Expired += x.left
	x.size = max(1, x.taken-x.left)
	x.left = 0
}

// takeLeased makes a claim, on the lease if it has the permits. A claim that Redis
// denied is denied until it would be granted if no other call came between: others can only
// make that later.
func (l *Limiter[K]) takeLeased(ctx context.Context, k K, p *limits, c claim) (answer, error) {
	for {
		now := l.now()
		l.mu.Lock()
		x := l.leaseLocked(k, p, now)
		if x == nil {
			l.mu.Unlock()
			return l.takeOne(ctx, k, p, c)
		}
		if d, ok := l.serveLocked(x, c, now); ok {
			a := answer{Decision: d, limits: x.limits}
			l.mu.Unlock()
			return a, nil
		}
		f := x.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			x.flight = f
			more := l.moreLocked(x, c.n, now)
			l.mu.Unlock()
			r, err := l.lead(ctx, k, x, f, c, more)
			return l.conclude(k, p, c, r, err)
		}
		l.mu.Unlock()
		if r, err := l.join(ctx, f); err != nil {
			return l.conclude(k, p, c, r, err)
		}
	}
}

// join waits for the flight of another caller. Its results are those of ask.
func (l *Limiter[K]) join(ctx context.Context, f *flight) (reply, error) {
	timeout, hurried := l.timeoutFor(ctx)
	call := ctx
	if hurried {
		var cancel context.CancelFunc
		call, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	switch {
	case receive(call, f.done) == nil:
		return reply{failed: f.err != nil}, f.err
	case errors.Is(ctx.Err(), context.Canceled):
		return reply{}, context.Cause(ctx)
	case l.fair(timeout):
		return reply{failed: true}, errHurried
	}
	return reply{}, tooSoon(ctx)
}

// serveLocked decides about a claim if Redis need not be asked.
func (l *Limiter[K]) serveLocked(x *lease, c claim, now time.Duration) (d ratelimit.Decision, ok bool) {
	l.expireLocked(x, now)
	// At some instant between asked and heard debts was owed. A claim that is
	// denied is denied for sure by the one, and RetryAfter is long enough by the other.
	ago := micros(now - x.heard)
	switch {
	case x.left >= c.n:
		x.left -= c.n
		l.stats.FromLease++
		d = x.limits.decision(true, x.debts, ago, c.n)
	case c.wait <= 0 && x.debts != nil && now-x.asked < l.ttl && !x.limits.fits(x.debts, micros(now-x.asked)+1, c.n):
		l.stats.FromDenial++
		d = x.limits.decision(false, x.debts, ago, c.n)
	default:
		return d, false
	}
	l.countLocked(d.OK)
	return withHeld(d, x.left), true
}

// withHeld adds the permits of a lease to those that remain in Redis.
func withHeld(d ratelimit.Decision, held uint64) ratelimit.Decision {
	d.Remaining = int(min(uint64(d.Remaining)+held, uint64(d.Limit)))
	return d
}

// moreLocked returns how many permits to take besides n.
func (l *Limiter[K]) moreLocked(x *lease, n uint64, now time.Duration) uint64 {
	switch {
	case now < x.until: // it was too small
		x.size *= 2
	case now-x.until > l.ttl: // that was long ago
		x.size = 1
	}
	x.size = max(1, min(x.size, uint64(l.options.lease), mostLeased))
	if want := min(max(n, x.size), x.limits.burst); want > n {
		return want - n
	}
	return 0
}

// lead makes a claim on Redis, for itself, and asks for more, for the callers that wait for f.
// Its results are those of ask.
func (l *Limiter[K]) lead(ctx context.Context, k K, x *lease, f *flight, c claim, more uint64) (r reply, err error) {
	defer func() { // also if the client panics
		l.mu.Lock()
		defer l.mu.Unlock()
		x.flight = nil
		close(f.done)
	}()
	asked := l.now()
	if r, err = l.ask(ctx, k, x.own, c, more); err != nil {
		if r.failed && !r.hurried { // others may have more time
			f.err = err
		}
		return r, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keepLocked(k, x, r, asked)
	r.held = x.left
	return r, nil
}

// keepLocked keeps an answer of Redis, and the permits that were taken in advance.
func (l *Limiter[K]) keepLocked(k K, x *lease, r reply, asked time.Duration) {
	now := l.now()
	x.limits, x.debts, x.asked, x.heard = r.limits, r.debts, asked, now
	l.expireLocked(x, now)
	if !r.ok {
		return
	}
	if r.more > 0 {
		l.stats.Leases++
		l.stats.Leased += r.more
	}
	if now >= asked+l.ttl || l.leases[k] != x { // too late, or forgotten
		l.stats.Expired += r.more
		return
	}
	if x.left == 0 { // otherwise these are for no longer than those that are left
		x.taken, x.until = 0, asked+l.ttl
	}
	x.left += r.more
	x.taken += r.more
}
