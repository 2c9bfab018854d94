package spsc

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// Base is the capacity of a ring unless a user asks for another one.
const Base = 16

// Bits of the words that the ends share. The rest is a count.
const (
	asleep     = 1 // the other end is parked, or about to park
	closed     = 2 // of published: there will be no more items
	publishOne = 4
	giveOne    = 2
)

// A Ring is a bounded queue from one sender to one receiver. It must not be copied. Make
// one with New or Adaptive.
type Ring[T any] struct {
	// The sender's. limit is how many items may be in the ring: sent and not given back by
	// the receiver.
	slots  []T // of to; a power of 2
	to     *segment[T]
	sent   uint64
	until  uint64 // it sends up to here without another look: given + limit, or less
	given  uint64 // the sender's copy of freed
	limit  uint64
	room   chan struct{} // capacity 1; the sender parks on it
	base   uint64        // the least limit; 0: the limit is constant
	passed uint64        // given at the time since, for the pace of the items
	since  time.Time
	full   bool // the ring has been full after that
	_      [cacheLine]byte

	published sched.Uint64 // sent·4 + closed + asleep of the receiver
	_         [cacheLine - 8]byte
	freed     sched.Uint64 // given·2 + asleep of the sender
	wakeAt    sched.Uint64 // the count of freed that wakes the sender
	_         [cacheLine - 16]byte

	// The receiver's.
	here  []T    // of from; a power of 2
	taken uint64 // items taken
	pause uint64 // it takes up to here without another look
	from  *segment[T]
	back  uint64 // items given back
	step  uint64 // how many it gives back together
	known uint64 // items known to be there, in this segment
	ready chan struct{}
}

const cacheLine = 128 // two: they are fetched in pairs

// firstSlots is the size of the first segment of a ring: memory grows as the slots are
// needed, not with the capacity.
const firstSlots = 64

// New returns a ring in which capacity items can wait, besides the one that the receiver
// has in hand.
func New[T any](capacity int) *Ring[T] {
	r := &Ring[T]{room: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	r.Bound(capacity)
	return r
}

// Bound makes the ring one of New with the given capacity. It must be called before the
// ring is used.
func (r *Ring[T]) Bound(capacity int) {
	r.limit, r.base = uint64(capacity)+1, 0
	r.to = newSegment[T](0, min(r.limit, firstSlots))
	r.slots = r.to.slots
	r.know(0)
	r.enter(r.to)
}

// ParkOn makes the sender and the receiver park on these channels, of capacity 1, instead
// of two of the ring's own. nil leaves one as it is. ParkOn must be called before the ring
// is used.
func (r *Ring[T]) ParkOn(room, ready chan struct{}) {
	if room != nil {
		r.room = room
	}
	if ready != nil {
		r.ready = ready
	}
}

// Wake makes both ends look at their contexts again. It must be called when the contexts
// that were given to Push and Pop have ended: the ends do not park on these, which makes it
// cheaper to wake them.
func (r *Ring[T]) Wake() {
	sched.Signal(r.room)
	sched.Signal(r.ready)
}

// Sent returns how many items have been sent.
func (r *Ring[T]) Sent() uint64 { return r.published.Load() / publishOne }

// Freed returns how many items the receiver has given back. It lags behind the number of
// items taken by one, more if the ring has grown.
func (r *Ring[T]) Freed() uint64 { return r.freed.Load() / giveOne }

// The sending end.

// TryPush sends v if there is room, and reports whether there was.
func (r *Ring[T]) TryPush(v T) bool {
	if r.sent >= r.until && !r.look(1) {
		return false
	}
	// By hand: the compiler does not inline PushAnyway.
	r.slots[r.sent&uint64(len(r.slots)-1)] = v
	r.sent++
	if r.published.Add(publishOne)&asleep != 0 {
		r.wakeReceiver()
	}
	return true
}

// PushAnyway sends v, for which the sender has found room by Fits. It does not look at the
// limit, which may have shrunk after that.
func (r *Ring[T]) PushAnyway(v T) {
	if r.sent >= r.until {
		r.know(r.freed.Load() / giveOne)
		r.extend(1)
	}
	r.slots[r.sent&uint64(len(r.slots)-1)] = v
	r.sent++
	if r.published.Add(publishOne)&asleep != 0 {
		r.wakeReceiver()
	}
}

// Push sends v. It waits for room until ctx ends, which is an error, see Wake.
func (r *Ring[T]) Push(ctx context.Context, v T) error {
	for !r.TryPush(v) {
		if !r.ArmPush(1) {
			continue
		}
		if sched.Err(ctx) == nil { // Wake may have been called before
			sched.Park(r.room)
		}
		if sched.Err(ctx) != nil {
			r.freed.And(^uint64(asleep))
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close ends the stream. Items that were sent can still be received. The sender must not
// send after it.
func (r *Ring[T]) Close() {
	r.published.Or(closed)
	r.wakeReceiver()
}

// Reopen takes Close back, when all items that were sent have been received.
func (r *Ring[T]) Reopen() { r.published.And(^uint64(closed)) }

// Fits reports whether there is room for n items.
func (r *Ring[T]) Fits(n int) bool { return r.sent+uint64(n) <= r.until || r.look(uint64(n)) }

// know notes how many items the receiver has given back.
func (r *Ring[T]) know(given uint64) {
	r.given, r.until = given, min(given+r.limit, max(given, r.to.base)+uint64(len(r.slots)))
	if r.limit > r.base && r.base > 0 { // it may have to shrink before it is full
		r.until = min(r.until, r.sent+glance)
	}
}

// look updates the sender's copy of freed, adapts the limit, and reports whether there is
// room for n items.
func (r *Ring[T]) look(n uint64) bool {
	r.know(r.freed.Load() / giveOne)
	if r.full || r.limit > r.base && r.base > 0 {
		r.adapt()
	}
	if r.sent+n > r.given+r.limit {
		return false
	}
	r.extend(n)
	return true
}

// extend begins a new segment if the present one has too few free slots for n items.
func (r *Ring[T]) extend(n uint64) {
	if r.sent+n > max(r.given, r.to.base)+uint64(len(r.slots)) {
		next := newSegment[T](r.sent, 2*uint64(len(r.slots)))
		r.to.next.Store(next)
		r.to, r.slots = next, next.slots
		r.know(r.given)
	}
}

func (r *Ring[T]) wakeReceiver() {
	if r.published.And(^uint64(asleep))&asleep != 0 {
		sched.Signal(r.ready)
	}
}

// ArmPush announces that the sender is going to park until there is room for more items than
// there is, and reports whether it must: false means that there is room for need items by
// now.
func (r *Ring[T]) ArmPush(need int) bool {
	// It is not woken for each item: half of the ring is free by then.
	end := r.sent + uint64(need)
	if !r.arm(r.sent-r.limit+max(r.limit/2, uint64(need)), end-min(r.limit, end)) {
		return false
	}
	r.full = r.base > 0
	return true
}

// ArmDrained announces that the sender is going to park until the receiver has given back all
// items, and reports whether it must: false means that it has by now.
func (r *Ring[T]) ArmDrained() bool { return r.arm(r.sent, r.sent) }

// arm announces that the sender is going to park until wakeAt items have been given back, and
// reports whether it must: false means that enough of them have.
func (r *Ring[T]) arm(wakeAt, enough uint64) bool {
	r.wakeAt.Store(wakeAt)
	r.know(r.freed.Or(asleep) / giveOne)
	if r.given >= enough {
		r.freed.And(^uint64(asleep))
		return false
	}
	return true
}

// Drained reports whether the receiver has given back all items: it has come back for more.
func (r *Ring[T]) Drained() bool { return r.Freed() == r.sent }

// The receiving end.

// TryPop takes an item if there is one. The item before it, which the receiver had in hand
// until now, leaves the ring.
func (r *Ring[T]) TryPop() (v T, ok bool) {
	if r.taken >= r.pause && !r.More() {
		return v, false
	}
	p := &r.here[r.taken&uint64(len(r.here)-1)]
	var zero T
	v, *p = *p, zero
	r.taken++
	return v, true
}

// More reports whether there is an item to take.
func (r *Ring[T]) More() bool {
	if r.taken-r.back >= r.step {
		r.giveBack()
	}
	if r.taken == r.known && !r.find() {
		return false
	}
	r.pause = min(r.known, r.back+r.step)
	return true
}

// Fresh reports whether the item just taken is the first one since others were given back:
// each item of a slow stream, and some of a fast one. It is the moment for work that is too
// dear for each item of a fast stream.
func (r *Ring[T]) Fresh() bool { return r.taken-r.back <= 1 }

// find finds items that were sent meanwhile.
func (r *Ring[T]) find() bool {
	known := r.published.Load() / publishOne
	next := r.from.next.Load() // after published, so that it is there if an item of it is
	if next != nil && r.taken == next.base {
		r.enter(next)
		next = next.next.Load()
	}
	if next != nil {
		known = min(known, next.base)
	}
	r.known = known
	return known != r.taken
}

// enter makes s the segment that the receiver takes from.
func (r *Ring[T]) enter(s *segment[T]) {
	r.from, r.here = s, s.slots
	// In a ring that has not grown, items are given back one by one, so that a slow
	// receiver gives back the items that it takes.
	r.step = 1 + uint64(len(s.slots)-1)/32
}

// giveBack makes room for as many items as have been taken.
func (r *Ring[T]) giveBack() {
	n := r.taken - r.back
	if n == 0 {
		return
	}
	r.back = r.taken
	if w := r.freed.Add(n * giveOne); w&asleep != 0 && w/giveOne >= r.wakeAt.Load() && r.freed.And(^uint64(asleep))&asleep != 0 {
		sched.Signal(r.room)
	}
}

// Ended reports whether all items have been taken and there will be no more.
func (r *Ring[T]) Ended() bool {
	w := r.published.Load()
	return w&closed != 0 && w/publishOne == r.taken
}

// Pop takes an item. It waits for one until the ring is closed, which is ok == false, or
// ctx ends, which is an error, see Wake.
func (r *Ring[T]) Pop(ctx context.Context) (v T, ok bool, err error) {
	if v, ok = r.TryPop(); ok {
		return v, true, nil
	}
	if ok, _, err = r.Await(ctx, nil); ok {
		v, ok = r.TryPop()
	}
	return v, ok, err
}

// Await waits until there is an item to take, the ring is closed, which is ok == false, or
// ctx ends, which is an error. It also returns, with early == true, if wait returns false
// while there is no item. wait, which may be nil, has the channel signalled on which the
// receiver parks when its result may have changed.
func (r *Ring[T]) Await(ctx context.Context, wait func() bool) (ok, early bool, err error) {
	for {
		switch {
		case r.More():
			return true, false, nil
		case wait != nil && sched.Err(ctx) == nil && !wait():
			return false, true, nil
		case r.Ended():
			r.giveBack()
			return false, false, nil
		case !r.ArmPop():
			continue
		}
		if sched.Err(ctx) == nil { // Wake may have been called before
			sched.Park(r.ready)
		}
		if sched.Err(ctx) != nil {
			r.published.And(^uint64(asleep))
			return false, false, context.Cause(ctx)
		}
	}
}

// ArmPop announces that the receiver is going to park until there is an item or the end, and
// reports whether it must: false means that one of them has come by now.
func (r *Ring[T]) ArmPop() bool {
	r.giveBack()
	if w := r.published.Or(asleep); w/publishOne != r.taken || w&closed != 0 {
		r.published.And(^uint64(asleep))
		return false
	}
	return true
}
