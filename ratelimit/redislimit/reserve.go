package redislimit

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A Reservation is a number of permits that may be used from an instant on, as a
// [ratelimit.Reservation] is. It must not be copied after its first use, and its methods must
// not be called concurrently. The zero value is not OK.
type Reservation struct {
	settle func(ctx context.Context, t ticket, more int) (returned int, err error) // nil: it is not OK
	due    time.Time
	ticket ticket // the permits that it has taken, or what was settled
	err    error  // why it is not OK
}

var errNever = errors.New("redislimit: the permits will never be granted")

// Reserve takes n permits of k for the first instant to come, behind all earlier
// reservations and waits of all processes that the limit leaves room for. It asks Redis
// once, and does not wait: the caller waits with [Reservation.Wait] or for
// [Reservation.Delay], and may pay the real cost later with [Reservation.Settle].
//
// The reservation is not OK, and takes nothing, if the permits can never be had: n is more
// than the burst, or the rate is 0. If Redis does not answer, the policy of
// [WithFailurePolicy] decides; permits that it grants can be charged for and not given back. The
// errors of Reserve are those of Take. It panics if ctx is nil or n is less than 1.
func (l *Limiter[K]) Reserve(ctx context.Context, k K, n int) (r Reservation, err error) {
	a, err := l.enter(ctx, "Reserve", k, n, forever)
	switch {
	case err != nil:
		return Reservation{}, err
	case a.OK:
		settle := func(ctx context.Context, t ticket, more int) (int, error) {
			if more > 0 {
				return -more, l.Charge(ctx, k, more)
			}
			return l.giveBack(ctx, k, t, uint64(-more))
		}
		a.ticket.n = uint64(n)
		return Reservation{settle: settle, due: l.base.Add(a.ticket.due), ticket: a.ticket}, nil
	case uint64(n) > a.limits.burst:
		return Reservation{err: exceedsBurst(uint64(n), a.limits)}, nil
	}
	return Reservation{err: errNever}, nil
}

// OK reports whether the permits can be had at all.
func (r Reservation) OK() bool { return r.settle != nil }

// Delay returns the time until the permits may be used: 0 if they may be used now, and
// [ratelimit.Never] if the reservation is not OK. Their instant does not change.
func (r Reservation) Delay() time.Duration {
	if !r.OK() {
		return ratelimit.Never
	}
	return max(0, time.Until(r.due))
}

// Wait waits until the permits may be used. Its errors, and when it gives the permits back, are
// those of [ratelimit.Reservation.Wait]. It panics if ctx is nil.
func (r *Reservation) Wait(ctx context.Context) error {
	err := enter(ctx, "Reservation.Wait", 0, 0)
	if !r.OK() {
		return cmp.Or(r.err, errNever)
	}
	if err == nil {
		err = sleep(ctx, r.Delay())
	}
	if err != nil {
		_ = r.Cancel(context.WithoutCancel(ctx))
	}
	return err
}

// Cancel gives the permits back. It is Settle(ctx, 0).
func (r *Reservation) Cancel(ctx context.Context) error {
	_, err := r.Settle(ctx, 0)
	return err
}

// Settle pays the real cost in place of what was reserved, and returns how many permits it
// gave back, or has charged as a negative number. It gives back the safe part, see
// [ratelimit.Reservation.Settle]. It may be called again, as the cost becomes known.
//
// Settle asks Redis once if the cost has changed. It returns the cause of ctx, or an error
// that wraps ErrUnavailable or ErrForeign; then nothing is settled, or it is unknown. It
// panics if ctx is nil or actual is negative.
func (r *Reservation) Settle(ctx context.Context, actual int) (returned int, err error) {
	if err := enter(ctx, "Settle", actual, 0); err != nil {
		return 0, err
	}
	more := actual - int(r.ticket.n)
	if !r.OK() || more == 0 {
		return 0, nil
	}
	if returned, err = r.settle(ctx, r.ticket, more); err != nil {
		return 0, err
	}
	r.ticket.n = uint64(actual)
	return returned, nil
}
