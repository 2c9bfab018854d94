package broadcast

import (
	"math"

	"github.com/tandemgo/tandem/internal/sched"
)

// A gate keeps senders from overwriting what Block subscriptions have not read
// yet. Broadcast.mu guards it.
//
// A sender compares with the lowest position as it once was, and looks at all of
// them only if that one would be in its way. If it has to wait, it marks those
// that are in the way and counts them. A reader moves its position and then looks
// at its mark; the sender sets the mark and then looks at the position once more.
// So one of them sees the other. The last one to get out of the way wakes the
// sender.
type gate[T any] struct {
	subs    []*Subscription[T]
	lowest  uint64           // no position is lower
	lagging int              // how many are marked since the sender has begun to wait
	watched *Subscription[T] // the one of them whose context the sender waits for, too
}

func (g *gate[T]) add(s *Subscription[T]) {
	pos := s.needs()
	if len(g.subs) == 0 {
		g.lowest = pos
	}
	g.lowest = min(g.lowest, pos)
	s.index = int32(len(g.subs))
	g.subs = append(g.subs, s)
}

func (g *gate[T]) remove(s *Subscription[T]) {
	end := len(g.subs) - 1
	moved := g.subs[end]
	g.subs[s.index], moved.index = moved, s.index
	g.subs[end] = nil
	g.subs = g.subs[:end]
	s.index = -1
	if g.watched == s {
		g.watched = nil
	}
}

// expired returns the subscriptions whose context has ended. No sender waits for them:
// see evict.
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
			g.lowest = min(g.lowest, s.needs())
		}
	}
	return capacity - min(capacity, sent-g.lowest)
}

// watch marks the subscriptions below need and reports whether there are any, that is,
// whether the sender is to wait. The sender then waits for done, too: that of one of
// them that has a context. If that one gets out of the way otherwise, the sender looks
// again, and may get another.
func (g *gate[T]) watch(need uint64) (done <-chan struct{}, wait bool) {
	g.lagging, g.watched = 0, nil
	for _, s := range g.subs {
		late := s.needs() < need
		if late {
			s.lags.Store(true)
			late = s.needs() < need // it may have moved and seen no mark
		}
		if late {
			g.lagging++
			if s.done != nil {
				done, g.watched = s.done, s
			}
		} else if s.lags.Load() {
			s.lags.Store(false)
		}
	}
	return done, g.lagging > 0
}

// unmark takes the mark of a subscription that has moved or is going to be removed,
// and reports whether the sender is to look again: it was the last one that the sender
// waits for, or the one that it watches.
func (g *gate[T]) unmark(s *Subscription[T]) bool {
	if !s.lags.Load() {
		return false
	}
	s.lags.Store(false)
	g.lagging--
	return g.lagging == 0 || s == g.watched
}
