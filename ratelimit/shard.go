package ratelimit

import (
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

const (
	sweptKeys   = 3 // looked at for each key that is added: a table is swept faster than it fills
	sampledKeys = 8 // compared at the maximum of keys
)

// A shard is a part of the keys: an open-addressed hash table with linear probing.
type shard[K comparable] struct {
	mu    sched.Mutex
	slots []slot[K] // at most five sixths are in use
	used  int
	hand  int // where the next sweep begins
	stats KeyedStats
	_     [64]byte
}

// A slot is the state of a key: the debt at an instant.
type slot[K comparable] struct {
	debt uint64
	last int64
	plan *plan
	hash uint32 // 0: the slot is empty
	key  K
}

// find returns the index of the slot of k, or of the empty one that is for it, or -1 if there
// is no table. The upper bits of the whole hash have chosen the shard.
func (sh *shard[K]) find(hash uint32, k K) int {
	if len(sh.slots) == 0 {
		return -1
	}
	i := int(uint64(hash) * uint64(len(sh.slots)) >> 32)
	for {
		if s := &sh.slots[i]; s.hash == 0 || s.hash == hash && s.key == k {
			return i
		}
		i = sh.next(i)
	}
}

func (sh *shard[K]) next(i int) int {
	if i++; i == len(sh.slots) {
		return 0
	}
	return i
}

// keep reports whether the key has a slot, after it has looked for a place.
func (r *ref[K]) keep() bool {
	x, sh := r.x, r.sh
	if r.slot != nil {
		return true
	}
	n, now := sweptKeys, int64(time.Since(x.base))
	if x.keys.Load() >= x.max {
		n = sampledKeys
	}
	least := x.sweep(sh, now, n)
	if x.keys.Add(1) > x.max {
		if least < 0 {
			x.keys.Add(^uint64(0))
			sh.stats.Shared++
			return false
		}
		x.remove(sh, least)
		sh.stats.Forgotten++
	}
	if (sh.used+1)*6 > len(sh.slots)*5 {
		x.grow(sh, now)
	}
	r.slot = &sh.slots[sh.find(r.hash, r.key)]
	*r.slot = slot[K]{last: now, plan: r.plan, hash: r.hash, key: r.key}
	sh.used++
	return true
}

// grow makes room by evicting keys that owe nothing, or else by a larger table.
func (x *Keyed[K]) grow(sh *shard[K], now int64) {
	x.sweep(sh, now, sh.used)
	old := sh.slots
	if (sh.used+1)*4 <= len(old)*3 {
		return
	}
	sh.slots, sh.hand = make([]slot[K], max(8, len(old)*4/3)), 0
	for i := range old {
		if s := &old[i]; s.hash != 0 {
			sh.slots[sh.find(s.hash, s.key)] = *s
		}
	}
}

// sweep goes on by n keys and evicts those that owe nothing. It returns the index of the key
// that owes least of the others, -1 if none of them can go.
func (x *Keyed[K]) sweep(sh *shard[K], now int64, n int) (least int) {
	least, owes := -1, 0.0
	for n = min(n, sh.used); n > 0; {
		if s := &sh.slots[sh.hand]; s.hash != 0 {
			n--
			o, stays := s.owes(now)
			switch {
			case o == 0 && !stays:
				x.remove(sh, sh.hand) // another key may stand there then
				sh.stats.Evicted++
				least = -1 // it may have been moved
				continue
			case stays:
			case least < 0 || o < owes:
				least, owes = sh.hand, o
			}
		}
		sh.hand = sh.next(sh.hand)
	}
	return least
}

// owes returns how many permits a key owes, in the window in which it owes most. A key for
// which callers wait stays, and one that owes something and has reservations that are not
// settled. The limiter of a key that owes nothing and does not stay is gone then.
func (s *slot[K]) owes(now int64) (permits float64, stays bool) {
	l := s.plan.l
	if l == nil {
		s.debt, s.last = s.plan.after(s.debt, time.Duration(now-s.last)), now
		return s.plan.permits(s.debt), false
	}
	l.lock("")
	defer l.unlock()
	for _, w := range l.windows {
		permits = max(permits, w.permits(w.debt))
	}
	stays = l.inLine > 0 || l.unsettled > 0 && permits > 0
	l.gone = permits == 0 && !stays
	return permits, stays
}

// remove empties slot i, and moves those behind it to it which find does not find then.
func (x *Keyed[K]) remove(sh *shard[K], i int) {
	if l := sh.slots[i].plan.l; l != nil {
		l.lock("")
		l.gone = true
		l.unlock()
	}
	sh.slots[i] = slot[K]{}
	sh.used--
	x.keys.Add(^uint64(0))
	for i = sh.next(i); sh.slots[i].hash != 0; i = sh.next(i) {
		s := &sh.slots[i]
		if empty := sh.find(s.hash, s.key); empty != i {
			sh.slots[empty], *s = *s, slot[K]{}
		}
	}
}

func (s *KeyedStats) count(ok bool) bool {
	if ok {
		s.Granted++
	} else {
		s.Denied++
	}
	return ok
}

// A ref is a key, the shard of which is locked.
type ref[K comparable] struct {
	x    *Keyed[K]
	sh   *shard[K]
	hash uint32
	key  K
	slot *slot[K] // nil: the key is not kept
	plan *plan
	l    *Limiter // locked as well, if it is not nil
}

// unlock is the end of lock. It turns the limiter of the key back into a debt if that is
// enough.
func (r *ref[K]) unlock() {
	if l := r.l; l != nil {
		if p := r.plan; p.l == l && p.of.single && l.inLine+l.unsettled == 0 {
			r.slot.debt, r.slot.last, r.slot.plan = l.windows[0].debt, l.now-l.back, p.of
			l.gone = true
		}
		l.unlock()
	}
	r.sh.mu.Unlock()
}

// take reports whether n permits can be granted now, and takes them if it is to. It returns
// the debt after that, or leaves the limiter that has decided locked. A key gets a slot if it
// will owe something: a new key that is denied gets none.
func (r *ref[K]) take(n uint64, really bool) (debt uint64, ok bool) {
	p := r.plan
	switch {
	case p.l != nil:
		r.l = p.l
	case !p.single:
		r.l = newLimiter(r.x.base, p.all, r.x.parent)
		r.l.lock("")
		if ok = r.l.take(n, false); !ok || !really {
			return 0, ok
		}
		r.l.unlock()
		return 0, r.limiter(r.l).take(n, true)
	case really && r.slot == nil && n <= p.burst && p.cost > 0 && !r.keep():
		r.l = p.overflow
	default:
		if s := r.slot; s != nil {
			now := int64(time.Since(r.x.base))
			debt = p.after(s.debt, time.Duration(now-s.last))
			s.debt, s.last = debt, now
		}
		if ok = p.fits(debt, n); ok && really && r.slot != nil {
			debt = p.charged(debt, n)
			r.slot.debt = debt
		}
		return debt, ok
	}
	r.l.lock("")
	return 0, r.l.take(n, really)
}

// decision describes the answer of take.
func (r *ref[K]) decision(ok bool, debt, n uint64) Decision {
	if r.l != nil {
		return r.l.decision(ok, n)
	}
	return r.plan.decision(ok, debt, n)
}

// limiter returns the limiter of the key, locked. It makes one if there is none, with l or a
// new one. If there is no place for the key, it shares one.
func (r *ref[K]) limiter(l *Limiter) *Limiter {
	switch p, x, k := r.plan, r.x, r.key; {
	case p.l != nil:
		l = p.l
	case !r.keep():
		l = p.overflow
	default:
		if l == nil {
			l = newLimiter(x.base, p.all, x.parent)
		}
		if p.single {
			l.now, l.windows[0].last, l.windows[0].debt = r.slot.last, r.slot.last, r.slot.debt
		}
		l.touch = func(permits int) { x.touch(k, permits) }
		r.plan = &plan{l: l, of: p}
		r.slot.plan = r.plan
	}
	r.l = l
	l.lock("")
	return l
}
