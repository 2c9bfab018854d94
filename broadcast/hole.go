package broadcast

import (
	"slices"

	"github.com/tandemgo/tandem/internal/misuse"
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

// A holes is the list of them, in order. The first one stands for those before it, if it is
// before all that is retained. The list is replaced, never changed, since readers use it
// without a lock. It is not empty, but nil has none.
type holes struct{ list []hole }

// all returns all that is missing so far.
func (h *holes) all() (sum tally) {
	if h != nil {
		sum = h.list[len(h.list)-1].before
	}
	return sum
}

// upTo returns all that is missing before the value with number pos, and where the next hole
// behind that is, at most limit.
func (h *holes) upTo(pos, limit uint64) (sum tally, next uint64) {
	if h != nil {
		for _, x := range h.list {
			if x.pos > pos {
				return sum, min(x.pos, limit)
			}
			sum = x.before
		}
	}
	return sum, limit
}

// lose adds a hole at the end of the log. Readers find it at the latest with the
// value behind it, which is published after it.
func (l *log[T]) lose(missed uint64) {
	var list []hole
	if old := l.holes.Load(); old != nil {
		list = old.list
	}
	for len(list) > 1 && list[1].pos <= l.first.Load().base {
		list = list[1:]
	}
	sum := l.holes.Load().all()
	if sum.lost += missed; missed == 0 {
		sum.unknown++
	}
	if n := len(list); n > 0 && list[n-1].pos == l.sent {
		list = list[:n-1] // and this one is in its place
	}
	l.holes.Store(&holes{append(slices.Clip(list), hole{l.sent, sum})})
}

// ReportGap tells all subscriptions that values are missing at this place, behind
// all values sent so far: how many, or with 0 that this is not known. It is
// for a relay of values from elsewhere that has lost some on the way. A
// subscription gets a [GapError] when it comes there, and counts them as missed,
// also when it had to skip that place. It returns ErrClosed when the broadcast is
// closed. It takes time in proportion to the gaps that are retained.
func (b *Broadcast[T]) ReportGap(missed uint64) error {
	misuse.Zero(b.log.capacity == 0, "broadcast: ReportGap", "Broadcast", "New")
	b.mu.Lock()
	if b.closedLocked() {
		b.mu.Unlock()
		return ErrClosed
	}
	b.log.lose(missed)
	asleep := b.asleep
	b.asleep = nil
	b.mu.Unlock()
	wake(asleep)
	return nil
}
