package redislimit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// leastTime is the least time that Redis must have had before a call counts as not
// answered.
const leastTime = time.Millisecond

// timeoutFor returns for how long Redis is waited for under ctx. A quarter of the time until
// the deadline of ctx is kept for the fallback.
func (l *Limiter[K]) timeoutFor(ctx context.Context) (d time.Duration, hurried bool) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left -= left / 4; left < l.timeout {
			return left, true
		}
	}
	return l.timeout, false
}

// fair reports whether Redis, if it has not answered in time d, has failed. A caller whose
// deadline comes sooner than an answer usually does must not bring others to think so.
func (l *Limiter[K]) fair(d time.Duration) bool {
	return d >= l.timeout || d >= max(leastTime, 2*l.breaker.usually())
}

// ask makes a claim on k, and takes up to so many permits more. If Redis does not answer,
// reply says that it has failed; otherwise an error is the cause of ctx, or says that its
// deadline comes too soon.
func (l *Limiter[K]) ask(ctx context.Context, k K, p *limits, c claim, more uint64) (reply, error) {
	timeout, hurried := l.timeoutFor(ctx)
	if timeout <= 0 {
		return reply{}, errTooSoon
	}
	asked := l.now()
	ok, probe := l.breaker.enter(asked)
	if !ok {
		return reply{failed: true}, errResting
	}
	is := unknown // should the client panic
	defer func() { l.breaker.leave(probe, is, asked, l.now()) }()
	call, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := l.call(call, l.name(k), p, p.request(c, more))
	took := l.now() - asked
	switch {
	case err == nil:
		is = answered
		return r, nil
	case errors.Is(err, ErrForeign): // at this key, which says nothing about others
		is = foreign
		return reply{failed: true}, err
	case errors.Is(ctx.Err(), context.Canceled):
		return reply{}, context.Cause(ctx)
	}
	// The deadline of a connection can be noticed before that of the context that it is
	// taken from.
	late := call.Err() != nil || took >= timeout
	if late && !l.fair(timeout) {
		return reply{}, tooSoon(ctx)
	}
	is = failed
	return reply{failed: true, hurried: late && hurried}, unavailable(err)
}

// unavailable returns the error of a call that Redis has not answered. If a deadline has passed,
// that was none of the caller's, so it is not in the chain.
func unavailable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

var (
	errResting = fmt.Errorf("%w, and is not asked again for a moment", ErrUnavailable)
	errHurried = fmt.Errorf("%w before the deadline", ErrUnavailable)
	errTooSoon = fmt.Errorf("redislimit: the deadline comes before an answer of Redis can: %w", context.DeadlineExceeded)
)

// tooSoon returns the cause of ctx, whose deadline has not let Redis answer.
func tooSoon(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errTooSoon
}

// call runs the script for the key with a name.
func (l *Limiter[K]) call(ctx context.Context, name string, p *limits, args []any) (reply, error) {
	keys := append(make([]string, 0, 2), l.prefix+name)
	if l.parent != nil {
		keys = append(keys, l.parentKey)
	}
	is, err := script.Run(ctx, l.client, keys, args...).Slice()
	if err != nil {
		return reply{}, err
	}
	r, err := p.parse(is)
	if errors.Is(err, ErrForeign) {
		err = fmt.Errorf("%w: %q", ErrForeign, keys)
	}
	return r, err
}

// A ticket is permits that were granted for later. Until they are due they can be given back.
type ticket struct {
	n     uint64
	due   time.Duration // since the base
	debts []amount
	mark  []float64 // nil if they can't be given back
}

// giveBack gives back as many as is safe of n permits of a ticket, and returns that number.
// If all of them are given back, the reservation is none any more.
func (l *Limiter[K]) giveBack(ctx context.Context, k K, t ticket, n uint64) (returned int, err error) {
	if t.mark == nil {
		return 0, nil
	}
	mark := slices.Clone(t.mark)
	for i := 3; i < len(mark) && n == t.n; i += 4 {
		mark[i] = 1
	}
	r, err := l.ask(ctx, k, l.limitsIn(k), claim{n: n, op: opSettle, mark: mark}, 0)
	return int(r.more), err
}
