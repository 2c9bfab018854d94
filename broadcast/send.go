package broadcast

import (
	"context"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/sched"
)

// A batch is what a call sends.
type batch[T any] struct {
	left []T             // values that are not sent yet
	also []*Broadcast[T] // where they are sent to besides, see Topics
	try  bool            // return ErrFull rather than wait
}

// A sender is a call that waits for room.
type sender[T any] struct {
	batch[T]               // Broadcast.mu
	late     []late        // what sending it has found
	served   chan struct{} // signalled when nothing is left, or the broadcast is closed
}

// A late has the arguments of a call of the lag handler.
type late struct {
	name    string
	backlog uint64
}

// Send sends v to all subscriptions. It waits only while a Block subscription
// has no room, and returns nil once the value is sent, or ErrClosed or the cause
// of ctx, and then no subscription sees it. It panics if ctx is nil.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	ctxselect.Require(ctx, "broadcast: Send")
	b.require("broadcast: Send")
	return b.send(ctx, &batch[T]{left: []T{v}})
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (b *Broadcast[T]) TrySend(v T) error {
	b.require("broadcast: TrySend")
	return b.send(context.Background(), &batch[T]{left: []T{v}, try: true})
}

// SendBatch is Send for several values, in order. It returns how many were sent,
// and an error unless all were. Values of other senders may come
// between, where it had to wait or the batch is larger than the capacity. It
// does not keep vs. It panics if ctx is nil.
func (b *Broadcast[T]) SendBatch(ctx context.Context, vs []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: SendBatch")
	b.require("broadcast: SendBatch")
	return b.sendBatch(ctx, vs, nil)
}

// sendBatch sends vs, also to others, and returns how many were sent. It sends no more at once than
// the capacity, so that readers that sleep get a chance before they miss something.
func (b *Broadcast[T]) sendBatch(ctx context.Context, vs []T, also []*Broadcast[T]) (int, error) {
	for left := vs; ; {
		x := &batch[T]{left: left[:min(len(left), int(b.log.capacity))], also: also}
		n := len(x.left)
		err := b.send(ctx, x)
		left = left[n-len(x.left):]
		if err != nil || len(left) == 0 {
			return len(vs) - len(left), err
		}
	}
}

// send sends x, which has no more values than the capacity.
func (b *Broadcast[T]) send(ctx context.Context, x *batch[T]) error {
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	n := len(x.left)
	b.mu.Lock()
	if b.closedLocked() {
		b.mu.Unlock()
		return ErrClosed
	}
	if n > 0 && (len(b.senders) > 0 || b.roomLocked(n) < n) {
		if x.try {
			b.mu.Unlock()
			return ErrFull
		}
		return b.waitLocked(ctx, x)
	}
	var slow []late
	b.addLocked(x, n, &slow)
	b.mu.unlock(true)
	b.tell(slow)
	return nil
}

// addLocked sends n values of x. It adds to slow the calls of the lag handler to make when the lock is
// free. It holds all locks before it appends to the first log, so all have the values of one key in
// the same order, see Topics.
func (b *Broadcast[T]) addLocked(x *batch[T], n int, slow *[]late) {
	for _, other := range x.also {
		other.mu.Lock()
	}
	b.log.add(x.left[:n])
	if b.log.sent >= b.tend {
		b.tendLocked(slow)
	}
	for _, other := range x.also {
		open := !other.closedLocked()
		if open {
			other.log.add(x.left[:n])
			other.tendLocked(slow)
		}
		other.mu.unlock(open)
	}
	x.left = x.left[n:]
}

// tendLocked does what is not necessary for each value: it cuts off what is not retained any more,
// and looks for late subscriptions.
func (b *Broadcast[T]) tendLocked(slow *[]late) {
	for b.log.sent >= b.log.keep {
		b.cutLocked()
	}
	b.tend = b.log.keep
	if b.lag != nil {
		if b.log.sent >= b.look {
			b.lateLocked(slow)
		}
		b.tend = min(b.tend, b.look)
	}
}

// roomLocked returns for how many values there is room. It looks for more if that is less than n.
func (b *Broadcast[T]) roomLocked(n int) int {
	if b.log.sent+uint64(n) > b.limit {
		b.limit = b.limitLocked()
	}
	return int(b.limit - b.log.sent)
}

// limitLocked returns the number of the first value for which a Block subscription has no room. If
// that is the next one, it marks a subscription in the way, which calls moved as soon as it is not: the
// subscription moves and then looks at its mark, and limitLocked sets the mark and then looks at the
// position once more, so one of them sees the other. A subscription whose context has ended is removed
// when it is in the way: it has ended at that place.
func (b *Broadcast[T]) limitLocked() uint64 {
	sent, capacity := b.log.sent, b.log.capacity
	lowest := sent
	// From the last one, since readers that sleep are woken from the first.
	for i, s := range slices.Backward(b.blocking) {
		at := s.needs()
		if sent-at >= capacity && sched.Ended(s.done) {
			s.until = sent
			b.blocking = slices.Delete(b.blocking, i, i+1)
			continue
		}
		if sent-at >= capacity {
			s.marked.Store(true)
			if at = s.needs(); sent-at >= capacity {
				return at + capacity
			}
		}
		lowest = min(lowest, at)
	}
	return lowest + capacity
}

// moved is called when a Block subscription that is marked has moved.
func (b *Broadcast[T]) moved(s *Subscription[T]) {
	b.mu.Lock()
	s.marked.Store(false)
	b.mu.unlock(b.serveLocked())
}

// serveLocked sends the values of the senders in line, in their order, as far as there is room. It
// reports whether it has sent any. Were each sender to send its own values and wake the next one,
// a line would never end, and each value would cost a wake-up.
func (b *Broadcast[T]) serveLocked() (sent bool) {
	for len(b.senders) > 0 {
		x := b.senders[0]
		n := min(b.roomLocked(len(x.left)), len(x.left))
		if n == 0 {
			break
		}
		b.addLocked(&x.batch, n, &x.late)
		sent = true
		if len(x.left) == 0 {
			b.senders[0], b.senders = nil, b.senders[1:]
			sched.Signal(x.served)
		}
	}
	return sent
}

// waitLocked sends x as there is room, and unlocks.
func (b *Broadcast[T]) waitLocked(ctx context.Context, caller *batch[T]) error {
	// Were caller itself put in line, each Send would allocate it.
	x := &sender[T]{served: make(chan struct{}, 1)}
	x.left, x.also = slices.Clone(caller.left), slices.Clone(caller.also)
	b.senders = append(b.senders, x)
	b.mu.unlock(b.serveLocked())
	sched.ParkCtx(ctx, x.served)
	b.mu.Lock()
	b.senders = slices.DeleteFunc(b.senders, func(y *sender[T]) bool { return x == y })
	closed := b.closedLocked()
	b.mu.Unlock()
	b.tell(x.late)
	caller.left = x.left
	switch {
	case len(x.left) == 0:
		return nil
	case closed:
		return ErrClosed
	}
	return context.Cause(ctx)
}

// lateLocked adds to slow the subscriptions that have fallen behind by half the capacity
// since the handler was last told of them. It looks at them once per eighth of the capacity.
func (b *Broadcast[T]) lateLocked(slow *[]late) {
	sent := b.log.sent
	b.look = sent + max(1, b.log.capacity/8)
	for _, s := range b.openLocked() {
		at := s.needs()
		isLate := sent-at >= max(1, b.log.capacity/2)
		if isLate && s.lagged <= at { // or the handler was told, and s has not read all that was sent before
			*slow = append(*slow, late{s.name, sent - at})
			s.lagged = sent
		} else if !isLate {
			s.lagged = 0
		}
	}
}

// tell calls the lag handler.
func (b *Broadcast[T]) tell(all []late) {
	for _, x := range all {
		b.lag(x.name, x.backlog)
	}
}
