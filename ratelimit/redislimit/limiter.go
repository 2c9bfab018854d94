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
	usual    atomic.Int64 // nanoseconds that an answer of Redis has taken lately
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

// limitsIn returns the limits of k. It calls user code.
func (l *Limiter[K]) limitsIn(sh *shard[K], k K) *limits {
	if l.limitFor == nil {
		return l.common
	}
	var x limit
	x.rate, x.burst = l.limitFor(k)
	x.check("WithLimits")
	sh.mu.Lock()
	e := sh.entries[k]
	sh.mu.Unlock()
	if e != nil && e.limits.own == x {
		return e.limits
	}
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

// Take takes n permits of k, all or none, and says what it has done. If ctx is cancelled
// first, it returns the cause of ctx. If Redis does not answer before the deadline of ctx,
// the policy of [OnFailure] decides, before the deadline. If Redis was asked, it is unknown
// in both cases whether the permits are spent there. It panics if ctx is nil or n is less than 1.
func (l *Limiter[K]) Take(ctx context.Context, k K, n int) (ratelimit.Decision, error) {
	ctxselect.Require(ctx, "redislimit: Take")
	misuse.Below(n, 1, "redislimit: Take: number")
	a, err := l.take(ctx, l.shardOf(k), k, claim{n: uint64(n)})
	return a.Decision, err
}

// Allow reports whether one permit of k can be had now, and takes it if so. Its
// errors are those of Take.
func (l *Limiter[K]) Allow(ctx context.Context, k K) (bool, error) {
	ctxselect.Require(ctx, "redislimit: Allow")
	a, err := l.take(ctx, l.shardOf(k), k, claim{n: 1})
	return a.OK, err
}

// An answer is what became of a claim. If it is OK, the permits may be used after a delay;
// until then they can be given back.
type answer struct {
	ratelimit.Decision
	limits *limits
	delay  time.Duration
	ticket ticket
}

func (l *Limiter[K]) take(ctx context.Context, sh *shard[K], k K, c claim) (answer, error) {
	if ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	p := l.limitsIn(sh, k)
	switch {
	case p.free:
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.countLocked(true)
		return answer{Decision: p.decision(true, make([]amount, len(p.windows)), 0, c.n), limits: p}, nil
	case p.burst == 0 || c.wait > 0 && c.n > p.burst: // which nothing in Redis can change
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.countLocked(false)
		return answer{Decision: p.decision(false, make([]amount, len(p.windows)), 0, c.n), limits: p}, nil
	case l.lease > 0:
		return l.takeLeased(ctx, sh, k, p, c)
	}
	return l.takeOne(ctx, sh, k, p, c)
}

// takeOne makes a claim without a lease.
func (l *Limiter[K]) takeOne(ctx context.Context, sh *shard[K], k K, p *limits, c claim) (answer, error) {
	r, err := l.ask(ctx, k, p, c, 0)
	switch {
	case r.failed:
		return l.fallBack(sh, k, p, c, err)
	case err != nil:
		return answer{}, sh.fails(err)
	}
	a := l.answer(k, p, c, r)
	now := l.now()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.countLocked(a.OK)
	if a.OK && l.policy == FailLocal {
		if e := l.entryLocked(sh, k, p, now); e != nil {
			e.limits.local.charge(e.owed, micros(now), c.n)
		}
	}
	return a, nil
}

// answer says what a reply to a claim on k means.
func (l *Limiter[K]) answer(k K, p *limits, c claim, r reply) answer {
	a := answer{Decision: p.decision(r.ok, r.debts, 0, c.n), limits: p}
	if r.ok && c.wait > 0 {
		a.delay = p.late(r.debts)
		a.ticket = ticket{l.prefix + l.name(k), p, c.n, r.debts, r.value}
	}
	return a
}

// fallBack decides without Redis, which has failed with err.
func (l *Limiter[K]) fallBack(sh *shard[K], k K, p *limits, c claim, err error) (answer, error) {
	if l.policy == FailClosed {
		return answer{}, sh.fails(err)
	}
	now := l.now()
	wait := l.breaker.wait(now)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var a answer
	if l.policy == FailOpen {
		sh.stats.opened++
		a.Decision = ratelimit.Decision{OK: c.n <= p.burst, Limit: int(p.burst)}
		if !a.OK {
			a.RetryAfter = ratelimit.Never
		}
	} else {
		sh.stats.local++
		a = l.decideLocked(sh, k, p, c, now, wait)
	}
	a.limits = p
	sh.countLocked(a.OK)
	return a, nil
}

// decideLocked makes a claim on the share that this process has. Where that can't
// say, Redis may in a while.
func (l *Limiter[K]) decideLocked(sh *shard[K], k K, p *limits, c claim, now, wait time.Duration) (a answer) {
	e := l.entryLocked(sh, k, p, now)
	if e == nil {
		a.Decision = ratelimit.Decision{Limit: int(p.local.burst), RetryAfter: wait, ResetAfter: wait}
		return a
	}
	debts, ok := p.local.take(e.owed, micros(now), c)
	a.Decision = p.local.decision(ok, debts, 0, c.n)
	if ok {
		a.delay = p.local.late(debts)
	}
	if c.n > p.local.burst && c.n <= p.burst {
		a.RetryAfter = wait
	}
	return a
}

// Forget forgets what k owes: all of its burst can be had. Leases of other processes
// go on until they end, and a caller that waits keeps the place that it has. It returns the cause of ctx, or an error that wraps
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
