package redislimit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// Charge takes n permits of k, even if more than the burst is owed then, see
// [ratelimit.Limiter.Charge]. It asks Redis once, and does not wait. A charge of more than 24
// days' worth of permits may be cut to that.
//
// If Redis does not answer, FailLocal charges the share of this process, up to its burst,
// and FailOpen nothing. The errors of Charge are those of Take, and one if the rate is 0 and
// more than the burst would be owed: then nothing is charged. It panics if ctx is nil or n is
// less than 1.
func (l *Limiter[K]) Charge(ctx context.Context, k K, n int) error {
	if err := l.begin(ctx, "Charge", n, 1); err != nil {
		return err
	}
	p := l.limitsIn(k)
	if len(p.windows) == 0 {
		return nil
	}
	c := claim{n: uint64(n), wait: forever, op: opCharge}
	for i := range p.windows {
		w := &p.windows[i]
		c.n = min(c.n, max(w.burst, maxCharge/(w.step.whole+1)))
	}
	r, err := l.ask(ctx, k, p, c, 0)
	switch {
	case r.failed && l.policy == FailClosed, err != nil && !r.failed:
		return l.fails(err)
	case !r.failed && !r.ok:
		return l.fails(fmt.Errorf("redislimit: Charge: %d permits will never come back", n))
	}
	l.spend(k, c.n)
	return nil
}

// maxCharge is in wholes, with room for an earlier debt.
const maxCharge = 1 << 41

// Set changes the windows of k for all processes, from now on, and those of [WithWindow]
// stay. As many permits are owed as before. A window with an unlimited rate is left out, and
// with no other windows k is forgotten. The windows hold until k owes nothing: from
// then on each process has those of its own again. So Set is for a key in use, beside a
// change of the function of NewFunc, and has no effect on a key that owes nothing, nor in a
// process whose own windows for k are unlimited or have a burst of 0. Leases of other
// processes go on until they end, and a caller that waits keeps the place that it has.
//
// Set asks Redis once. It returns the cause of ctx, or an error that wraps ErrUnavailable or
// ErrForeign, whatever the policy is, and then it is unknown whether the windows are set. It
// panics if ctx is nil, if there is no window, or if one is out of range.
func (l *Limiter[K]) Set(ctx context.Context, k K, windows ...ratelimit.Window) error {
	err := l.begin(ctx, "Set", 0, 0)
	p := l.plan("Set", slices.Clone(windows))
	if err != nil {
		return err
	}
	if _, err := l.ask(ctx, k, p, claim{op: opSet}, 0); err != nil {
		return l.fails(err)
	}
	l.drop(k)
	if l.local != nil {
		l.local.Set(k, l.shares(p.given)...)
	}
	return nil
}

// Forget forgets the debt of k: all of its burst can be had. The debt of its parent stays.
// Leases of other processes go on until they end, and a caller that waits keeps the place
// that it has. Forget returns the cause of ctx, or an error that wraps ErrUnavailable, and
// then does not know whether k is forgotten. It panics if ctx is nil.
func (l *Limiter[K]) Forget(ctx context.Context, k K) error {
	if err := l.begin(ctx, "Forget", 0, 0); err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	if err := l.client.Del(call, l.prefix+l.name(k)).Err(); err != nil {
		if cause := causeOf(ctx); cause != nil {
			return cause
		}
		return unavailable(err)
	}
	l.drop(k)
	if l.local != nil {
		l.local.Forget(k)
	}
	return nil
}

// drop gives up the lease of k.
func (l *Limiter[K]) drop(k K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked(k)
}

// causeOf returns the cause of ctx if that has ended. The deadline of a connection
// can be noticed before that of the context that it is taken from.
func causeOf(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
