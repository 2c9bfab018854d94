package ratelimit

import (
	"github.com/tandemgo/tandem/internal/sched"
)

const (
	sweepSlots  = 4  // looked at for each key that is added: a table is swept faster than it fills
	sampledKeys = 8  // compared at the maximum of keys
	maxOverflow = 64 // limiters of keys that find no place, in a shard
)

// A shard is a part of the keys: an open-addressed hash table with linear probing.
type shard[K comparable] struct {
	mu       sched.Mutex
	slots    []slot[K] // at most five sixths are in use
	used     int
	hand     int // where the next sweep begins
	overflow map[*plan[K]]*entry[K]
	stats    KeyedStats
	_        [64]byte
}

// A slot is the state of a key.
type slot[K comparable] struct {
	cell
	plan *plan[K]
	hash uint32 // 0: the slot is empty
	key  K
}

// An entry is the state of a key that is more than a cell. It is guarded by the lock of its
// shard, which is taken before that of its limiter.
type entry[K comparable] struct {
	x         *Keyed[K]
	sh        *shard[K]
	hash      uint32
	key       K
	plan      *plan[K] // what the slot has when there is no entry any more
	l         *Limiter
	waiting   int
	unsettled int  // reservations
	shared    bool // by keys that have no slot
	gone      bool // the key has another state now
}

func (e *entry[K]) pinned() bool { return e.waiting > 0 || e.unsettled > 0 }

// find returns the slot of k, or the empty one that is for it, or nil if there is no table.
// The upper bits of the whole hash have chosen the shard.
func (sh *shard[K]) find(hash uint32, k K) *slot[K] {
	if len(sh.slots) == 0 {
		return nil
	}
	for i := sh.home(hash); ; i = sh.next(i) {
		if s := &sh.slots[i]; s.hash == 0 || s.hash == hash && s.key == k {
			return s
		}
	}
}

func (sh *shard[K]) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(sh.slots)) >> 32)
}

func (sh *shard[K]) next(i int) int {
	if i++; i == len(sh.slots) {
		return 0
	}
	return i
}

// place returns a new slot for k, nil if there is no place for it.
func (x *Keyed[K]) place(sh *shard[K], hash uint32, k K, p *plan[K]) *slot[K] {
	now := x.now()
	x.sweep(sh, now, sweepSlots)
	if x.keys.Add(1) > x.max && !x.evict(sh, now) {
		x.keys.Add(^uint64(0))
		return nil
	}
	if (sh.used+1)*6 > len(sh.slots)*5 {
		x.grow(sh, now)
	}
	s := sh.find(hash, k)
	*s = slot[K]{cell: cell{last: now}, plan: p, hash: hash, key: k}
	sh.used++
	return s
}

// grow makes room by evicting keys that owe nothing, or else by a larger table.
func (x *Keyed[K]) grow(sh *shard[K], now int64) {
	x.sweep(sh, now, len(sh.slots))
	old := sh.slots
	if (sh.used+1)*4 <= len(old)*3 {
		return
	}
	sh.slots, sh.hand = make([]slot[K], max(8, len(old)*4/3)), 0
	for i := range old {
		if s := &old[i]; s.hash != 0 {
			*sh.find(s.hash, s.key) = *s
		}
	}
}

// sweep goes on by n slots and evicts keys that owe nothing.
func (x *Keyed[K]) sweep(sh *shard[K], now int64, n int) {
	for n = min(n, len(sh.slots)); n > 0; {
		s := &sh.slots[sh.hand]
		if s.hash == 0 || s.plan.entry != nil && s.plan.entry.waiting > 0 || s.owes(now) > 0 {
			sh.hand = sh.next(sh.hand)
			n--
			continue
		}
		x.remove(sh, s) // another key may stand there then
		sh.stats.Evicted++
	}
}

// owes returns how many permits a key owes.
func (s *slot[K]) owes(now int64) float64 {
	if e := s.plan.entry; e != nil {
		e.l.lock()
		defer e.l.unlock()
		return e.l.owed()
	}
	s.advance(&s.plan.params, now)
	return float64(s.debt) / float64(s.plan.cost)
}

// evict makes room at the maximum of keys. It reports false if no sampled key can go.
func (x *Keyed[K]) evict(sh *shard[K], now int64) bool {
	var least *slot[K]
	var owes float64
	for range min(sampledKeys, sh.used) {
		for sh.slots[sh.hand].hash == 0 {
			sh.hand = sh.next(sh.hand)
		}
		s := &sh.slots[sh.hand]
		sh.hand = sh.next(sh.hand)
		if e := s.plan.entry; e != nil && e.pinned() {
			continue
		}
		if o := s.owes(now); least == nil || o < owes {
			least, owes = s, o
		}
	}
	switch {
	case least == nil:
		return false
	case owes > 0:
		sh.stats.Forgotten++
	default:
		sh.stats.Evicted++
	}
	x.remove(sh, least)
	return true
}

// remove empties a slot, and moves those behind it back that are nearer to their homes then.
func (x *Keyed[K]) remove(sh *shard[K], s *slot[K]) {
	if s.plan.entry != nil {
		s.plan.entry.gone = true
	}
	sh.used--
	x.keys.Add(^uint64(0))
	i := sh.home(s.hash)
	for &sh.slots[i] != s {
		i = sh.next(i)
	}
	for j := sh.next(i); sh.slots[j].hash != 0; j = sh.next(j) {
		// Not if its home is cyclically in (i, j].
		if h := sh.home(sh.slots[j].hash); i <= j && i < h && h <= j || i > j && (i < h || h <= j) {
			continue
		}
		sh.slots[i] = sh.slots[j]
		i = j
	}
	sh.slots[i] = slot[K]{}
}

// entryOf returns the entry of k, and makes one if it has none. It returns nil if there is
// neither a place for k nor a limiter that it could share.
func (x *Keyed[K]) entryOf(sh *shard[K], s *slot[K], hash uint32, k K, p *plan[K]) *entry[K] {
	if p.entry != nil {
		return p.entry
	}
	if s == nil {
		if s = x.place(sh, hash, k, p); s == nil {
			return x.overflow(sh, p)
		}
	}
	e := x.newEntry(sh, p)
	e.hash, e.key = hash, k
	e.l.windows[0].cell = s.cell
	s.plan = &plan[K]{params: p.params, windows: p.windows, entry: e}
	return e
}

func (x *Keyed[K]) newEntry(sh *shard[K], p *plan[K]) *entry[K] {
	return &entry[K]{x: x, sh: sh, plan: p, l: newLimiter("Keyed", x.base, p.windows, x.parent)}
}

// overflow returns the limiter that keys with plan p share if there is no place for them.
func (x *Keyed[K]) overflow(sh *shard[K], p *plan[K]) *entry[K] {
	e := sh.overflow[p]
	if e == nil && len(sh.overflow) < maxOverflow {
		if sh.overflow == nil {
			sh.overflow = map[*plan[K]]*entry[K]{}
		}
		e = x.newEntry(sh, p)
		e.shared = true
		sh.overflow[p] = e
	}
	return e
}

// release turns an entry back into a cell if that is enough.
func (e *entry[K]) release() {
	if e.pinned() || e.shared || e.gone || !e.x.single(e.plan) {
		return
	}
	s := e.sh.find(e.hash, e.key)
	e.l.lock()
	s.cell = e.l.windows[0].cell
	e.l.unlock()
	s.plan, e.gone = e.plan, true
}

// settle settles a reservation of e. A key that has been evicted meanwhile owed nothing, so
// there is nothing to give back.
func (e *entry[K]) settle(r Reservation, actual uint64) (_ Reservation, returned int) {
	e.sh.mu.Lock()
	if e.gone {
		e.sh.mu.Unlock()
		more := int(actual) - int(r.n)
		if r.n = actual; more > 0 {
			e.x.Charge(e.key, more)
		}
		return r, -max(more, 0)
	}
	defer e.sh.mu.Unlock()
	returned = r.settle(actual)
	if !r.settled {
		r.settled = true
		e.unsettled--
		e.release()
	}
	return r, returned
}
