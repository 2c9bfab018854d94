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
	mu         sched.Mutex
	slots      []slot[K] // at most five sixths are in use
	used       int
	sweepIndex int // where the next sweep begins
	stats      KeyedStats
	_          [64]byte
}

// A slot is the state of a key: the debt at an instant.
type slot[K comparable] struct {
	debt uint64
	last int64
	plan *plan
	hash uint32 // 0: the slot is empty
	key  K
}

// advance moves the debt to an instant.
func (s *slot[K]) advance(now int64) {
	s.debt, s.last = s.plan.after(s.debt, time.Duration(now-s.last)), now
}

// find returns the index of the slot of k, or of the empty one that is for it, or -1 if there
// is no table. The upper bits of the whole hash have chosen the shard.
func (sh *shard[K]) find(hash uint32, k K) int {
	if len(sh.slots) == 0 {
		return -1
	}
	i := sh.home(hash)
	for {
		if s := &sh.slots[i]; s.hash == 0 || s.hash == hash && s.key == k {
			return i
		}
		i = sh.next(i)
	}
}

// nearest returns the index of the empty slot that find meets before slot i, or i. It does not
// compare keys, since one with a NaN is not equal to itself.
func (sh *shard[K]) nearest(hash uint32, i int) int {
	j := sh.home(hash)
	for j != i && sh.slots[j].hash != 0 {
		j = sh.next(j)
	}
	return j
}

func (sh *shard[K]) home(hash uint32) int { return int(uint64(hash) * uint64(len(sh.slots)) >> 32) }

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
	sh.slots, sh.sweepIndex = make([]slot[K], max(8, len(old)*4/3)), 0
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
		if s := &sh.slots[sh.sweepIndex]; s.hash != 0 {
			n--
			o, stays := s.owes(now)
			switch {
			case o == 0 && !stays:
				x.remove(sh, sh.sweepIndex) // another key may stand there then
				sh.stats.Evicted++
				least = -1 // it may have been moved
				continue
			case stays:
			case least < 0 || o < owes:
				least, owes = sh.sweepIndex, o
			}
		}
		sh.sweepIndex = sh.next(sh.sweepIndex)
	}
	return least
}

// owes returns how many permits a key owes, in the window in which it owes most. A key for
// which callers wait stays, and one that owes something and has reservations that are not
// settled. The limiter of a key that owes nothing and does not stay is gone then.
func (s *slot[K]) owes(now int64) (permits float64, stays bool) {
	l := s.plan.l
	if l == nil {
		s.advance(now)
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
		if empty := sh.nearest(s.hash, i); empty != i {
			sh.slots[empty], *s = *s, slot[K]{}
		}
	}
}
