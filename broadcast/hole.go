package broadcast

import "github.com/tandemgo/tandem/internal/sched"

// A loss counts values that never came to this broadcast. Only differences matter:
// a count may be below 0, and wraps.
type loss struct {
	lost    uint64 // how many
	unknown uint64 // how often it was not known how many
}

func (t loss) minus(u loss) loss { return loss{t.lost - u.lost, t.unknown - u.unknown} }

// A hole is where values are missing in the log itself. Holes are a list, of which log.holes is the
// last one; nil has none.
type hole struct {
	pos    uint64              // the number of the value behind it
	before loss                // all that is missing before that value
	prev   sched.Pointer[hole] // nil if it is before all that is retained, or the first
}

// all returns all that is missing up to h.
func (h *hole) all() loss {
	if h == nil {
		return loss{}
	}
	return h.before
}

// upTo returns all that is missing before the value with number pos, and where the next hole
// behind that is, at most limit.
func (h *hole) upTo(pos, limit uint64) (sum loss, next uint64) {
	for next = limit; h != nil && h.pos > pos; h = h.prev.Load() {
		next = min(next, h.pos)
	}
	return h.all(), next
}

// lose adds a hole at the end of the log. Readers find it at the latest with the
// value behind it, which is published after it.
func (l *log[T]) lose(missed uint64) {
	prev := l.holes.Load()
	sum := prev.all()
	if sum.lost += missed; missed == 0 {
		sum.unknown++
	}
	if prev != nil && prev.pos == l.sent {
		prev = prev.prev.Load() // and this one is in its place
	}
	h := &hole{pos: l.sent, before: sum}
	h.prev.Store(prev)
	for oldest := l.first.Load().base; prev != nil; prev = prev.prev.Load() {
		if prev.pos <= oldest {
			prev.prev.Store(nil) // no reader comes before it any more
		}
	}
	l.holes.Store(h)
}

// ReportGap tells all subscriptions that values are missing at this place, behind
// all values sent so far: how many, or with 0 that this is not known. It is
// for a relay of values from elsewhere that has lost some on the way. A
// subscription gets a [GapError] when it comes there, and counts them as missed,
// also when it had to skip that place. It returns ErrClosed when the broadcast is
// closed. It takes time in proportion to the gaps that are retained.
func (b *Broadcast[T]) ReportGap(missed uint64) error {
	b.require("broadcast: ReportGap")
	b.mu.Lock()
	if b.closedLocked() {
		b.mu.Unlock()
		return ErrClosed
	}
	b.log.lose(missed)
	b.mu.unlock(true)
	return nil
}
