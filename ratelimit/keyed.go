package ratelimit

import (
	"context"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// How a Keyed works.
//
// The state of a key is one word, as that of a Limiter (see plan), in the table
// of one of a number of shards: a claim finds it and changes it without a lock.
// Tables are changed under their shard's. A word that is removed is marked dead
// first, so a claim that has found it before looks again. When somebody has to
// wait, the key gets a full Limiter, until nobody does any more. No goroutine is
// involved.

// Keyed is a limiter for each key: each user, each address, each tenant. Keys are
// told apart by ==; structs are fine. It is made by [NewKeyed], must not be copied,
// and is safe for concurrent use. It is a [Taker].
//
// Memory is bounded. A key takes 24 bytes and its own size, times up to 5/3, and
// only while something is owed: when all of its burst is back, it may be evicted,
// which loses nothing. That happens a few keys at a time, whenever a key is
// added. At [WithMaxKeys] nobody is evicted to make room, since who owes something
// could get rid of that by a flood of other keys. New keys share limiters then,
// by hash, and so may be denied more than is due to each, never less. One that
// gets a place of its own takes along what is owed where it was.
//
// Every now and then a claim that adds a key has to move all those of its shard,
// some thousands of them if there are a million.
type Keyed[K comparable] struct {
	seed   maphash.Seed
	base   time.Time
	plan   *plan
	limits func(K) (Rate, int)
	max    int64
	shift  int // of a hash, to the index of its shard
	shards []shard[K]

	plansMu sync.Mutex
	plans   map[plan]*plan // those that several keys may have

	_    [128]byte
	keys atomic.Int64
	next atomic.Uint32 // the shard to be swept when there is no place
}

// maxPlans bounds how many plans are shared by keys that have the same; who has
// another has one of his own.
const maxPlans = 1024

// KeyedStats says how a Keyed is doing.
type KeyedStats struct {
	Keys    int    // keys with a limiter of their own
	Waiting int    // goroutines that wait
	Evicted uint64 // keys that were dropped, since all of their burst was back
	Shared  uint64 // claims of keys that had to share a limiter
}

// NewKeyed returns limiters of the given rate and burst, one for each key, as
// [New] makes them. It panics if burst is negative.
func NewKeyed[K comparable](rate Rate, burst int, opts ...KeyedOption) *Keyed[K] {
	o := keyedOptions{maxKeys: defaultMaxKeys}
	for _, opt := range opts {
		opt(&o)
	}
	x := &Keyed[K]{seed: maphash.MakeSeed(), base: time.Now(), max: int64(o.maxKeys), plans: map[plan]*plan{}}
	x.limits = misuse.Untyped[func(K) (Rate, int)](o.limits, "ratelimit: NewKeyed: WithLimits")
	p := checkedPlan("NewKeyed", rate, burst)
	x.plan = &p
	// A shard for each 64 keys, up to 256 of them.
	width := min(bits.Len(uint(o.maxKeys/64)), 8)
	x.shift = 64 - width
	x.shards = make([]shard[K], 1<<width)
	return x
}

func checkedPlan(call string, rate Rate, burst int) plan {
	rate.check(call)
	if burst < 0 {
		misuse.Negative(burst, "ratelimit: "+call+": burst")
	}
	return newPlan(rate, uint64(burst))
}

func (x *Keyed[K]) hash(k K) uint64 { return maphash.Comparable(x.seed, k) }

// Allow reports whether one permit of k can be had now, and takes it if so. It
// never overtakes who waits for k.
func (x *Keyed[K]) Allow(k K) bool { return x.allow(k, 1) }

// AllowN is Allow for n permits, all or none. It panics if n is less than 1.
func (x *Keyed[K]) AllowN(k K, n int) bool { return x.allow(k, checkN("AllowN", n)) }

func (x *Keyed[K]) allow(k K, n uint64) bool {
	hash := x.hash(k)
	sh := &x.shards[hash>>x.shift]
	t := sh.table.Load()
	if s := t.find(hash, k); s != nil {
		if v, _, _ := s.plan.attempt(&s.word, &t.clock, n); v != unsure {
			return v == granted
		}
	}
	return x.ask(sh, hash, k, n, true).OK
}

// Take takes n permits of k, all or none, and says what it has done. Its error is
// the cause of ctx if that has ended already, and nil otherwise. It does not wait.
// It panics if ctx is nil or n is less than 1.
func (x *Keyed[K]) Take(ctx context.Context, k K, n int) (Decision, error) {
	ctxselect.Require(ctx, "ratelimit: Take")
	c := checkN("Take", n)
	if ctx.Err() != nil {
		return Decision{}, context.Cause(ctx)
	}
	hash := x.hash(k)
	sh := &x.shards[hash>>x.shift]
	t := sh.table.Load()
	if s := t.find(hash, k); s != nil {
		if v, d := s.plan.decide(&s.word, &t.clock, c); v != unsure {
			return d, nil
		}
	}
	return x.ask(sh, hash, k, c, false), nil
}

// Wait waits for one permit of k. See WaitN.
func (x *Keyed[K]) Wait(ctx context.Context, k K) error { return x.WaitN(ctx, k, 1) }

// WaitN waits until n permits of k can be had, behind all who wait for k already,
// and takes them. Its errors are those of [Limiter.WaitN]. It panics if ctx is nil
// or n is less than 1.
func (x *Keyed[K]) WaitN(ctx context.Context, k K, n int) error {
	ctxselect.Require(ctx, "ratelimit: WaitN")
	c := checkN("WaitN", n)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	hash := x.hash(k)
	sh := &x.shards[hash>>x.shift]
	t := sh.table.Load()
	if s := t.find(hash, k); s != nil {
		if v, _, _ := s.plan.attempt(&s.word, &t.clock, c); v == granted {
			return nil
		}
	}
	deadline, limited := ctx.Deadline()
	g, err := x.lineUp(sh, hash, k, c, deadline, limited)
	if g == nil || err != nil {
		return err
	}
	defer x.leave(sh, hash, k, g)
	return g.l.WaitN(ctx, n)
}

// Forget forgets what k owes: all of its burst can be had. It has no effect on a
// key that has no limiter of its own.
func (x *Keyed[K]) Forget(k K) {
	hash := x.hash(k)
	sh := &x.shards[hash>>x.shift]
	point.At("ratelimit: keyed before it forgets")
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.table.Load().find(hash, k)
	switch {
	case s == nil:
	case s.word.Load()&states == held:
		sh.guests[k].l.owe(u128{}, time.Since(x.base))
	default:
		s.word.Store(dead) // what is granted meanwhile is forgotten too
		sh.buriedLocked(&x.keys)
		x.tidyLocked(sh)
	}
}

// Stats returns how things are. It looks at one shard after the other.
func (x *Keyed[K]) Stats() KeyedStats {
	st := KeyedStats{Keys: int(x.keys.Load())}
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		st.Waiting += sh.waiting
		st.Evicted += sh.evicted
		st.Shared += sh.shared
		sh.mu.Unlock()
	}
	return st
}
