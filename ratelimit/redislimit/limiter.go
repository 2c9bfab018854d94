package redislimit

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/ratelimit"
)

// A Limiter limits by key, together with all other Limiters that have the same
// prefix on the same Redis. It is made by [New], must not be copied, and is safe for
// concurrent use. It is a [ratelimit.Taker].
//
// How it works. The state of a key is one value in Redis, and a claim is one run of
// the script in take.lua, which nothing comes between. What this process knows of a
// key is an entry in the table of one of a number of shards, guarded by the shard's
// lock: what it was granted, for the time when Redis is away, and its lease. No lock
// is held while Redis is asked, nor while user code runs. With leases one goroutine
// asks for a key, that is its flight; others park on the channel of the flight, which
// is closed when the answer is in the entry, and look again. Whoever takes part in a
// flight that has failed falls back, so that they don't all wait one after the other.
// There is no goroutine and, but for Wait, no timer.
type Limiter[K comparable] struct {
	options
	client   redis.UniversalClient
	base     time.Time
	seed     maphash.Seed
	shift    int // of a hash, to the index of its shard
	perShard int // keys at most
	name     func(K) string
	limitFor func(K) (ratelimit.Rate, int)
	own      limit
	common   *limits
	breaker  breaker
	calls    atomic.Uint64
	failed   atomic.Uint64
	foreign  atomic.Uint64
	shards   []shard[K]

	plansMu sync.Mutex
	plans   map[limit]*limits // those that several keys may have
}

// maxPlans bounds how many limits are shared by keys that have the same; who has
// others has some of his own.
const maxPlans = 1024

var _ ratelimit.Taker[string] = (*Limiter[string])(nil)

// New returns a limiter of the given rate and burst for each key, on Redis. It asks
// nothing yet. The client must have ContextTimeoutEnabled in its options: without it,
// clients of go-redis look at no deadline of a context, and may wait for seconds. New
// panics if client is nil or has not, or if burst is negative.
func New[K comparable](client redis.UniversalClient, rate ratelimit.Rate, burst int, opts ...Option) *Limiter[K] {
	own := limit{rate, burst}
	own.check("New")
	o := newOptions(opts)
	l := &Limiter[K]{
		options: o,
		client:  punctual(client),
		base:    time.Now(),
		seed:    maphash.MakeSeed(),
		own:     own,
		breaker: breaker{limit: o.failures, pause: o.pause},
		plans:   map[limit]*limits{},
	}
	if l.name = misuse.Untyped[func(K) string](o.key, "redislimit: New: WithKey"); l.name == nil {
		l.name = keyFunc[K]()
	}
	l.limitFor = misuse.Untyped[func(K) (ratelimit.Rate, int)](o.limits, "redislimit: New: WithLimits")
	l.common = newLimits(own, o.windows, o.replicas)
	width := min(bits.Len(uint(o.maxKeys/64)), 8)
	l.shift = 64 - width
	l.shards = make([]shard[K], 1<<width)
	l.perShard = (o.maxKeys + len(l.shards) - 1) / len(l.shards)
	return l
}

// punctual returns client, and panics if it does not respect the deadline of a context.
// A copy of it that does, such as Client.WithTimeout makes, would be without its hooks.
func punctual(client redis.UniversalClient) redis.UniversalClient {
	is := true
	switch c := client.(type) {
	case nil:
		panic("redislimit: New: client must not be nil")
	case *redis.Client:
		is = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		is = c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		is = c.Options().ContextTimeoutEnabled
	}
	if !is {
		panic("redislimit: New: client must have ContextTimeoutEnabled in its options")
	}
	return client
}

// now returns the time since the limiter was made. A clock that seems to have gone
// back, as it does to one made outside a synctest bubble and used inside, stands still.
func (l *Limiter[K]) now() time.Duration { return max(0, time.Since(l.base)) }

func (l *Limiter[K]) shardOf(k K) *shard[K] {
	return &l.shards[maphash.Comparable(l.seed, k)>>l.shift]
}

// limitsOf returns the limits of a key of which nothing is known. It calls user code.
func (l *Limiter[K]) limitsOf(k K) *limits {
	if l.limitFor == nil {
		return l.common
	}
	var x limit
	x.rate, x.burst = l.limitFor(k)
	x.check("WithLimits")
	l.plansMu.Lock()
	defer l.plansMu.Unlock()
	if p := l.plans[x]; p != nil {
		return p
	}
	p := newLimits(x, l.windows, l.replicas)
	if len(l.plans) < maxPlans {
		l.plans[x] = p
	}
	return p
}

// limitsIn is limitsOf for any key.
func (l *Limiter[K]) limitsIn(sh *shard[K], k K) *limits {
	if l.limitFor == nil {
		return l.common
	}
	sh.mu.Lock()
	e := sh.entries[k]
	sh.mu.Unlock()
	if e != nil {
		return e.limits
	}
	return l.limitsOf(k)
}

// Take takes n permits of k, all or none, and says what it has done. It returns the
// cause of ctx if that ends first; if Redis was asked by then, it is unknown whether
// the permits are spent. It panics if ctx is nil or n is less than 1.
func (l *Limiter[K]) Take(ctx context.Context, k K, n int) (ratelimit.Decision, error) {
	ctxselect.Require(ctx, "redislimit: Take")
	misuse.Below(n, 1, "redislimit: Take: number")
	return l.take(ctx, k, uint64(n))
}

// Allow reports whether one permit of k can be had now, and takes it if so. Its
// errors are those of Take.
func (l *Limiter[K]) Allow(ctx context.Context, k K) (bool, error) {
	ctxselect.Require(ctx, "redislimit: Allow")
	d, err := l.take(ctx, k, 1)
	return d.OK, err
}

func (l *Limiter[K]) take(ctx context.Context, k K, n uint64) (ratelimit.Decision, error) {
	if ctx.Err() != nil {
		return ratelimit.Decision{}, context.Cause(ctx)
	}
	sh := l.shardOf(k)
	if l.lease > 0 {
		return l.takeLeased(ctx, sh, k, n)
	}
	return l.takeOne(ctx, sh, k, l.limitsIn(sh, k), n)
}

// takeOne takes n permits without a lease.
func (l *Limiter[K]) takeOne(ctx context.Context, sh *shard[K], k K, p *limits, n uint64) (ratelimit.Decision, error) {
	if p.free {
		return l.takeFree(sh, p, n), nil
	}
	r, err := l.ask(ctx, k, p, n, 0)
	switch {
	case r.failed:
		return l.fallBack(sh, k, p, n, err)
	case err != nil:
		return ratelimit.Decision{}, sh.fails(err)
	}
	d := p.decision(r.ok, r.debts, 0, n)
	now := l.now()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.countLocked(d.OK)
	if d.OK && l.policy == FailLocal {
		if e := l.entryLocked(sh, k, p, now); e != nil && e.limits == p {
			p.local.charge(e.owed, micros(now), n)
		}
	}
	return d, nil
}

// takeFree takes n permits of what is not limited.
func (l *Limiter[K]) takeFree(sh *shard[K], p *limits, n uint64) ratelimit.Decision {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.countLocked(true)
	return p.decision(true, make([]amount, len(p.windows)), 0, n)
}

// fallBack decides without Redis, which has failed with err.
func (l *Limiter[K]) fallBack(sh *shard[K], k K, p *limits, n uint64, err error) (ratelimit.Decision, error) {
	if l.policy == FailClosed {
		return ratelimit.Decision{}, sh.fails(err)
	}
	now := l.now()
	wait := l.breaker.wait(now)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var d ratelimit.Decision
	if l.policy == FailOpen {
		sh.stats.opened++
		d = ratelimit.Decision{OK: n <= p.burst, Limit: int(p.burst)}
		if !d.OK {
			d.RetryAfter = ratelimit.Never
		}
	} else {
		sh.stats.local++
		d = l.decideLocked(sh, k, p, n, now, wait)
	}
	sh.countLocked(d.OK)
	return d, nil
}

// decideLocked takes n permits of the share that this process has. Where that can't
// say, Redis may in a while.
func (l *Limiter[K]) decideLocked(sh *shard[K], k K, p *limits, n uint64, now, wait time.Duration) ratelimit.Decision {
	e := l.entryLocked(sh, k, p, now)
	if e == nil {
		return ratelimit.Decision{Limit: int(p.local.burst), RetryAfter: wait, ResetAfter: wait}
	}
	p = e.limits
	debts, ok := p.local.take(e.owed, micros(now), n)
	d := p.local.decision(ok, debts, 0, n)
	if n > p.local.burst && n <= p.burst {
		d.RetryAfter = wait
	}
	return d
}

// Forget forgets what k owes: all of its burst can be had. Leases of other processes
// go on until they end. It returns the cause of ctx, or an error that wraps
// ErrUnavailable, and then does not know whether k is forgotten. It panics if ctx is
// nil.
func (l *Limiter[K]) Forget(ctx context.Context, k K) error {
	ctxselect.Require(ctx, "redislimit: Forget")
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	call, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	if err := l.client.Del(call, l.prefix+l.name(k)).Err(); err != nil {
		if cause := causeOf(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	sh := l.shardOf(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[k]; e != nil {
		sh.dropLocked(k, e)
	}
	return nil
}
