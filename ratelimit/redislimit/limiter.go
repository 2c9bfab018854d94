package redislimit

import (
	"container/list"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
)

// A Limiter limits by key, together with all other Limiters that have the same
// prefix on the same Redis. It is made by [New] or [NewFunc], must not be copied, and is
// safe for concurrent use. It is a [ratelimit.Taker].
//
// The state of a key is one value in Redis, and a claim is one run of the script in take.lua,
// which nothing comes between. No lock is held while Redis is asked, nor while user code runs.
// There is no goroutine and, but for Wait, no timer.
type Limiter[K comparable] struct {
	options
	client  redis.UniversalClient
	base    time.Time
	windows func(K) []ratelimit.Window // nil: common
	common  *limits
	name    func(K) string
	local   *ratelimit.Keyed[K] // of FailLocal
	breaker breaker

	mu     sync.Mutex
	leases map[K]*lease
	sweep  list.List // of K: the keys with leases, in the order in which they are looked at
	lines  map[K]*line
	stats  Stats // without those that the breaker counts

	plansMu sync.Mutex
	plans   map[ratelimit.Window][]*limits // those that several keys may have, by the first window
	shared  int                            // plans in the map
}

// maxPlans bounds how many limits are shared by the keys that have the same. Each key with
// another limit has a copy of its own.
const maxPlans = 1024

var _ ratelimit.Taker[string] = (*Limiter[string])(nil)

// New returns a limiter of the given rate and burst for each key, on Redis. It asks
// nothing yet. The client must have ContextTimeoutEnabled in its options: without it,
// clients of go-redis look at no deadline of a context, and may wait for seconds.
//
// Keys are strings, integers, booleans, or types that implement
// [encoding.TextMarshaler], such as [net/netip.Addr]. Two keys with one text share a limit.
//
// New panics if client is nil or has no ContextTimeoutEnabled, if keys are of another type,
// or if the rate and the burst are out of the range of package ratelimit.
func New[K comparable](client redis.UniversalClient, rate ratelimit.Rate, burst int, opts ...Option) *Limiter[K] {
	l := newLimiter[K]("New", client, opts)
	l.common = newLimits("New", append([]ratelimit.Window{{Rate: rate, Burst: burst}}, l.further...), l.parent)
	return l
}

// NewFunc returns a limiter like that of New, with the windows that a function gives each
// key, and those of [WithWindow] besides. The function is called on the goroutine that
// asks, with no lock held, at each call. If it returns other windows than before, the key
// owes as many permits as before; a caller that waits keeps the place that it has. It must
// be fast, safe for concurrent use, and should say the same in all processes. NewFunc
// panics if windows is nil; a call panics if it returns none or one that is out of range.
func NewFunc[K comparable](client redis.UniversalClient, windows func(K) []ratelimit.Window, opts ...Option) *Limiter[K] {
	if windows == nil {
		panic("redislimit: NewFunc: function must not be nil")
	}
	l := newLimiter[K]("NewFunc", client, opts)
	l.windows = windows
	return l
}

func newLimiter[K comparable](call string, client redis.UniversalClient, opts []Option) *Limiter[K] {
	o := newOptions(opts)
	l := &Limiter[K]{
		options: o,
		client:  punctual(call, client),
		base:    time.Now(),
		breaker: breaker{limit: o.failures, pause: o.pause},
		name:    keyFunc[K](call),
		leases:  map[K]*lease{},
		lines:   map[K]*line{},
		plans:   map[ratelimit.Window][]*limits{},
	}
	if o.policy == FailLocal {
		l.local = l.newLocal()
	}
	return l
}

// punctual panics if a client does not respect the deadline of a context. The copy that
// Client.WithTimeout makes could be changed to, but is without the hooks of the client, and its
// options are shared with all that use it.
func punctual(call string, client redis.UniversalClient) redis.UniversalClient {
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		panic("redislimit: " + call + ": client must not be nil")
	}
	is, options := true, ""
	switch c := client.(type) {
	case *redis.Client:
		is, options = c.Options().ContextTimeoutEnabled, "Options"
	case *redis.ClusterClient:
		is, options = c.Options().ContextTimeoutEnabled, "ClusterOptions"
	case *redis.Ring:
		is, options = c.Options().ContextTimeoutEnabled, "RingOptions"
	}
	if !is {
		panic(fmt.Sprintf("redislimit: %s: client must respect deadlines: make it with redis.%s{ContextTimeoutEnabled: true, …}", call, options))
	}
	return client
}

// now returns the time since the limiter was made. A clock that seems to have gone
// back, as it does to one made outside a synctest bubble and used inside, stands still.
func (l *Limiter[K]) now() time.Duration { return max(0, time.Since(l.base)) }

// limitsIn returns the limits of k. It calls user code.
func (l *Limiter[K]) limitsIn(k K) *limits {
	if l.windows == nil {
		return l.common
	}
	return l.plan("NewFunc", l.windows(k))
}

// plan returns the limits with some windows, and the further ones of all keys.
func (l *Limiter[K]) plan(call string, windows []ratelimit.Window) *limits {
	atLeast(len(windows), 1, call+": number of windows")
	l.plansMu.Lock()
	defer l.plansMu.Unlock()
	for _, p := range l.plans[windows[0]] {
		if slices.Equal(p.given[:len(p.given)-len(l.further)], windows) {
			return p
		}
	}
	p := newLimits(call, slices.Concat(windows, l.further), l.parent)
	if l.shared < maxPlans {
		l.shared++
		l.plans[windows[0]] = append(l.plans[windows[0]], p)
	}
	return p
}

// Take takes n permits of k, all or none, and returns the decision. If ctx is cancelled
// first, it returns the cause of ctx. If Redis does not answer before the deadline of ctx,
// the policy of [WithFailurePolicy] decides, before the deadline. If Redis was asked, it is unknown
// in both cases whether the permits are spent there. It panics if ctx is nil or n is less than 1.
func (l *Limiter[K]) Take(ctx context.Context, k K, n int) (ratelimit.Decision, error) {
	a, err := l.enter(ctx, "Take", k, n, 0)
	return a.Decision, err
}

// Allow reports whether one permit of k can be had now, and takes it if so. Its
// errors are those of Take.
func (l *Limiter[K]) Allow(ctx context.Context, k K) (bool, error) {
	a, err := l.enter(ctx, "Allow", k, 1, 0)
	return a.OK, err
}

// enter takes n permits of k, now or within the time that the caller can wait.
func (l *Limiter[K]) enter(ctx context.Context, call string, k K, n int, wait time.Duration) (answer, error) {
	if err := l.begin(ctx, call, n, 1); err != nil {
		return answer{}, err
	}
	return l.take(ctx, k, claim{n: uint64(n), wait: wait})
}

// An answer is the result of a claim.
type answer struct {
	ratelimit.Decision
	limits *limits
	ticket ticket // of a claim that can wait, if it is OK
}

func (l *Limiter[K]) take(ctx context.Context, k K, c claim) (answer, error) {
	p := l.limitsIn(k)
	if d, ok := p.constant(c.n); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.countLocked(d.OK)
		return answer{Decision: d, limits: p}, nil
	}
	if l.lease > 0 {
		return l.takeLeased(ctx, k, p, c)
	}
	return l.takeOne(ctx, k, p, c)
}

// takeOne makes a claim without a lease.
func (l *Limiter[K]) takeOne(ctx context.Context, k K, p *limits, c claim) (answer, error) {
	r, err := l.ask(ctx, k, p, c, 0)
	return l.conclude(k, p, c, r, err)
}

// conclude returns the answer to a claim, for which ask has returned r and err.
func (l *Limiter[K]) conclude(k K, p *limits, c claim, r reply, err error) (answer, error) {
	switch {
	case r.failed:
		return l.fallBack(k, p, c, err)
	case err != nil:
		return answer{}, l.fails(err)
	case r.ok:
		l.spend(k, c.n+r.more)
	}
	a := answer{Decision: withHeld(r.limits.decision(r.ok, r.debts, 0, c.n), r.held), limits: r.limits}
	if r.ok && c.wait > 0 {
		a.ticket = ticket{c.n, l.now() + r.limits.late(r.debts), r.debts, r.mark}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countLocked(a.OK)
	return a, nil
}
