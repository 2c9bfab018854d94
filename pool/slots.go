package pool

import (
	"math/bits"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/point"
)

// A block holds the slots of neighbouring indexes.
type block[T, R any] struct{ slots []slot[T, R] }

// A slot has no room for an error: failures are few, and without it a slot of
// plain numbers is nothing that the garbage collector has to look into.
type slot[T, R any] struct {
	task    T // until it is claimed
	value   R
	claimed atomic.Uint32
	next    uint32 // below on the stack; 1 more than the index
}

// slot returns the slot of an index that has been issued.
func (g *Group[T, R]) slot(i int) *slot[T, R] {
	k := bits.Len(uint(i/firstBlock+1)) - 1
	return &g.blocks[k].Load().slots[i-firstBlock*(1<<k-1)]
}

// issueLocked returns the slot of the next index.
func (g *Group[T, R]) issueLocked() *slot[T, R] {
	if len(g.free) == 0 {
		k := bits.Len(uint(g.issued / firstBlock))
		g.free = make([]slot[T, R], firstBlock<<k)
		g.blocks[k].Store(&block[T, R]{g.free})
	}
	s := &g.free[0]
	g.free = g.free[1:]
	g.issued++
	return s
}

func (g *Group[T, R]) enter(seq uint64, task T, last *ticket[T, R]) *ticket[T, R] {
	if g.closed {
		return nil
	}
	i := g.issued
	g.issueLocked().task = task
	if last == nil || last != g.last || last.index(seq) != i {
		g.last = g.ticket(seq - uint64(i))
	}
	return g.last
}

func (g *Group[T, R]) ticket(base uint64) *ticket[T, R] {
	return &ticket[T, R]{ctx: g.open.Load(), mortal: true, to: g, many: true, base: base}
}

func (g *Group[T, R]) claim(i int) (task T, ok bool) {
	s := g.slot(i)
	if !s.claimed.CompareAndSwap(0, 1) {
		return task, false
	}
	var zero T
	task, s.task = s.task, zero
	return task, true
}

func (g *Group[T, R]) waits(i int) bool { return g.slot(i).claimed.Load() == 0 }

func (g *Group[T, R]) settle(i int, v R, err error) {
	s := g.slot(i)
	s.value = v
	if err != nil {
		g.note(i, err)
	}
	var height uint64
	for {
		below := g.landed.Load()
		s.next, height = uint32(below), below>>32+1
		point.At("pool: before a task of a group lands")
		if g.landed.CompareAndSwap(below, height<<32|uint64(i+1)) {
			break
		}
	}
	point.At("pool: before a group's waiter is looked for")
	if need := g.need.Load(); need > 0 && int64(height) >= need {
		g.mu.Lock()
		wake := g.wakeLocked()
		g.mu.Unlock()
		wake.close()
	}
}
