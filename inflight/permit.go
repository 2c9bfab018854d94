package inflight

import "time"

// A Permit is weight in flight. It is made by [Limiter.Acquire] and [Limiter.TryAcquire], and
// must be released. The zero Permit counts as released. A Permit must not be copied, and is
// not safe for concurrent use.
type Permit struct { // four words, or it would not be passed in registers
	limiter *Limiter
	weight  int
	number  uint64        // if the limiter is adaptive
	start   time.Duration // since the limiter was made, if it is adaptive
}

func (l *Limiter) permit(weight int) Permit {
	if l.adaptive == nil {
		return Permit{limiter: l, weight: weight}
	}
	return Permit{l, weight, l.adaptive.issued.Add(1) - 1, time.Since(l.base)}
}

// An Outcome is the way a call has ended, from which an adaptive limiter learns.
type Outcome uint8

const (
	// Success is a call that was served: its duration is a sample of latency.
	Success Outcome = iota
	// Dropped is a call that failed from overload, such as by a timeout or a status of 503.
	Dropped
	// Ignored is a call from which nothing is learned, such as a mistake of the caller or an
	// answer from a cache.
	Ignored
)

// String returns the name of the outcome, such as "Success".
func (o Outcome) String() string {
	return [...]string{"Success", "Dropped", "Ignored", "Outcome(?)"}[min(o, 3)]
}

// MarshalText returns the name, so that it stands in logs and JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Release gives the weight back. Only the first call of a permit does something, so
//
//	defer p.Release(inflight.Ignored)
//
// goes with a Release of the real outcome before. Release does not block. It panics if a copy
// of the permit was released before, as far as the limiter can tell: if more was given back
// than taken.
func (p *Permit) Release(outcome Outcome) {
	l := p.limiter
	if l == nil {
		return
	}
	p.limiter = nil
	if outcome == Dropped {
		l.dropped.Add(1)
	}
	back := uint64(p.weight) << 1
	if l.adaptive == nil {
		if word := l.word.Add(back); word&slow == 0 && freeOf(word) <= l.Limit() {
			return
		}
		l.mu.Lock()
	} else {
		latency := time.Since(l.base) - p.start
		l.mu.Lock()
		l.adaptive.observe(p.number, latency, l.inFlight(), outcome)
		l.setLimit(l.adaptive.effective())
		l.word.Add(back)
	}
	defer l.unlock()
	if l.inFlight() < 0 {
		l.word.Add(-back)
		panic("inflight: Permit.Release: a permit must be released once, got a copy of one that was")
	}
}
