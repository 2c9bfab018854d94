package redislimit

import (
	"context"

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
