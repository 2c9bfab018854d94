package ratelimit

import (
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/point"
)

// cellsPerShard is how many limiters the keys of a shard share that find no
// place of their own.
const cellsPerShard = 16

// sweepSlots is how many slots are looked at when one is to be filled. More than
// one, so that a table is swept faster than it fills.
const sweepSlots = 4

// A shard is a part of the keys. mu guards everything but the words of the
// table, which who finds them open changes without it.
type shard[K comparable] struct {
	table atomic.Pointer[table[K]]

	mu      point.Mutex
	used    int // slots that are not empty
	dead    int // of these, slots that are dead
	hand    int // where the next sweep begins
	guests  map[K]*guest
	cells   *[cellsPerShard]*guest
	evicted uint64
	shared  uint64
	waiting int
	_       [40]byte
}

// A guest is a full Limiter. A key has one while somebody waits for it, or if its
// limit is too extreme for a word; its word is held meanwhile. The shared cells
// are guests too. Its lock is taken with the shard's held.
type guest struct {
	l    *Limiter
	refs int  // goroutines in WaitN
	keep bool // it stays when nobody waits
}

func (g *guest) take(n uint64, brief bool) Decision {
	if brief {
		return Decision{OK: g.l.AllowN(int(n))}
	}
	return g.l.Take(int(n))
}

// sweepLocked looks at n slots and evicts keys whose burst is back. Their words
// are marked dead first, by compare-and-swap: a claim that comes between wins,
// one that comes later looks again.
func (sh *shard[K]) sweepLocked(now time.Duration, n int, keys *atomic.Int64) {
	t := sh.table.Load()
	if t == nil {
		return
	}
	for range min(n, len(t.slots)) {
		if sh.hand++; sh.hand >= len(t.slots) {
			sh.hand = 0
		}
		s := &t.slots[sh.hand]
		w := s.word.Load()
		switch {
		case w == 0 || w&states == dead:
		case w&states == held:
			if g := sh.guests[s.key]; g.keep && g.refs == 0 && g.l.idle() {
				delete(sh.guests, s.key)
				s.word.Store(dead)
				sh.buriedLocked(keys)
				sh.evicted++
			}
		case s.plan.owed(w, t.epoch, now) == 0:
			point.At("ratelimit: sweep before it evicts")
			if s.word.CompareAndSwap(w, dead) {
				sh.buriedLocked(keys)
				sh.evicted++
			}
		}
	}
}

func (sh *shard[K]) buriedLocked(keys *atomic.Int64) {
	sh.dead++
	keys.Add(-1)
}

// rebuildLocked moves what is alive into a new table, with room for another key
// and now as its epoch. It leaves every word of the old one dead, so that nobody
// who still looks at that can use it, and reads the clock after that: what is
// granted at a word is granted before now.
func (sh *shard[K]) rebuildLocked(base time.Time, keys *atomic.Int64) *table[K] {
	old := sh.table.Load()
	var words []uint64
	if old != nil {
		sh.sweepLocked(time.Since(base), len(old.slots), keys)
		words = old.bury()
	}
	now, live := time.Since(base), sh.used-sh.dead
	// Three fifths of it are in use then, and up to five sixths later.
	t := &table[K]{clock: clock{base, now}, slots: make([]slot[K], max(8, (live+1)*5/3))}
	sh.used, sh.dead, sh.hand = 0, 0, 0
	for i, w := range words {
		s := &old.slots[i]
		switch w & states {
		case dead:
			continue
		case open:
			if w == 0 {
				continue
			}
			owed := s.plan.owed(w, old.epoch, now)
			if owed == 0 {
				keys.Add(-1)
				sh.evicted++
				continue
			}
			w = owed << timeBit
		}
		t.add(s.hash, s.key, s.plan, w)
		sh.used++
	}
	return t
}

// fullLocked reports whether another key would leave too little empty.
func (sh *shard[K]) fullLocked(t *table[K]) bool { return t == nil || (sh.used+1)*6 > len(t.slots)*5 }

// cellOf returns the limiter that keys of this hash share, nil if they did not
// have to yet.
func (sh *shard[K]) cellOf(hash uint64) *guest {
	if sh.cells == nil {
		return nil
	}
	return sh.cells[hash/4%cellsPerShard]
}

// cellLocked returns the limiter that keys of this hash share, for a key with plan p.
// If their plans differ, it is the strictest of them, until nothing is owed.
func (sh *shard[K]) cellLocked(hash uint64, p *plan, base time.Time) *guest {
	if sh.cells == nil {
		sh.cells = new([cellsPerShard]*guest)
	}
	c := &sh.cells[hash/4%cellsPerShard]
	switch g := *c; {
	case g == nil || g.l.limit() != *p && g.refs == 0 && g.l.idle():
		*c = &guest{l: newLimiter(base, *p, 0), keep: true}
	case g.l.limit() != *p:
		is := g.l.limit()
		if mul(p.permits, is.period).less(mul(is.permits, p.period)) {
			g.l.SetRate(p.rate())
		}
		if p.burst < is.burst {
			g.l.SetBurst(int(p.burst))
		}
	}
	return *c
}
