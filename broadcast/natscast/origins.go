package natscast

import "time"

// An origin that is silent for more than silence of its periods counts as gone. After
// forgotten periods it is removed.
const (
	silence   = 3
	forgotten = 30
)

// absurd is more values than an origin can send: a number so far ahead is not valid.
const absurd = 1 << 48

// An origin is the state of a sender.
type origin struct {
	epoch  string
	next   uint64 // number of the next value
	heard  time.Time
	period time.Duration
	silent bool // its silence was counted as a gap
}

// origins has the senders on a subject. Only the receiver uses it, so it has no lock.
//
// An origin that is heard for the first time may have sent values before this process
// subscribed; those are no loss. If messages may have been lost since, because the
// connection was down or the queue was full, the values before the first one are a gap
// of unknown size. doubt is set in that case.
type origins struct {
	known map[string]*origin
	doubt bool
}

// A finding is the result of comparing a label with the state of its origin.
type finding struct {
	missed  uint64 // number of values missing before it
	unknown bool   // some may be missing before it
	twice   bool   // the message is a duplicate or late
}

// take updates the origin of a label.
func (t *origins) take(l label, now time.Time) (f finding) {
	o := t.known[l.origin]
	switch {
	case o == nil:
		o = &origin{epoch: l.epoch, next: l.seq}
		t.known[l.origin] = o
		f.unknown = t.doubt && l.seq > 0
	case o.epoch != l.epoch || l.seq > o.next && l.seq-o.next > absurd:
		o.epoch, o.next = l.epoch, l.seq
		f.unknown = true
	}
	period := min(l.period, (longest * mostHeartbeat).Milliseconds())
	o.heard, o.period, o.silent = now, time.Duration(period)*time.Millisecond, false
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
	}
	return f
}

// silent returns how many origins have fallen silent since the last call. Each of them
// may have sent values whose number will never be known. If our own messages do not
// come back either, the connection is silent, and silent returns 0.
func (t *origins) silent(now time.Time, own string) (n int) {
	if o := t.known[own]; o == nil || now.Sub(o.heard) > 2*o.period {
		return 0
	}
	for name, o := range t.known {
		quiet := now.Sub(o.heard)
		switch {
		case quiet > forgotten*o.period:
			delete(t.known, name)
		case quiet > silence*o.period && !o.silent:
			o.silent = true
			n++
		}
	}
	return n
}

// lost records that the connection was down.
func (t *origins) lost(now time.Time) {
	t.doubt = true
	t.pardon(now)
}

// pardon restarts the silence of all origins, since the receiver was not listening.
func (t *origins) pardon(now time.Time) {
	for _, o := range t.known {
		o.heard = now
	}
}
