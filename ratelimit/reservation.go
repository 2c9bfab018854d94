package ratelimit

import (
	"time"
)

// A Reservation is a promise of permits at an instant. It is a small value, and
// copies are the same reservation. The zero value is not OK.
type Reservation struct {
	l  *Limiter
	id uint64 // of its pin; 0 if it was granted at once
	ok bool
}

// Reserve takes one permit and says when it may be used. See ReserveN.
func (l *Limiter) Reserve() Reservation { return l.ReserveN(1) }

// ReserveN takes n permits, now or at the first instant to come, behind all who
// wait and all earlier reservations. It does not wait: the caller uses them
// after Delay, or gives them back with Cancel. If they can never be had, because
// n is more than the burst, the rate is 0, or the limiter is stopped, the
// reservation is not OK and takes nothing. It panics if n is less than 1.
func (l *Limiter) ReserveN(n int) Reservation {
	k := checkN("ReserveN", n)
	if v, _, _ := l.meter.Load().take(k); v == granted {
		return Reservation{l: l, ok: true}
	}
	l.lock()
	defer l.unlock()
	if l.allowLocked(k) {
		return Reservation{l: l, ok: true}
	}
	delay := l.delayLocked(k)
	if delay == Never {
		return Reservation{}
	}
	l.lastPin++
	l.bucket.pin(l.lastPin, l.bucket.last+delay, k)
	return Reservation{l: l, id: l.lastPin, ok: true}
}

// OK reports whether the permits can be had at all.
func (r Reservation) OK() bool { return r.ok }

// Delay returns how long it is until the permits may be used, 0 if they may now,
// and Never if the reservation is not OK.
func (r Reservation) Delay() time.Duration {
	if !r.ok {
		return Never
	}
	if r.id == 0 {
		return 0
	}
	r.l.lock()
	defer r.l.unlock()
	return r.l.bucket.until(r.id)
}

// Cancel gives the permits back. Before their instant all of them go to those
// who come next, at once. From then on they count as used, and Cancel has no
// effect: giving them back would let more through in a window than the limit.
// It is idempotent.
func (r Reservation) Cancel() {
	if r.id == 0 {
		return
	}
	r.l.lock()
	defer r.l.unlock()
	if r.l.bucket.unpin(r.id) {
		r.l.changedLocked()
	}
}
