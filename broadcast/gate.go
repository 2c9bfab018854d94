package broadcast

import (
	"math"

	"github.com/tandemgo/tandem/internal/sched"
)

// A cursor is what a gate knows of a Block subscription.
type cursor struct {
	pos  sched.Uint64 // what it reads next; written by its readers only
	lags sched.Bool   // a sender waits for pos to move; written under Broadcast.mu
	at   int          // index in the gate, -1 once it is not there; Broadcast.mu
}

// A gate keeps senders from overwriting what Block subscriptions have not read
// yet. Broadcast.mu guards it.
//
// A sender compares with the lowest cursor as it once was, and looks at all of
// them only if that one would be in its way. If it has to wait, it marks those
// that are in the way and counts them. A reader moves its cursor and then looks
// at its mark; the sender sets the mark and then looks at the cursor once more.
// So one of them sees the other. The last one to get out of the way wakes the
// sender, and nobody else is bothered.
type gate[T any] struct {
	subs     []*Subscription[T]
	lowest   uint64  // no cursor is lower
	laggards int     // how many are marked since the sender has begun to wait
	watched  *cursor // the one of them whose context the sender waits for, too
}

func (g *gate[T]) add(s *Subscription[T]) {
	pos := s.block.pos.Load()
	if len(g.subs) == 0 {
		g.lowest = pos
	}
	g.lowest = min(g.lowest, pos)
	s.block.at = len(g.subs)
	g.subs = append(g.subs, s)
}

func (g *gate[T]) remove(s *Subscription[T]) {
	end := len(g.subs) - 1
	moved := g.subs[end]
	g.subs[s.block.at], moved.block.at = moved, s.block.at
	g.subs[end] = nil
	g.subs = g.subs[:end]
	s.block.at = -1
}

// expired returns the subscriptions whose context has ended. They are in nobody's
// way: see evict.
func (g *gate[T]) expired() (subs []*Subscription[T]) {
	for _, s := range g.subs {
		if sched.Ended(s.done) {
			subs = append(subs, s)
		}
	}
	return subs
}

// room returns for how many values there is room, when sent have been sent.
func (g *gate[T]) room(sent, capacity uint64) uint64 {
	if len(g.subs) == 0 {
		return capacity
	}
	if sent-g.lowest >= capacity {
		g.lowest = math.MaxUint64
		for _, s := range g.subs {
			g.lowest = min(g.lowest, s.block.pos.Load())
		}
	}
	return capacity - min(capacity, sent-g.lowest)
}

// watch marks the cursors below need and reports whether there are any, that is,
// whether the sender is to wait. The sender then waits for done, too: that of one of
// them that has a context. If that one gets out of the way otherwise, the sender looks
// again, and may get another.
func (g *gate[T]) watch(need uint64) (done <-chan struct{}, wait bool) {
	g.laggards, g.watched = 0, nil
	for _, s := range g.subs {
		c := s.block
		late := c.pos.Load() < need
		if late {
			c.lags.Store(true)
			late = c.pos.Load() < need // it may have moved and seen no mark
		}
		if late {
			g.laggards++
			if s.done != nil {
				done, g.watched = s.done, c
			}
		} else if c.lags.Load() {
			c.lags.Store(false)
		}
	}
	return done, g.laggards > 0
}

// unmark takes the mark of a cursor that has moved or is going to be removed,
// and reports whether the sender is to look again: it was the last one that the sender
// waits for, or the one that it watches.
func (g *gate[T]) unmark(c *cursor) bool {
	if !c.lags.Load() {
		return false
	}
	c.lags.Store(false)
	g.laggards--
	return g.laggards == 0 || c == g.watched
}
