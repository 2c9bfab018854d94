package redislimit

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// A FailurePolicy is the way in which calls are decided while Redis does not answer. See
// [WithFailurePolicy].
type FailurePolicy int

const (
	// FailLocal decides by a limiter of this process, which has seen the permits that this
	// process was granted, and has its share of the limit (see [WithReplicas]).
	FailLocal FailurePolicy = iota
	// FailOpen grants everything that could ever be granted.
	FailOpen
	// FailClosed returns an error that wraps ErrUnavailable or ErrForeign.
	FailClosed
)

// String returns the name of the policy, such as "FailLocal".
func (p FailurePolicy) String() string {
	if p < FailLocal || p > FailClosed {
		return fmt.Sprintf("FailurePolicy(%d)", int(p))
	}
	return [...]string{"FailLocal", "FailOpen", "FailClosed"}[p]
}

// fallBack decides without Redis, which has failed with err.
func (l *Limiter[K]) fallBack(k K, p *limits, c claim, err error) (a answer, _ error) {
	switch l.policy {
	case FailClosed:
		return answer{}, l.fails(err)
	case FailOpen:
		a.Decision = ratelimit.Decision{OK: c.n <= p.burst, Limit: int(p.burst)}
		if !a.OK {
			a.RetryAfter = ratelimit.Never
		}
	default:
		a = l.decide(k, p, c, l.breaker.wait(l.now()))
	}
	a.limits = p
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.policy == FailOpen {
		l.stats.Opened++
	} else {
		l.stats.Local++
	}
	l.countLocked(a.OK)
	return a, nil
}

// FailLocal decides by a ratelimit.Keyed with the share of this process. It is charged with
// the permits that Redis grants to this process, as far as its burst goes.

// share returns the share that this process has of a window while Redis is away. A share
// that would take more than 30 years to come back does not come back.
func (o *options) share(w ratelimit.Window) ratelimit.Window {
	w.Burst = (w.Burst + o.replicas - 1) / o.replicas
	permits, period := w.Rate.Parts()
	switch years := 30 * 365 * 24 * time.Hour; {
	case w.Rate == ratelimit.Unlimited || permits == 0 || o.replicas == 1:
	case float64(period)/float64(permits)*float64(o.replicas)*float64(max(w.Burst, 1)) > float64(years) || period > math.MaxInt64/time.Duration(o.replicas):
		w.Rate = ratelimit.Per(0, time.Second)
	default:
		w.Rate = ratelimit.Per(permits, period*time.Duration(o.replicas))
	}
	return w
}

func (o *options) shares(windows []ratelimit.Window) (is []ratelimit.Window) {
	for _, w := range windows {
		is = append(is, o.share(w))
	}
	return is
}

func (l *Limiter[K]) newLocal() *ratelimit.Keyed[K] {
	opts := []ratelimit.KeyedOption{ratelimit.WithMaxKeys(l.maxKeys)}
	if l.parent != nil {
		all := l.shares(l.parent.given)
		var more []ratelimit.Option
		for _, w := range all[1:] {
			more = append(more, ratelimit.WithWindow(w.Rate, w.Burst))
		}
		opts = append(opts, ratelimit.WithParent(ratelimit.New(all[0].Rate, all[0].Burst, more...)))
	}
	return ratelimit.NewKeyedFunc(func(k K) []ratelimit.Window { return l.shares(l.limitsIn(k).given) }, opts...)
}

// spend charges this process with n permits that Redis has granted for k.
func (l *Limiter[K]) spend(k K, n uint64) {
	if l.policy != FailLocal || n == 0 {
		return
	}
	if n <= math.MaxInt32 && l.local.AllowN(k, int(n)) {
		return
	}
	if left := l.local.Peek(k).Remaining; left > 0 {
		l.local.AllowN(k, int(min(n, uint64(left))))
	}
}

// decide makes a claim on the share that this process has. Where that can't decide, Redis
// may in a while.
func (l *Limiter[K]) decide(k K, p *limits, c claim, wait time.Duration) (a answer) {
	l.renew(k, p)
	if c.wait <= 0 {
		a.Decision, _ = l.local.Take(context.Background(), k, int(c.n))
	} else if r := l.local.Reserve(k, int(c.n)); r.Delay() <= c.wait {
		a.Decision, a.ticket.due = l.local.Peek(k), l.now()+r.Delay()
		a.OK, a.RetryAfter = true, 0
		r.Settle(int(c.n)) // it cannot be given up, so the key need not be kept for it
	} else {
		r.Cancel()
		a.Decision = l.local.Peek(k)
		a.OK, a.RetryAfter = false, r.Delay()
	}
	if !a.OK && a.RetryAfter == ratelimit.Never && c.n <= p.burst {
		a.RetryAfter = wait
	}
	return a
}

// renew has the share of k follow the windows of k.
func (l *Limiter[K]) renew(k K, p *limits) {
	if l.windows != nil {
		l.local.Set(k, l.shares(p.given)...)
	}
}
