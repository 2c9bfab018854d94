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
	l       *Limiter
	n       uint64        // the permits that it has taken, or the real cost
	at      int64         // the instant of the permits
	made    int64         // the clock's instant when it was made
	delay   time.Duration // from then on
	before  int64         // the latest instant of the reservations before
	paid    charge
	c       *claim // not nil: it may be in the line
	err     error
	settled bool
}

// A charge is how many permits were spent when a reservation had been charged: ever, at its
// limiter and at the parents.
type charge struct {
	spent uint64
	above []uint64
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
	misuse.Below(n, 1, "ratelimit: ReserveN: number")
	l.lock("Reserve")
	defer l.unlock()
	return l.reserve(uint64(n))
}

func (l *Limiter) reserve(n uint64) (r Reservation) {
	if r.err = l.refuses(n); r.err != nil {
		return r
	}
	delay := l.forecast(n, l.promise())
	tooFar := func(w *window) bool { return w.charged(max(w.debt, w.repaid(delay)), n) == maxDebt }
	if delay == Never || slices.ContainsFunc(l.windows, tooFar) {
		r.err = errNever
		return r
	}
	l.unsettled++
	now := l.root.now
	r = Reservation{l: l, n: n, at: now + int64(delay), made: now - l.root.back, delay: delay, before: l.promised}
	for c := range l.root.claims.All() {
		if c.waitsAt(l) {
			r.c = l.enter(&claim{l: l, n: n, due: r.at})
			l.promised = max(l.promised, r.at)
			return r
		}
	}
	r.paid = l.charge(n, delay)
	return r
}

// charge makes n permits owed that are used after a delay. Permits that come before are no
// longer granted by l to others; a parent counts the permits from the first instant on at which it
// can grant them.
func (l *Limiter) charge(n uint64, delay time.Duration) (c charge) {
	for _, w := range l.windows {
		w.debt = max(w.debt, w.repaid(max(delay, 0)))
	}
	for m := l; m != nil; m = m.parent {
		if m != l {
			delay = due(m.windows, n)
		}
		if delay > 0 && delay < Never {
			m.promised = max(m.promised, m.root.now+int64(delay))
		}
		m.spent += n
		if m == l {
			c.spent = m.spent
		} else {
			c.above = append(c.above, m.spent)
		}
	}
	for _, w := range l.all {
		w.debt = w.charged(w.debt, n)
	}
	return c
}

// pay charges c, a reservation, which leaves the line.
func (c *claim) pay() {
	c.leave(nil)
	c.paid = c.l.charge(c.n, time.Duration(c.due-c.l.root.now))
}

// keepPromises lets reservations overtake callers that have come so late that the instants
// of the reservations would be too soon.
func (root *Limiter) keepPromises() {
	for node := root.claims.Front(); node != nil && root.reservations > 0; {
		c := node.Value
		if node = node.Next(); c.wake == nil && c.comesLate() {
			c.pay()
			node = root.claims.Front() // it may make others late
		}
	}
}

// comesLate reports whether c, a reservation, is due later than at its instant.
func (c *claim) comesLate() bool {
	ahead := uint64(0)
	for d := range c.l.root.claims.All() {
		if d.waitsAt(c.l) {
			ahead += d.n
		}
		if d == c {
			break
		}
	}
	c.l.advance()
	return slices.ContainsFunc(c.l.windows, func(w *window) bool {
		debt := w.charged(w.debt, ahead)
		return w.time(debt-min(debt, w.capacity)) > time.Duration(c.due-c.l.root.now)
	})
}

// forecast returns when n permits will be granted, behind all that wait and not before an
// instant; Never if they will not be. It assumes that all that wait at a parent are due there.
func (l *Limiter) forecast(n uint64, from time.Duration) time.Duration {
	var buf [4]window
	ws := buf[:0] // as they will be
	for m := l; m != nil; m = m.parent {
		ahead := uint64(0)
		for c := range l.root.claims.All() {
			if c.waitsAt(m) && !c.waitsAt(l) {
				ahead += c.n
			}
		}
		for _, w := range m.windows {
			ws = append(ws, *w)
			ws[len(ws)-1].debt = w.charged(w.debt, ahead)
		}
	}
	at := time.Duration(0)
	for c := range l.root.claims.All() {
		switch {
		case !c.waitsAt(l):
		case c.wake == nil:
			at = pass(ws, c.n, at, time.Duration(c.due-l.root.now))
		default:
			at = pass(ws, c.n, at, 0)
		}
	}
	return pass(ws, n, at, from)
}

// pass moves windows from an instant to the first one, not before another, at which n permits
// are granted, and returns it; Never if there is none.
func pass(ws []window, n uint64, at, from time.Duration) time.Duration {
	if at == Never {
		return Never
	}
	wait := max(0, from-at)
	for i := range ws {
		wait = max(wait, ws[i].delay(ws[i].debt, n))
	}
	if wait >= Never-at {
		return Never
	}
	for i := range ws {
		w := &ws[i]
		w.debt = w.charged(w.after(w.debt, wait), n)
	}
	return at + wait
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

// Settle pays the real cost in place of the reserved one. If that is more, it takes the
// rest as [Limiter.Charge] does, and returns how many permits that are as a negative
// number. If it is less, it gives back the safe part, and returns how many permits that
// are.
//
// The safe part: permits were perhaps granted to others since, on the grounds that the
// reserved ones are owed. Where giving all of them back could let more through in a window
// than the limit, Settle gives back less. If nothing was granted since, it gives back all
// that has not come back by itself.
//
// Settle may be called again, as the cost becomes known. It panics if actual is negative.
func (r *Reservation) Settle(actual int) (returned int) {
	misuse.Negative(actual, "ratelimit: Settle: number")
	if !r.OK() {
		return 0
	}
	l, charge := r.l, 0
	l.lock("Settle")
	if l.gone { // nothing was owed any more
		returned = min(int(r.n)-actual, 0)
		charge = -returned
	} else {
		returned = r.settle(uint64(actual))
	}
	r.n = uint64(actual)
	l.unlock()
	if l.touch != nil {
		l.touch(charge)
	}
	return returned
}

func (r *Reservation) settle(actual uint64) (returned int) {
	l := r.l
	if !r.settled {
		r.settled = true
		l.unsettled--
	}
	returned = int(r.n) - int(actual)
	switch {
	case r.c != nil && r.c.at != nil:
		if r.c.n = actual; actual == 0 {
			r.c.leave(nil)
		}
	case returned <= 0:
		l.spend(actual - r.n)
	default:
		paid := r.paid
		if r.c != nil {
			paid = r.c.paid
		}
		returned = int(l.giveBack(r.n-actual, paid.spent, paid.above))
	}
	if actual == 0 && l.promised == r.at {
		l.promised = r.before
	}
	l.root.serve(nil)
	return returned
}

// giveBack gives back as much as is safe of n permits that were the last ones when so many
// had been spent, here and at the parents, and returns how many these are.
//
// All permits that were granted after them may be used at the last moment that the debt
// allowed: at the instant of the last reservation, or when the debt above the burst now has
// come back. At that moment, their cost must still be owed.
func (l *Limiter) giveBack(n, spent uint64, above []uint64) (back uint64) {
	back = n
	for _, w := range l.windows {
		if w.cost == 0 {
			continue
		}
		least := w.charged(max(w.debt-min(w.debt, w.capacity), w.repaid(l.promise())), l.spent-spent)
		given := min(product(n, w.cost), w.debt-min(w.debt, least))
		w.debt -= given
		back = min(back, given/w.cost)
	}
	if len(above) > 0 { // not so if the reservation left the line before it was paid
		back = min(back, l.parent.giveBack(n, above[0], above[1:]))
	}
	return back
}
