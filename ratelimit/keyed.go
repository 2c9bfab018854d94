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
// another one: of eight keys, the one that owes least. What that key owed is forgotten, so
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
	plan    *plan[K]
	max     uint64
	shift   int // of a hash, to the index of its shard
	shards  []shard[K]

	plansMu sched.Mutex
	plans   map[Window][]*plan[K] // by the first window
	shared  int                   // plans in plans

	_    [128]byte
	keys sched.Uint64
}

// A plan is the windows of keys. It does not change. Keys that have the same windows share
// a plan, up to maxPlans of them. If entry is not nil, the plan is of one key, the state of
// which is there.
type plan[K comparable] struct {
	params  // of the first window
	windows []Window
	entry   *entry[K]
}

const (
	maxPlans       = 1024
	defaultMaxKeys = 1 << 20
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
	return &Keyed[K]{
		seed:    maphash.MakeSeed(),
		base:    time.Now(),
		further: o.windows,
		parent:  o.parent,
		max:     uint64(o.maxKeys),
		shift:   64 - width,
		shards:  make([]shard[K], 1<<width),
		plans:   map[Window][]*plan[K]{},
	}
}

// planOf returns the plan of keys with windows, and the further ones of all keys.
func (x *Keyed[K]) planOf(call string, windows []Window) *plan[K] {
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
	p := &plan[K]{params: newParams(call, windows[0]), windows: slices.Concat(windows, x.further)}
	for _, w := range windows[1:] {
		newParams(call, w)
	}
	if x.shared < maxPlans {
		x.shared++
		x.plans[windows[0]] = append(x.plans[windows[0]], p)
	}
	return p
}

func (x *Keyed[K]) now() int64 { return int64(time.Since(x.base)) }

// single reports whether a cell is enough for keys with plan p.
func (x *Keyed[K]) single(p *plan[K]) bool { return len(p.windows) == 1 && x.parent == nil }

// lock locks the shard of k. It returns the slot of k, or nil and the plan for one.
func (x *Keyed[K]) lock(k K) (sh *shard[K], s *slot[K], hash uint32, p *plan[K]) {
	if sh, s, hash = x.lockKnown(k); s != nil {
		return sh, s, hash, s.plan
	}
	if x.windows == nil {
		return sh, nil, hash, x.plan
	}
	sh.mu.Unlock()
	p = x.planOf("NewKeyedFunc", x.windows(k))
	if sh, s, hash = x.lockKnown(k); s != nil {
		p = s.plan
	}
	return sh, s, hash, p
}

// lockKnown is lock for calls that do nothing to a key without a slot.
func (x *Keyed[K]) lockKnown(k K) (sh *shard[K], s *slot[K], hash uint32) {
	h := maphash.Comparable(x.seed, k)
	sh, hash = &x.shards[h>>x.shift], uint32(h)|1
	sh.mu.Lock()
	if s = sh.find(hash, k); s != nil && s.hash == 0 {
		s = nil
	}
	return sh, s, hash
}

// Allow reports whether one permit of k can be had now, and takes it if so. It never
// overtakes a caller that waits for k.
func (x *Keyed[K]) Allow(k K) bool { return x.AllowN(k, 1) }

// AllowN is [Keyed.Allow] for n permits, all or none. It panics if n is less than 1.
func (x *Keyed[K]) AllowN(k K, n int) bool {
	c := checkN("AllowN", n)
	sh, s, hash, p := x.lock(k)
	defer sh.mu.Unlock()
	return sh.stats.count(x.take(sh, s, hash, k, p, c, nil))
}

// Take takes n permits of k, all or none, and returns the decision. Its error is the cause
// of ctx if ctx has ended already, and nil otherwise. It does not wait. It panics if ctx is
// nil or n is less than 1.
func (x *Keyed[K]) Take(ctx context.Context, k K, n int) (d Decision, err error) {
	ctxselect.Require(ctx, "ratelimit: Take")
	c := checkN("Take", n)
	if sched.Err(ctx) != nil {
		return Decision{}, context.Cause(ctx)
	}
	sh, s, hash, p := x.lock(k)
	defer sh.mu.Unlock()
	sh.stats.count(x.take(sh, s, hash, k, p, c, &d))
	return d, nil
}

// take takes n permits of k, and describes that in d, if that is not nil. s is nil if k has
// no slot.
func (x *Keyed[K]) take(sh *shard[K], s *slot[K], hash uint32, k K, p *plan[K], n uint64, d *Decision) bool {
	if !x.single(p) {
		return x.takeEntry(sh, s, hash, k, p, n, d)
	}
	if s == nil && n <= p.burst && !p.Rate.unlimited { // it will owe something
		s = x.place(sh, hash, k, p)
		if s == nil {
			return x.takeEntry(sh, nil, hash, k, p, n, d)
		}
	}
	var c cell
	if s != nil {
		if p.entry != nil {
			return p.entry.take(n, d)
		}
		s.advance(&p.params, x.now())
		c = s.cell
	}
	ok := p.delay(c.debt, n) == 0
	if ok && s != nil {
		c.debt = p.charged(c.debt, n)
		s.debt = c.debt
	}
	if d != nil {
		*d = p.decision(ok, c.debt, n)
	}
	return ok
}

// takeEntry is take for keys for which a cell is not enough, or that have no place. A key
// gets a place only if it is granted something.
func (x *Keyed[K]) takeEntry(sh *shard[K], s *slot[K], hash uint32, k K, p *plan[K], n uint64, d *Decision) bool {
	if s != nil {
		return p.entry.take(n, d)
	}
	if !x.single(p) {
		e := x.newEntry(sh, p)
		if ok := e.take(n, d); !ok {
			return false
		}
		if s = x.place(sh, hash, k, p); s != nil {
			e.hash, e.key = hash, k
			s.plan = &plan[K]{params: p.params, windows: p.windows, entry: e}
			return true
		}
	}
	sh.stats.Shared++
	e := x.overflow(sh, p)
	return e != nil && e.take(n, d)
}

func (e *entry[K]) take(n uint64, d *Decision) bool {
	if d == nil {
		return e.l.AllowN(int(n))
	}
	*d = e.l.Take(int(n))
	return d.OK
}

// Peek returns the decision that Take would return for one permit of k, and takes nothing.
func (x *Keyed[K]) Peek(k K) Decision {
	sh, s, _, p := x.lock(k)
	defer sh.mu.Unlock()
	switch {
	case p.entry != nil:
		return p.entry.l.Peek()
	case !x.single(p):
		return x.newEntry(sh, p).l.Peek()
	}
	var c cell
	if s != nil {
		c = s.cell
		c.advance(&p.params, x.now())
	}
	return p.decision(p.delay(c.debt, 1) == 0, c.debt, 1)
}

// Charge takes n permits of k, even if more than the burst is owed then. See
// [Limiter.Charge].
func (x *Keyed[K]) Charge(k K, n int) {
	checkN("Charge", n)
	sh, s, hash, p := x.lock(k)
	defer sh.mu.Unlock()
	if e := x.entryOf(sh, s, hash, k, p); e != nil {
		e.l.Charge(n)
		e.release()
	}
}

// Reserve takes n permits of k for later. See [Limiter.ReserveN].
func (x *Keyed[K]) Reserve(k K, n int) Reservation {
	checkN("Reserve", n)
	sh, s, hash, p := x.lock(k)
	defer sh.mu.Unlock()
	e := x.entryOf(sh, s, hash, k, p)
	if e == nil {
		return Reservation{err: errNever}
	}
	r := e.l.ReserveN(n)
	if sh.stats.count(r.OK()) {
		r.owner = e
		e.unsettled++
	}
	e.release()
	return r
}

// Wait waits for one permit of k. See [Keyed.WaitN].
func (x *Keyed[K]) Wait(ctx context.Context, k K) error { return x.WaitN(ctx, k, 1) }

// WaitN waits until n permits of k can be had, behind all callers that wait for k already,
// and takes them. Its errors are those of [Limiter.WaitN]. It panics if ctx is nil or n is
// less than 1.
func (x *Keyed[K]) WaitN(ctx context.Context, k K, n int) error {
	ctxselect.Require(ctx, "ratelimit: WaitN")
	c := checkN("WaitN", n)
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	e, err := x.enter(k, c)
	if e == nil {
		return err
	}
	defer e.leave()
	return e.l.WaitN(ctx, n)
}

// enter grants n permits of k, or returns the entry at which to wait for them.
func (x *Keyed[K]) enter(k K, n uint64) (*entry[K], error) {
	sh, s, hash, p := x.lock(k)
	defer sh.mu.Unlock()
	if s == nil && n > p.burst && !p.Rate.unlimited {
		return nil, exceeds(n, p.burst)
	}
	if x.take(sh, s, hash, k, p, n, nil) {
		sh.stats.count(true)
		return nil, nil
	}
	if s = sh.find(hash, k); s != nil && s.hash == 0 {
		s = nil
	} else if s != nil {
		p = s.plan
	}
	e := x.entryOf(sh, s, hash, k, p)
	if e == nil {
		return nil, errNever
	}
	e.waiting++
	sh.stats.Waiting++
	sh.stats.Waits++
	return e, nil
}

func (e *entry[K]) leave() {
	e.sh.mu.Lock()
	defer e.sh.mu.Unlock()
	e.waiting--
	e.sh.stats.Waiting--
	e.release()
}

// Set changes the windows of k from now on. As many permits are owed as before. Callers
// that wait are granted as soon as the new windows allow. The windows hold until k owes
// nothing and is evicted. Set has no effect on a key that has been evicted: when it comes
// back, it gets the windows of NewKeyed or NewKeyedFunc. Set panics if w is empty or a
// window is out of range.
func (x *Keyed[K]) Set(k K, w ...Window) {
	to := x.planOf("Set", w)
	sh, s, hash := x.lockKnown(k)
	defer sh.mu.Unlock()
	if s == nil {
		return
	}
	e := x.entryOf(sh, s, hash, k, s.plan)
	e.l.lock()
	e.l.setWindows("Set", to.windows)
	e.l.unlock()
	e.plan = to
	e.release()
}

// Forget forgets what k owes, so that all of its burst can be had. It has no effect on a
// key that has been evicted or shares a limiter.
func (x *Keyed[K]) Forget(k K) {
	sh, s, _ := x.lockKnown(k)
	defer sh.mu.Unlock()
	switch {
	case s == nil:
	case s.plan.entry != nil && s.plan.entry.pinned():
		l := s.plan.entry.l
		l.lock()
		for i := range l.windows {
			l.windows[i].debt = 0
		}
		l.changed = true
		l.unlock()
	default:
		x.remove(sh, s)
	}
}

// Stats returns a snapshot. It looks at one shard after the other, and is consistent for
// each of them.
func (x *Keyed[K]) Stats() KeyedStats {
	var st KeyedStats
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		st.add(&sh.stats, sh.used)
		sh.mu.Unlock()
	}
	return st
}
