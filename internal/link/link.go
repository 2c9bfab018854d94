package link

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/point"
)

// Base is the capacity of a link of which nothing else is said.
const Base = 16

// Bits of the words that the ends share. The rest is a count.
const (
	asleep     = 1 // the other end is parked, or about to be
	closed     = 2 // of published: there will be no more
	publishOne = 4
	giveOne    = 2
)

// A Link is a bounded queue from one sender to one receiver. It must not be
// copied. Make one with New or Adaptive.
type Link[T any] struct {
	// The sender's. limit is how many items may be on the link: sent and not
	// given back by the receiver.
	slots  []T // of to; a power of 2
	to     *segment[T]
	sent   uint64
	until  uint64 // up to where it sends without a second look: given + limit, or less
	given  uint64 // what the sender knows of freed
	limit  uint64
	room   chan struct{} // capacity 1; where it parks
	base   uint64        // to what limit shrinks; 0: it stays as it is
	passed uint64        // what given was at the time since, for the pace of the items
	since  time.Time
	full   bool   // it has been full after that
	blocks *Clock // nil: nobody wants to know
	_      [cacheLine]byte

	published atomic.Uint64 // sent·4 + closed + asleep: the receiver
	_         [cacheLine - 8]byte
	freed     atomic.Uint64 // given·2 + asleep: the sender
	wakeAt    atomic.Uint64 // what the receiver has to have given back to wake it
	_         [cacheLine - 16]byte

	// The receiver's.
	here  []T    // of from; a power of 2
	taken uint64 // items taken
	pause uint64 // up to where it takes items without a second look
	from  *segment[T]
	back  uint64 // of these, given back
	step  uint64 // how many it gives back together
	known uint64 // items known to be there, in this segment
	ready chan struct{}
	waits *Clock

	// Set before the link is used.
	attended bool
	sharedTo bool // the sending end is a crew's: its lock is held there
	sharedBy bool // and so with the receiving end
}

const cacheLine = 128 // two: they are fetched in pairs

// New returns a link on which capacity items can wait, besides the one that
// the receiver has in hand.
func New[T any](capacity int) *Link[T] {
	l := &Link[T]{limit: uint64(capacity) + 1, room: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	l.to = newSegment[T](0, min(l.limit, firstSlots))
	l.slots = l.to.slots
	l.know(0)
	l.enter(l.to)
	return l
}

// firstSlots is the size of the first segment of a link: memory grows as the slots are
// needed, not with the capacity.
const firstSlots = 64

// Wakers makes the sender and the receiver park on these channels, of capacity
// 1, instead of two of the link's own. It must be called before the link is
// used. nil leaves one as it is.
func (l *Link[T]) Wakers(room, ready chan struct{}) {
	if room != nil {
		l.room = room
	}
	if ready != nil {
		l.ready = ready
	}
}

// TimeSender makes the link tell clock how long Send was parked. It must be
// called before the link is used, as TimeReceiver.
func (l *Link[T]) TimeSender(clock *Clock) { l.blocks = clock }

// TimeReceiver does the same for Receive.
func (l *Link[T]) TimeReceiver(clock *Clock) { l.waits = clock }

// Attend is a promise that Ring will be called when the contexts given to Send
// and Receive have ended. Then their ends park without a select on these, which
// makes it cheaper to be woken. It must be made before the link is used.
func (l *Link[T]) Attend() { l.attended = true }

// Ring makes both ends look again.
func (l *Link[T]) Ring() {
	ctxselect.Signal(l.room)
	ctxselect.Signal(l.ready)
}

// park waits for a signal, for the timer, which is late, or for the end of ctx.
func (l *Link[T]) park(ctx context.Context, signal <-chan struct{}, timer <-chan time.Time) (late bool) {
	point.At("link: before it parks")
	switch {
	case l.attended && ctx.Err() != nil: // Ring may have been called before
	case l.attended && timer == nil:
		point.At("link: parks, before the bell")
		<-signal
	case l.attended:
		point.At("link: parks, before the bell")
		select {
		case <-signal:
		case <-timer:
			late = true
		}
	default:
		select {
		case <-signal:
		case <-timer:
			late = true
		case <-ctx.Done():
		}
	}
	point.At("link: has been woken")
	return late
}

// Sent returns how many items have been sent.
func (l *Link[T]) Sent() uint64 { return l.published.Load() / publishOne }

// Freed returns how many items the receiver has given back. It lags behind what
// was taken by one item, more if the link has grown.
func (l *Link[T]) Freed() uint64 { return l.freed.Load() / giveOne }

// The sending end.

// Put sends v if there is room, and reports whether there was.
func (l *Link[T]) Put(v T) bool {
	if l.sent >= l.until && !l.look(1) {
		return false
	}
	// push, by hand: the compiler does not inline it.
	point.At("link: before it publishes")
	l.slots[l.sent&uint64(len(l.slots)-1)] = v
	l.sent++
	if l.published.Add(publishOne)&asleep != 0 {
		l.wakeReceiver()
	}
	return true
}

// push sends v, for which there is room.
func (l *Link[T]) push(v T) {
	if l.sent >= l.until {
		l.know(l.freed.Load() / giveOne)
		l.fit()
	}
	l.slots[l.sent&uint64(len(l.slots)-1)] = v
	l.sent++
	if l.published.Add(publishOne)&asleep != 0 {
		l.wakeReceiver()
	}
}

// Free returns how many items there is room for.
func (l *Link[T]) Free() int {
	l.know(l.freed.Load() / giveOne)
	return int(max(l.given+l.limit, l.sent) - l.sent)
}

// know notes how many items the receiver has given back.
func (l *Link[T]) know(given uint64) {
	l.given, l.until = given, min(given+l.limit, max(given, l.to.base)+uint64(len(l.slots)))
	if l.limit > l.base && l.base > 0 { // it may have to shrink before it is full
		l.until = min(l.until, l.sent+glance)
	}
}

// look finds out what has been given back meanwhile, adapts the link, and reports
// whether there is room for n items.
func (l *Link[T]) look(n uint64) bool {
	l.know(l.freed.Load() / giveOne)
	if l.full || l.limit > l.base && l.base > 0 {
		l.adapt()
	}
	if l.sent < l.given+l.limit {
		l.fit()
	}
	return l.sent+n <= l.given+l.limit
}

// fit begins a new segment if the slots of the one before are all in use.
func (l *Link[T]) fit() {
	if l.sent < max(l.given, l.to.base)+uint64(len(l.slots)) {
		return
	}
	next := newSegment[T](l.sent, 2*uint64(len(l.slots)))
	l.to.next.Store(next)
	l.to, l.slots = next, next.slots
	l.atSender("link: has grown")
	l.know(l.given)
}

// Fits reports whether there is room for n items.
func (l *Link[T]) Fits(n int) bool {
	return l.sent+uint64(n) <= l.until || l.look(uint64(n))
}

func (l *Link[T]) wakeReceiver() {
	if point.On { // or it would not be inlined
		l.atSender("link: before it wakes the receiver")
	}
	if l.published.And(^uint64(asleep))&asleep != 0 {
		if point.On {
			l.atSender("link: before it signals an item")
		}
		ctxselect.Signal(l.ready)
		if point.On {
			l.atSender("link: has signalled an item")
		}
	}
}

// Close ends the stream. What has been sent can still be received. The sender
// must not send after it.
func (l *Link[T]) Close() {
	if point.On {
		l.atSender("link: before it closes")
	}
	l.published.Or(closed)
	l.wakeReceiver()
}

// Reopen takes Close back, when all that was sent has been received.
func (l *Link[T]) Reopen() { l.published.And(^uint64(closed)) }

// Send sends v, and waits for room until ctx has ended.
func (l *Link[T]) Send(ctx context.Context, v T) error {
	if l.Put(v) {
		return nil
	}
	for {
		if l.ArmSender(1) {
			l.blocks.start()
			l.park(ctx, l.room, nil)
			l.blocks.stop()
			if ctx.Err() != nil {
				l.freed.And(^uint64(asleep))
				return context.Cause(ctx)
			}
		}
		if l.Put(v) {
			return nil
		}
	}
}

// ArmSender says that the sender is going to park until there is room for
// more than there is, and reports whether it is to: false means that there is
// room for need items by now.
func (l *Link[T]) ArmSender(need int) bool {
	// Not woken for each item: by then half of the link is free.
	l.wakeAt.Store(l.sent - l.limit + max(l.limit/2, uint64(need)))
	l.atSender("link: sender before it says that it sleeps")
	l.know(l.freed.Or(asleep) / giveOne)
	if l.sent+uint64(need) <= l.given+l.limit {
		l.atSender("link: sender before it says that it does not sleep")
		l.freed.And(^uint64(asleep))
		return false
	}
	l.full = l.base > 0
	return true
}

// Drained reports whether the receiver is done with all that was sent, and has come back
// for more.
func (l *Link[T]) Drained() bool { return l.freed.Load()/giveOne == l.sent }

// ArmDrained says that the sender is going to park until the link is drained, and reports
// whether it is to: false means that it is drained by now.
func (l *Link[T]) ArmDrained() bool {
	l.wakeAt.Store(l.sent)
	l.atSender("link: sender before it says that it sleeps")
	l.know(l.freed.Or(asleep) / giveOne)
	if l.given != l.sent {
		return true
	}
	l.freed.And(^uint64(asleep))
	return false
}

// The receiving end.

// Next takes an item if there is one. The one before it, which the receiver has
// had in hand until now, stops to count as being on the link.
func (l *Link[T]) Next() (v T, ok bool) {
	if l.taken >= l.pause && !l.More() {
		return v, false
	}
	p := &l.here[l.taken&uint64(len(l.here)-1)]
	var zero T
	v, *p = *p, zero
	l.taken++
	return v, true
}

// More reports whether there is an item to take.
func (l *Link[T]) More() bool {
	if l.taken-l.back >= l.step {
		l.GiveBack()
	}
	if l.taken == l.known && !l.find() {
		return false
	}
	l.pause = min(l.known, l.back+l.step)
	return true
}

// enter makes s the segment that the receiver takes from.
func (l *Link[T]) enter(s *segment[T]) {
	l.from, l.here = s, s.slots
	// A link that has not grown has its items given back one by one, so that a
	// slow receiver gives back what it takes.
	l.step = 1 + uint64(len(s.slots)-1)/32
}

// Rested reports whether the item that was just taken is the first since others
// were given back: a good moment for what is not to be done for each item of a
// fast stream. With a slow one, that is each.
func (l *Link[T]) Rested() bool { return l.taken-l.back <= 1 }

// find finds out what has been sent meanwhile.
func (l *Link[T]) find() bool {
	l.atReceiver("link: before it looks for items")
	known := l.published.Load() / publishOne
	l.atReceiver("link: before it looks for a segment")
	next := l.from.next.Load() // after published, so that it is there if an item of it is
	if next != nil && l.taken == next.base {
		l.enter(next)
		next = next.next.Load()
	}
	if next != nil {
		known = min(known, next.base)
	}
	l.known = known
	return known != l.taken
}

// GiveBack makes room for as many items as have been taken.
func (l *Link[T]) GiveBack() {
	n := l.taken - l.back
	if n == 0 {
		return
	}
	l.back = l.taken
	l.atReceiver("link: before it gives back")
	if w := l.freed.Add(n * giveOne); w&asleep != 0 && w/giveOne >= l.wakeAt.Load() {
		l.wakeSender()
	}
}

func (l *Link[T]) wakeSender() {
	if point.On { // or it would not be inlined
		l.atReceiver("link: before it wakes the sender")
	}
	if l.freed.And(^uint64(asleep))&asleep != 0 {
		if point.On {
			l.atReceiver("link: before it signals room")
		}
		ctxselect.Signal(l.room)
	}
}

// Ended reports whether all has been taken and there will be no more.
func (l *Link[T]) Ended() bool {
	w := l.published.Load()
	return w&closed != 0 && w/publishOne == l.taken
}

// Receive takes an item, and waits for one until the link is closed, which is
// ok == false, or ctx has ended, which is an error.
func (l *Link[T]) Receive(ctx context.Context) (v T, ok bool, err error) {
	if v, ok = l.Next(); ok {
		return v, true, nil
	}
	if ok, err = l.Await(ctx); ok {
		v, ok = l.Next()
	}
	return v, ok, err
}

// Await waits until there is an item to take, or the link is closed, which is
// ok == false, or ctx has ended, which is an error.
func (l *Link[T]) Await(ctx context.Context) (ok bool, err error) {
	ok, _, err = l.AwaitUntil(ctx, nil, nil)
	return ok, err
}

// AwaitUntil is Await that also returns, with late == true, when timer fires while there
// is no item, or when arm reports false. arm, which may be nil, has a signal sent to the
// channel on which the receiver parks when its result may have changed.
func (l *Link[T]) AwaitUntil(ctx context.Context, timer <-chan time.Time, arm func() bool) (ok, late bool, err error) {
	for {
		if l.More() {
			return true, false, nil
		}
		if arm != nil && ctx.Err() == nil && !arm() {
			return false, true, nil
		}
		point.At("link: before it looks for the end")
		if l.Ended() {
			l.GiveBack()
			return false, false, nil
		}
		if !l.ArmReceiver() {
			continue
		}
		l.waits.start()
		late = l.park(ctx, l.ready, timer)
		l.waits.stop()
		if late || ctx.Err() != nil {
			l.published.And(^uint64(asleep))
			return false, late && ctx.Err() == nil, context.Cause(ctx)
		}
	}
}

// ArmReceiver says that the receiver is going to park until there is an item or
// the end, and reports whether it is to: false means that it has come by now.
func (l *Link[T]) ArmReceiver() bool {
	l.GiveBack()
	l.atReceiver("link: receiver before it says that it sleeps")
	if w := l.published.Or(asleep); w/publishOne != l.taken || w&closed != 0 {
		l.atReceiver("link: receiver before it says that it does not sleep")
		l.published.And(^uint64(asleep))
		return false
	}
	return true
}
