package natscast

import "time"

// silence is how many of its periods an origin may be silent before it counts as
// gone; after forgotten of them it is no longer remembered.
const (
	silence   = 3
	forgotten = 30
)

// absurd is more values than an origin can send: a number that is so far ahead is
// no number.
const absurd = 1 << 48

// An origin is what is known of a sender.
type origin struct {
	epoch  string
	next   uint64 // number of the value that comes next
	heard  time.Time
	period time.Duration
	silent bool // and that was counted as a gap
}

// origins knows the senders on a subject. Only the goroutine that receives uses
// it, so it has no lock.
//
// An origin that is heard for the first time may have sent before this process
// subscribed, which is no loss. If something could have been lost since, because
// the connection was down or the queue was full, nobody can tell, and it is a gap
// of unknown size: doubt says so.
type origins struct {
	known map[string]*origin
	name  string  // of the origin heard last
	last  *origin // that one: most messages come in runs
	doubt bool
}

// A finding is what a label says about the values of its origin.
type finding struct {
	missed  uint64 // that many are missing before it
	unknown bool   // some may be missing before it
	twice   bool   // the message came before, or late
}

// find returns what is known of an origin, nil if that is nothing.
func (t *origins) find(name string) *origin {
	if t.last != nil && t.name == name {
		return t.last
	}
	return t.known[name]
}

// take enters a label.
func (t *origins) take(l label, now time.Time) (f finding) {
	o := t.find(l.origin)
	switch {
	case o == nil:
		o = &origin{epoch: l.epoch, next: l.seq}
		t.known[l.origin] = o
		f.unknown = t.doubt && l.seq > 0
	case o.epoch != l.epoch || l.seq > o.next && l.seq-o.next > absurd:
		o.epoch, o.next = l.epoch, l.seq
		f.unknown = true
	}
	t.name, t.last = l.origin, o
	o.heard, o.period, o.silent = now, time.Duration(l.period)*time.Millisecond, false
	switch {
	case l.seq > o.next:
		f.missed = l.seq - o.next
		o.next = l.seq
	case l.kind == kindValue && l.seq < o.next:
		f.twice = true
		return f
	}
	switch l.kind {
	case kindValue:
		o.next++
	case kindGoodbye:
		delete(t.known, l.origin)
		t.last = nil
	}
	return f
}

// silent returns how many origins have fallen silent since it was last called.
// Each of them may have sent values that nobody will ever number. If our own
// values don't come back either, it is the connection that is silent.
func (t *origins) silent(now time.Time, own string) (n int) {
	if o := t.known[own]; o == nil || now.Sub(o.heard) > 2*o.period {
		return 0
	}
	for name, o := range t.known {
		quiet := now.Sub(o.heard)
		switch {
		case quiet > forgotten*o.period:
			delete(t.known, name)
			t.last = nil
		case quiet > silence*o.period && !o.silent:
			o.silent = true
			n++
		}
	}
	return n
}

// lost notes that the connection was down.
func (t *origins) lost(now time.Time) {
	t.doubt = true
	t.pardon(now)
}

// pardon notes that nobody was listened to: who was silent till now may not have
// been.
func (t *origins) pardon(now time.Time) {
	for _, o := range t.known {
		o.heard = now
	}
}
