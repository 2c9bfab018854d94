package ratelimit

import (
	"context"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// Keyed is a limiter for each key: each user, each address, each tenant. Keys are compared
// with ==; structs are fine. It is made by [NewKeyed] or [NewKeyedFunc], must not be
// copied, and is safe for concurrent use. It is a [Taker].
//
// Memory is bounded. A key takes 24 to 32 bytes and its own size, times up to 1.7, while it
// owes something. A key with several windows, with callers that wait, or with reservations
// that are not settled takes some 500 bytes more. Each call that adds a key evicts a few
// keys that owe nothing, which loses nothing.
//
// With [WithMaxKeys] keys, all of which may owe something, a new key takes the place of
// another one: of eight keys, the one that owes least. The debt of that key is forgotten, so
// it may be granted its burst again. A key with callers that wait, or with reservations
// that are not settled, is not replaced. If all eight have some, the new key shares one
// limiter with others of its shard in that position, and may be denied more than is due to
// it.
//
// A call takes the lock of one of up to 256 shards. A call that adds a key may have to move
// all keys of its shard.
type Keyed[K comparable] struct {
	seed    maphash.Seed
	base    time.Time
	windows func(K) []Window // nil: all keys have the same plan
	further []Window         // of all keys
	parent  *Limiter
	plan    *plan
	none    *Limiter // grants nothing
	max     uint64
	shift   int // of a hash, to the index of its shard
	shards  []shard[K]

	plansMu sched.Mutex
	plans   map[Window][]*plan // by the first window
	shared  int                // plans in plans

	_    [128]byte
	keys sched.Uint64
}

// A plan is the windows of keys. It does not change. Keys that have the same windows share
// a plan, up to maxPlans of them. A key the state of which is more than a debt has one of its
// own, with a limiter.
type plan struct {
	params        // of the first window
	single   bool // and there is no other one, and no parent
	windows  []Window
	all      []params
	overflow *Limiter // of keys that find no place

	l  *Limiter // of one key
	of *plan    // the windows of that key; the fields above are empty
}

const (
	maxPlans       = 1024
	defaultMaxKeys = 1 << 20
	keyedBy        = "NewKeyed or NewKeyedFunc"
)

// NewKeyed returns limiters of the given rate and burst, one for each key, as [New] makes
// them. It panics if rate and burst are out of range or burst is negative.
func NewKeyed[K comparable](rate Rate, burst int, opts ...KeyedOption) *Keyed[K] {
	x := newKeyed[K](opts)
	x.plan = x.planOf("NewKeyed", []Window{{rate, burst}})
	return x
}

// NewKeyedFunc returns limiters with windows of their own for each key. It calls windows,
// on the goroutine that asks and with no lock held, when a key is new or comes back after
// it was evicted. The result holds until the key is evicted, or until [Keyed.Set]. windows
// must be fast and safe for concurrent use. A call panics if windows returns none, or one
// that is out of range. NewKeyedFunc panics if windows is nil.
func NewKeyedFunc[K comparable](windows func(K) []Window, opts ...KeyedOption) *Keyed[K] {
	misuse.Nil(windows == nil, "ratelimit: NewKeyedFunc: function")
	x := newKeyed[K](opts)
	x.windows = windows
	return x
}

func newKeyed[K comparable](opts []KeyedOption) *Keyed[K] {
	o := options{maxKeys: defaultMaxKeys}
	for _, opt := range opts {
		if opt != nil {
			opt.forKeyed(&o)
		}
	}
	width := min(bits.Len(uint(o.maxKeys/64)), 8) // a shard for each 64 keys
	x := &Keyed[K]{
		seed:    maphash.MakeSeed(),
		base:    time.Now(),
		further: o.windows,
		parent:  o.parent,
		max:     uint64(o.maxKeys),
		shift:   64 - width,
		shards:  make([]shard[K], 1<<width),
		plans:   map[Window][]*plan{},
	}
	x.none = New(Per(0, 1), 0)
	return x
}

// planOf returns the plan of keys with windows, and the further ones of all keys.
func (x *Keyed[K]) planOf(call string, windows []Window) *plan {
	if len(windows) == 0 {
		misuse.Below(0, 1, "ratelimit: "+call+": number of windows")
	}
	x.plansMu.Lock()
	defer x.plansMu.Unlock()
	for _, p := range x.plans[windows[0]] {
		if slices.Equal(p.windows[:len(p.windows)-len(x.further)], windows) {
			return p
		}
	}
	p := &plan{windows: slices.Concat(windows, x.further), overflow: x.none}
	for _, w := range p.windows {
		p.all = append(p.all, newParams(call, w))
	}
	p.params, p.single = p.all[0], len(p.all) == 1 && x.parent == nil
	if x.shared < maxPlans {
		x.shared++
		x.plans[windows[0]] = append(x.plans[windows[0]], p)
		p.overflow = newLimiter(x.base, p.all, x.parent)
	}
	return p
}

// Allow reports whether one permit of k can be had now, and takes it if so. It never
// overtakes a caller that waits for k.
func (x *Keyed[K]) Allow(k K) bool { return x.AllowN(k, 1) }

// AllowN is [Keyed.Allow] for n permits, all or none. It panics if n is less than 1.
func (x *Keyed[K]) AllowN(k K, n int) bool {
	misuse.Below(n, 1, "ratelimit: AllowN: number")
	var r ref[K]
	r.lock(x, "Allow", k, false)
	_, ok := r.take(uint64(n), true)
	r.sh.stats.count(ok)
	r.unlock()
	return ok
}

// Take takes n permits of k, all or none, and returns the decision. Its error is the cause
// of ctx if ctx has ended already, and nil otherwise. It does not wait. It panics if ctx is
// nil or n is less than 1.
func (x *Keyed[K]) Take(ctx context.Context, k K, n int) (Decision, error) {
	ctxselect.Require(ctx, "ratelimit: Take")
	misuse.Below(n, 1, "ratelimit: Take: number")
	if sched.Err(ctx) != nil {
		return Decision{}, context.Cause(ctx)
	}
	var r ref[K]
	defer r.lock(x, "Take", k, false).unlock()
	debt, ok := r.take(uint64(n), true)
	r.sh.stats.count(ok)
	return r.decision(ok, debt, uint64(n)), nil
}

// Peek returns the decision that Take would return for one permit of k, and takes nothing.
func (x *Keyed[K]) Peek(k K) Decision {
	var r ref[K]
	defer r.lock(x, "Peek", k, false).unlock()
	debt, ok := r.take(1, false)
	return r.decision(ok, debt, 1)
}

// Charge takes n permits of k, even if more than the burst is owed then. See
// [Limiter.Charge].
func (x *Keyed[K]) Charge(k K, n int) {
	misuse.Below(n, 1, "ratelimit: Charge: number")
	var r ref[K]
	defer r.lock(x, "Charge", k, false).unlock()
	l := r.limiter()
	l.spend(uint64(n))
	l.root.serve(nil)
}

// Reserve takes n permits of k for later. See [Limiter.ReserveN].
func (x *Keyed[K]) Reserve(k K, n int) Reservation {
	misuse.Below(n, 1, "ratelimit: Reserve: number")
	var r ref[K]
	defer r.lock(x, "Reserve", k, false).unlock()
	res := r.limiter().reserve(uint64(n))
	r.sh.stats.count(res.OK())
	return res
}

// Wait waits for one permit of k. See [Keyed.WaitN].
func (x *Keyed[K]) Wait(ctx context.Context, k K) error { return x.WaitN(ctx, k, 1) }

// WaitN waits until n permits of k can be had, behind all callers that wait for k already,
// and takes them. Its errors are those of [Limiter.WaitN]. It panics if ctx is nil or n is
// less than 1.
func (x *Keyed[K]) WaitN(ctx context.Context, k K, n int) error {
	ctxselect.Require(ctx, "ratelimit: WaitN")
	misuse.Below(n, 1, "ratelimit: WaitN: number")
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	deadline, limited := ctx.Deadline()
	var r ref[K]
	r.lock(x, "Wait", k, false)
	var c *claim
	var err error
	if _, ok := r.take(uint64(n), true); !ok {
		if r.l != nil {
			r.l.unlock()
		}
		c, err = r.limiter().lineUp(uint64(n), deadline, limited)
	}
	switch {
	case c != nil:
		r.sh.stats.Waiting++
		r.sh.stats.Waits++
	case err == nil:
		r.sh.stats.Granted++
	}
	r.unlock()
	if c == nil {
		return err
	}
	defer func() {
		r.sh.mu.Lock()
		r.sh.stats.Waiting--
		r.sh.mu.Unlock()
		x.touch(k, 0)
	}()
	return c.wait(ctx)
}

// Set changes the windows of k from now on. As many permits are owed as before. Callers
// that wait are granted as soon as the new windows allow. The windows hold until k owes
// nothing and is evicted. Set has no effect on a key that has been evicted: when it comes
// back, it gets the windows of NewKeyed or NewKeyedFunc. Set panics if w is empty or a
// window is out of range.
func (x *Keyed[K]) Set(k K, w ...Window) {
	misuse.Zero(x.shards == nil, "ratelimit: Set", "Keyed", keyedBy)
	to := x.planOf("Set", w)
	var r ref[K]
	defer r.lock(x, "Set", k, true).unlock()
	if r.slot == nil {
		return
	}
	l := r.limiter()
	r.plan.of = to
	l.setWindows(to.all)
	l.root.reconsider()
}

// Forget forgets the debt of k, so that all of its burst can be had. It has no effect on a
// key that has been evicted or shares a limiter.
func (x *Keyed[K]) Forget(k K) {
	var r ref[K]
	defer r.lock(x, "Forget", k, true).unlock()
	if r.slot == nil {
		return
	}
	if r.plan.l != nil {
		l := r.limiter()
		for _, w := range l.windows {
			w.debt = 0
		}
		if l.inLine+l.unsettled > 0 {
			l.root.reconsider()
			return
		}
		l.unlock()
		r.l = nil
	}
	x.remove(r.sh, r.sh.find(r.hash, k))
}

// touch charges k with permits, and turns the limiter of k back into a debt if that is
// enough.
func (x *Keyed[K]) touch(k K, permits int) {
	if permits > 0 {
		x.Charge(k, permits)
		return
	}
	var r ref[K]
	defer r.lock(x, "Settle", k, true).unlock()
	if r.slot != nil && r.plan.l != nil {
		r.limiter()
	}
}

// Stats returns a snapshot. It looks at one shard after the other, and is consistent for
// each of them.
func (x *Keyed[K]) Stats() KeyedStats {
	misuse.Zero(x.shards == nil, "ratelimit: Stats", "Keyed", keyedBy)
	var st KeyedStats
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		st.add(&sh.stats, sh.used)
		sh.mu.Unlock()
	}
	return st
}
