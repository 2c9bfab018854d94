package ratelimit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Reservation is a number of permits that may be used from an instant on. It must not be
// copied after its first use, and its methods must not be called concurrently. The zero
// value is not OK.
type Reservation struct {
	hold
	parents []hold
	n       uint64        // the permits that it has taken, or what was settled
	made    int64         // the instant at which it was made
	delay   time.Duration // from then on
	err     error
	owner   owner // nil: the limiter
	settled bool  // with the owner
}

// A hold is what a reservation knows of one limiter.
type hold struct {
	l     *Limiter
	at    int64  // the instant of the permits there
	spent uint64 // the limiter's, after the permits were charged
	c     *claim // if callers waited then
}

// An owner settles the reservations of its limiter.
type owner interface {
	settle(r Reservation, actual uint64) (_ Reservation, returned int)
}

var errNever = errors.New("ratelimit: the permits will never be granted")

// Reserve takes one permit for later. See [Limiter.ReserveN].
func (l *Limiter) Reserve() Reservation { return l.ReserveN(1) }

// ReserveN takes n permits for the first instant to come, behind all callers that wait and
// all earlier reservations. It does not block: the caller waits with [Reservation.Wait] or
// for [Reservation.Delay], and may pay the real cost later with [Reservation.Settle].
// Calls of Allow that come later are denied until the permits are due and as many more
// have come back, unless the rate or the burst is raised or permits are given back.
//
// A parent counts the permits from the first instant on at which it can grant them, even
// if the limiter itself grants them later.
//
// The reservation is not OK, and takes nothing, if the permits can never be had: n is more
// than the burst, the rate is 0, the limiter is closed, or too many permits are reserved
// already for 64 bits. ReserveN panics if n is less than 1.
func (l *Limiter) ReserveN(n int) Reservation {
	k := checkN("ReserveN", n)
	l.lock()
	defer l.unlock()
	return l.reserve(k)
}

func (l *Limiter) reserve(n uint64) (r Reservation) {
	if r.err = l.refuses(n); r.err != nil {
		return r
	}
	r.n, r.made = n, l.windows[0].last
	var buf [4]forecast
	if r.delay = l.forecast(buf[:0], n, l.promised()); r.delay == Never || l.tooFar(n, r.delay) {
		r.err = errNever
		return r
	}
	r.hold = l.hold(n, r.delay)
	for _, m := range l.chain[1:] {
		r.parents = append(r.parents, m.hold(n, m.delay(n)))
	}
	return r
}

// hold takes n permits for later.
func (l *Limiter) hold(n uint64, delay time.Duration) hold {
	h := hold{l: l, at: l.windows[0].last + int64(delay)}
	if delay > 0 {
		l.promises = append(l.promises, h.at)
	}
	if l.line.Len() == 0 {
		l.reserved(n, delay)
	} else {
		h.c = &claim{n: n, at: h.at}
		h.c.join(l)
		l.behind++
	}
	h.spent = l.spent
	return h
}

// tooFar reports whether 64 bits do not hold what is owed after a reservation.
func (l *Limiter) tooFar(n uint64, delay time.Duration) bool {
	return slices.ContainsFunc(l.windows, func(w window) bool {
		return w.charged(max(w.debt, w.repaid(delay)), n) == maxDebt
	})
}

// reserved makes n permits owed that are used later.
func (l *Limiter) reserved(n uint64, delay time.Duration) {
	for i := range l.windows {
		w := &l.windows[i]
		w.debt = max(w.debt, w.repaid(max(delay, 0)))
	}
	l.spendHere(n)
}

// A forecast is what a window will owe at an instant.
type forecast struct {
	*params
	debt uint64
}

// forecast returns when n permits will be granted, behind all that wait and not before an
// instant; Never if they will not be. Of the lines of parents, it assumes that all in them
// are due there. fs is empty; its space is used.
func (l *Limiter) forecast(fs []forecast, n uint64, from time.Duration) time.Duration {
	front := l.line.Front()
	for i, m := range l.chain {
		queued := uint64(0)
		for c := range m.line.All() {
			if i > 0 && (front == nil || c != front.Value) {
				queued += c.n
			}
		}
		for i := range m.windows {
			w := &m.windows[i]
			fs = append(fs, forecast{&w.params, w.charged(w.debt, queued)})
		}
	}
	at := time.Duration(0)
	for c := range l.line.All() {
		if c.wake == nil {
			at = serve(fs, c.n, at, time.Duration(c.at-l.windows[0].last))
		} else {
			at = serve(fs, c.n, at, 0)
		}
	}
	return serve(fs, n, at, from)
}

// serve moves forecasts from an instant to the first one, not before another, at which n
// permits are granted, and returns it; Never if there is none.
func serve(fs []forecast, n uint64, at, from time.Duration) time.Duration {
	if at == Never {
		return Never
	}
	wait := max(0, from-at)
	for _, f := range fs {
		wait = max(wait, f.params.delay(f.debt, n))
	}
	if wait >= Never-at {
		return Never
	}
	for i := range fs {
		f := &fs[i]
		f.debt = f.charged(f.debt-min(f.debt, f.repaid(wait)), n)
	}
	return at + wait
}

// delay returns the time that n permits take to come, behind all that wait.
func (l *Limiter) delay(n uint64) time.Duration {
	if l.refuses(n) != nil {
		return Never
	}
	var buf [4]forecast
	return l.forecast(buf[:0], n, 0)
}

// OK reports whether the permits can be had at all.
func (r Reservation) OK() bool { return r.l != nil }

// Delay returns the time until the permits may be used: 0 if they may be used now, and
// [Never] if the reservation is not OK. Their instant does not change.
func (r Reservation) Delay() time.Duration {
	if !r.OK() {
		return Never
	}
	since := int64(time.Since(r.l.base)) - r.made
	return max(0, r.delay-time.Duration(max(since, 0))) // the clock may have gone back
}

// Wait waits until the permits may be used. If ctx ends first, or if its deadline comes
// before the permits, it gives them back, as Cancel does, and returns the cause of ctx or
// at once an error that wraps [context.DeadlineExceeded]. If the reservation is not OK,
// Wait returns why: [ErrClosed], an error that wraps [ErrExceedsBurst], or another one. It
// panics if ctx is nil.
func (r *Reservation) Wait(ctx context.Context) error {
	ctxselect.Require(ctx, "ratelimit: Reservation.Wait")
	if !r.OK() {
		if r.err == nil {
			return errNever
		}
		return r.err
	}
	var err error
	if sched.Err(ctx) != nil {
		err = context.Cause(ctx)
	} else if deadline, ok := ctx.Deadline(); ok {
		err = tooLate(r.n, r.Delay(), time.Until(deadline))
	}
	for wake := make(chan struct{}, 1); err == nil; {
		delay := r.Delay()
		if delay == 0 {
			return nil
		}
		err = park(ctx, wake, delay)
	}
	r.Cancel()
	return err
}

// Cancel gives the permits back. It is Settle(0).
func (r *Reservation) Cancel() { r.Settle(0) }

// Settle pays the real cost in place of what was reserved. If that is more, it takes the
// rest as [Limiter.Charge] does, and returns how many permits that are as a negative
// number. If it is less, it gives back what is safe, and returns how many permits that
// are.
//
// What is safe: permits were perhaps granted to others since, on the grounds that the
// reserved ones are owed. Where giving all of them back could let more through in a window
// than the limit, Settle gives back less. If nothing was granted since, it gives back all
// that has not come back by itself.
//
// Settle may be called again, as the cost becomes known. It panics if actual is negative.
func (r *Reservation) Settle(actual int) (returned int) {
	misuse.Negative(actual, "ratelimit: Settle: number")
	switch {
	case !r.OK():
		return 0
	case r.owner != nil:
		*r, returned = r.owner.settle(*r, uint64(actual)) // a pointer would escape
		return returned
	}
	return r.settle(uint64(actual))
}

func (r *Reservation) settle(actual uint64) (returned int) {
	l := r.l
	l.lock()
	defer l.unlock()
	if actual >= r.n {
		returned = -int(actual - r.n)
		l.charge(actual - r.n)
	} else {
		back := r.giveBack(r.n-actual, actual == 0)
		for _, h := range r.parents {
			back = min(back, h.giveBack(r.n-actual, actual == 0))
		}
		returned = int(back)
	}
	r.n = actual
	return returned
}

// giveBack gives back as much as is safe of n permits, and returns how many these are.
//
// All permits that were granted after the reservation may be used at the last moment that
// what was owed allowed: at the instant of the last reservation, or when what is above the
// burst now has come back. At that moment, their cost must still be owed.
func (h *hold) giveBack(n uint64, all bool) uint64 {
	if i := slices.Index(h.l.promises, h.at); all && i >= 0 {
		h.l.promises = slices.Delete(h.l.promises, i, i+1)
	}
	h.l.changed = true
	var free uint64 // not owed yet
	if h.c != nil {
		if h.c.spent > 0 {
			h.spent = h.c.spent
		} else if free = min(n, h.c.n); free > 0 && free == h.c.n {
			h.l.line.Remove(h.c.places[0])
			h.l.behind--
		}
		h.c.n -= free
	}
	permits := n - free
	for i := range h.l.windows {
		w := &h.l.windows[i]
		if w.Rate.unlimited {
			continue
		}
		least := w.charged(max(max(w.debt, w.capacity)-w.capacity, w.repaid(h.l.promised())), h.l.spent-h.spent)
		given := w.debt - max(w.debt-min(w.debt, (n-free)*w.cost), min(w.debt, least))
		w.debt -= given
		permits = min(permits, given/w.cost)
	}
	return free + permits
}
