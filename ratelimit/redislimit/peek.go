package redislimit

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// Peek returns the decision that Take would return for one permit of k, and takes nothing.
// It asks Redis once. Permits that a process has on lease count as granted. Its errors are
// those of Take; if Redis does not answer, the policy of [OnFailure] decides. It panics if
// ctx is nil.
func (l *Limiter[K]) Peek(ctx context.Context, k K) (ratelimit.Decision, error) {
	ctxselect.Require(ctx, "redislimit: Peek")
	if ctx.Err() != nil {
		return ratelimit.Decision{}, context.Cause(ctx)
	}
	sh := l.shardOf(k)
	p := l.limitsIn(sh, k)
	if p.free || p.burst == 0 {
		return p.decision(p.free, make([]amount, len(p.windows)), 0, 1), nil
	}
	// Redis denies more than the burst, changes nothing, and says what is owed.
	r, err := l.ask(ctx, k, p, claim{n: p.burst + 1}, 0)
	switch {
	case r.failed && l.policy == FailClosed, err != nil && !r.failed:
		return ratelimit.Decision{}, sh.fails(err)
	case r.failed && l.policy == FailOpen:
		return ratelimit.Decision{OK: true, Limit: int(p.burst), Remaining: int(p.burst)}, nil
	case !r.failed:
		return p.decision(p.fits(r.debts, 0, 1), r.debts, 0, 1), nil
	}
	now := l.now()
	wait := l.breaker.wait(now)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := l.entryLocked(sh, k, p, now)
	if e == nil {
		return ratelimit.Decision{Limit: int(p.local.burst), RetryAfter: wait, ResetAfter: wait}, nil
	}
	debts, _ := p.local.take(e.owed, micros(now), claim{n: p.local.burst + 1})
	return p.local.decision(p.local.fits(debts, 0, 1), debts, 0, 1), nil
}

// Charge takes n permits of k, even if more than the burst is owed then. It is for a cost
// that is known only when it has arisen. Nothing is granted until what is owed has come down
// to the burst. It asks Redis once, and does not wait. A charge of more than 24 days' worth
// of permits may be cut to that.
//
// If Redis does not answer, FailLocal charges what this process knows of k, up to its burst,
// and FailOpen nothing. The errors of Charge are those of Take, and one if the rate is 0 and
// more than the burst would be owed: then nothing is charged. It panics if ctx is nil or n is
// less than 1.
func (l *Limiter[K]) Charge(ctx context.Context, k K, n int) error {
	ctxselect.Require(ctx, "redislimit: Charge")
	misuse.Below(n, 1, "redislimit: Charge: number")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	sh := l.shardOf(k)
	p := l.limitsIn(sh, k)
	if p.free {
		return nil
	}
	c := claim{n: uint64(n), wait: forever, beyond: true}
	for i := range p.windows {
		if w := &p.windows[i]; !w.unlimited {
			c.n = min(c.n, max(w.burst, maxCharge/(w.step.whole+1)))
		}
	}
	r, err := l.ask(ctx, k, p, c, 0)
	switch {
	case r.failed && l.policy == FailClosed, err != nil && !r.failed:
		return sh.fails(err)
	case !r.failed && !r.ok:
		return sh.fails(fmt.Errorf("redislimit: Charge: %d permits will never come back", n))
	}
	now := l.now()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l.policy == FailLocal {
		if e := l.entryLocked(sh, k, p, now); e != nil {
			e.limits.local.charge(e.owed, micros(now), c.n)
		}
	}
	return nil
}

// maxCharge is in wholes, with room for what is owed already.
const maxCharge = 1 << 41
