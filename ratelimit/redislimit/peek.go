package redislimit

import (
	"context"
	"fmt"
	"slices"

	"github.com/tandemgo/tandem/ratelimit"
)

// Peek returns the decision that Take would return for one permit of k, and takes nothing.
// It asks Redis once. Permits that a process has on lease count as granted. Its errors are
// those of Take; if Redis does not answer, the policy of [WithFailurePolicy] decides. It
// panics if ctx is nil.
func (l *Limiter[K]) Peek(ctx context.Context, k K) (ratelimit.Decision, error) {
	if err := l.begin(ctx, "Peek", 0, 0); err != nil {
		return ratelimit.Decision{}, err
	}
	p := l.limitsIn(k)
	if d, ok := p.constant(1); ok {
		return d, nil
	}
	// Redis denies more than any burst, changes nothing, and returns the debts.
	r, err := l.ask(ctx, k, p, claim{n: 1 << 62}, 0)
	switch {
	case !r.failed && err == nil:
		return r.limits.decision(r.limits.fits(r.debts, 0, 1), r.debts, 0, 1), nil
	case !r.failed || l.policy == FailClosed:
		return ratelimit.Decision{}, l.fails(err)
	case l.policy == FailOpen:
		return ratelimit.Decision{OK: true, Limit: int(p.burst), Remaining: int(p.burst)}, nil
	}
	l.renew(k, p)
	return l.local.Peek(k), nil
}

// Charge takes n permits of k, even if more than the burst is owed then. It is for a cost
// that is known only when it has arisen. Nothing is granted until the debt has come down to the
// burst. It asks Redis once, and does not wait. A charge of more than 24 days' worth
// of permits may be cut to that.
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
		l.local.Set(k, l.shares(p.said)...)
	}
	return nil
}
