package ratelimit

import (
	"time"

	"github.com/tandemgo/tandem/internal/point"
)

// A table is an open-addressed hash table of the keys of a shard. It is read
// without a lock: a slot is filled before its word is first set, and is not used
// again after its word is dead. A table that is full of either is replaced.
type table[K comparable] struct {
	clock
	slots []slot[K]
}

// A slot is the limiter of a key. A word of 0, at which no limiter stands, since
// one is made by a grant, means that it is empty.
type slot[K comparable] struct {
	word
	plan *plan
	hash uint64 // so that other keys, which may be strings elsewhere, are not looked at
	key  K
}

// home returns the index at which a search begins. The shard has been chosen by
// the upper bits of the hash.
func (t *table[K]) home(hash uint64) int {
	return int(uint64(uint32(hash)) * uint64(len(t.slots)) >> 32)
}

// find returns the slot of k, nil if it has none. There is always an empty slot,
// at which the search ends.
func (t *table[K]) find(hash uint64, k K) *slot[K] {
	if t == nil {
		return nil
	}
	for i := t.home(hash); ; {
		s := &t.slots[i]
		switch w := s.word.Load(); {
		case w == 0:
			return nil
		case s.hash == hash && w&states != dead && s.key == k:
			return s
		}
		if i++; i == len(t.slots) {
			i = 0
		}
	}
}

// add fills an empty slot.
func (t *table[K]) add(hash uint64, k K, p *plan, value uint64) {
	i := t.home(hash)
	for t.slots[i].word.Load() != 0 {
		if i++; i == len(t.slots) {
			i = 0
		}
	}
	s := &t.slots[i]
	s.plan, s.hash, s.key = p, hash, k
	s.word.Store(value)
}

// bury leaves all words dead that were not empty, and returns what they were.
func (t *table[K]) bury() []uint64 {
	words := make([]uint64, len(t.slots))
	for i := range t.slots {
		if w := &t.slots[i].word; w.Load() != 0 {
			point.At("ratelimit: rebuild before it takes a word")
			words[i] = w.Swap(dead)
		}
	}
	return words
}

// owed returns what a word that is open owes at an instant, not more than the
// burst: if it seems more, the clock has gone back.
func (p *plan) owed(value uint64, epoch, now time.Duration) uint64 {
	tat := u128{0, value >> timeBit}
	if now < epoch {
		tat = tat.add(mul(uint64(epoch-now), p.permits))
	} else {
		tat = tat.sub(mul(uint64(now-epoch), p.permits))
	}
	return tat.least(u128{0, p.capacity}).lo
}
