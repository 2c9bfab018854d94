package broadcast

import (
	"slices"
)

// A tally counts values that never came to this broadcast. Only differences matter:
// a count may be below 0, and wraps.
type tally struct {
	lost    uint64 // how many
	unknown uint64 // how often it was not known how many
}

func (t tally) minus(u tally) tally { return tally{t.lost - u.lost, t.unknown - u.unknown} }

func (t tally) gap(skipped uint64) *GapError {
	return &GapError{Missed: skipped + t.lost, AtLeast: t.unknown > 0}
}

// A hole is where values are missing in the log itself.
type hole struct {
	pos    uint64 // the number of the value behind it
	before tally  // all that is missing before that value
}

// A holes is the list of them, in order, of which those that are before all that
// is retained may have been dropped. It is replaced, never changed, since readers
// use it without a lock. Nil has none.
type holes struct {
	dropped tally // all that is missing before the list
	list    []hole
}

// upTo returns all that is missing before the value with number pos.
func (h *holes) upTo(pos uint64) tally {
	if h == nil {
		return tally{}
	}
	for _, x := range slices.Backward(h.list) {
		if x.pos <= pos {
			return x.before
		}
	}
	return h.dropped
}

// all returns all that is missing so far.
func (h *holes) all() tally {
	if h == nil {
		return tally{}
	}
	return h.list[len(h.list)-1].before
}

// before returns all that a subscription that goes on at pos knows of. It may not
// know of a hole right there.
func (h *holes) before(pos uint64) tally {
	switch {
	case h == nil:
		return tally{}
	case pos == 0:
		return h.dropped
	}
	return h.upTo(pos - 1)
}

// next returns where the first hole behind the value with number pos is, or
// limit, if there is none before that.
func (h *holes) next(pos, limit uint64) uint64 {
	if h == nil {
		return limit
	}
	for _, x := range h.list {
		if x.pos > pos {
			return min(x.pos, limit)
		}
	}
	return limit
}

// lose adds a hole at the end of the log. Readers find it at the latest with the
// value behind it, which is published after it.
func (l *log[T]) lose(missed uint64) {
	old := l.holes.Load()
	sum := old.all()
	if sum.lost += missed; missed == 0 {
		sum.unknown++
	}
	h := new(holes)
	if old != nil {
		*h = *old
		for len(h.list) > 0 && h.list[0].pos+l.capacity < l.sent {
			h.dropped, h.list = h.list[0].before, h.list[1:]
		}
		if n := len(h.list); n > 0 && h.list[n-1].pos == l.sent {
			h.list = h.list[:n-1] // and this one is in its place
		}
	}
	h.list = append(slices.Clip(h.list), hole{l.sent, sum})
	l.holes.Store(h)
}

// ReportGap tells all subscriptions that values are missing at this place, behind
// what has been sent so far: how many, or with 0 that this is not known. It is
// for a relay of values from elsewhere that has lost some on the way. A
// subscription gets a [GapError] when it comes there, and counts them as missed,
// also when it had to skip that place. It returns ErrClosed when the broadcast is
// closed. It takes time in proportion to the gaps that are retained.
func (b *Broadcast[T]) ReportGap(missed uint64) error {
	b.require("ReportGap")
	b.mu.Lock()
	if b.closedLocked() {
		b.mu.Unlock()
		return ErrClosed
	}
	b.log.lose(missed)
	asleep := b.sleepers.take()
	b.mu.Unlock()
	b.wake(asleep)
	return nil
}
