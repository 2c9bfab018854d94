package broadcast

import (
	"cmp"
	"context"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A sender is a call that waits for room.
type sender[T any] struct {
	left   []T // values that are not sent yet; Broadcast.mu
	also   []*Broadcast[T]
	late   []late
	served chan struct{} // signalled when nothing is left, or the broadcast is closed
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
	_, err := b.send(ctx, "broadcast: Send", []T{v}, nil)
	return err
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (b *Broadcast[T]) TrySend(v T) error {
	return b.trySend("broadcast: TrySend", []T{v}, nil)
}

// SendBatch is Send for several values, in order. It returns how many were sent,
// and an error unless all were. Values of other senders may come
// between, where it had to wait or the batch is larger than the capacity. It
// does not keep vs. It panics if ctx is nil.
func (b *Broadcast[T]) SendBatch(ctx context.Context, vs []T) (int, error) {
	return b.send(ctx, "broadcast: SendBatch", vs, nil)
}

// send sends vs, also to others, and returns how many were sent.
func (b *Broadcast[T]) send(ctx context.Context, call string, vs []T, also []*Broadcast[T]) (int, error) {
	ctxselect.Require(ctx, call)
	if sched.Err(ctx) != nil {
		return 0, context.Cause(ctx)
	}
	switch err := b.trySend(call, vs, also); err {
	case nil:
		return len(vs), nil
	case ErrFull:
		return b.sendWaiting(ctx, slices.Clone(vs), also)
	default:
		return 0, err
	}
}

// trySend sends all of vs, or none. It panics if b is the zero Broadcast, which never has room.
func (b *Broadcast[T]) trySend(call string, vs []T, also []*Broadcast[T]) error {
	b.mu.Lock()
	if b.closedLocked() {
		b.mu.Unlock()
		return ErrClosed
	}
	if len(b.senders) > 0 || b.roomLocked() < uint64(max(1, len(vs))) {
		b.mu.Unlock()
		misuse.Zero(b.log.capacity == 0, call, "Broadcast", "New")
		return ErrFull
	}
	asleep, late := b.addLocked(vs, also)
	b.mu.Unlock()
	wake(asleep)
	b.tell(late)
	return nil
}

// addLocked appends vs to the log, and to those of also. It returns the readers to wake and the
// calls of the lag handler to make when the lock is free. It holds all locks before it appends to
// the first log, so all have the values of one key in the same order, see Topics.
func (b *Broadcast[T]) addLocked(vs []T, also []*Broadcast[T]) (asleep chan struct{}, all []late) {
	for _, x := range also {
		x.mu.Lock()
	}
	b.log.add(vs)
	for b.log.sent >= b.log.keep {
		b.cutLocked()
	}
	for _, x := range also {
		if !x.closedLocked() {
			asleep, slow := x.addLocked(vs, nil)
			wake(asleep)
			all = append(all, slow...)
		}
		x.mu.Unlock()
	}
	if b.lag != nil && b.log.sent >= b.look {
		all = append(all, b.lateLocked()...)
	}
	asleep, b.asleep = b.asleep, nil
	return asleep, all
}

// wake wakes the goroutines that park on asleep, if it is not nil. The first of them has made it, so
// it belongs to the same testing/synctest bubble; under the lock of its owner it was replaced by nil. A
// goroutine that stops waiting leaves nothing behind.
func wake(asleep chan struct{}) {
	if asleep != nil {
		sched.Close(asleep)
	}
}

// roomLocked returns for how many values there is room. If there is none, it marks a Block
// subscription in the way, which calls moved as soon as it is not: the subscription moves and then
// looks at its mark, and roomLocked sets the mark and then looks at the position once more, so
// one of them sees the other. A subscription whose context has ended is removed when it is in
// the way: it has ended at that place.
func (b *Broadcast[T]) roomLocked() uint64 {
	sent, capacity := b.log.sent, b.log.capacity
	if len(b.blocking) == 0 {
		return capacity
	}
	if sent-b.lowest >= capacity {
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
					return 0
				}
			}
			lowest = min(lowest, at)
		}
		b.lowest = lowest
	}
	return capacity - (sent - b.lowest)
}

// moved is called when a Block subscription that is marked has moved or ended.
func (b *Broadcast[T]) moved(s *Subscription[T]) {
	b.mu.Lock()
	s.marked.Store(false)
	asleep := b.serveLocked()
	b.mu.Unlock()
	wake(asleep)
}

// serveLocked sends the values of the senders in line, in their order, as far as there is room.
// It returns the readers to wake. Were each sender to send its own values and wake the next one,
// a line would never end, and each value would cost a wake-up.
func (b *Broadcast[T]) serveLocked() (asleep chan struct{}) {
	for len(b.senders) > 0 {
		x := b.senders[0]
		n := min(b.roomLocked(), uint64(len(x.left)))
		if n == 0 {
			break
		}
		found, late := b.addLocked(x.left[:n], x.also)
		asleep = cmp.Or(asleep, found)
		x.late = append(x.late, late...)
		if x.left = x.left[n:]; len(x.left) == 0 {
			b.senders[0], b.senders = nil, b.senders[1:]
			sched.Signal(x.served)
		}
	}
	return asleep
}

// sendWaiting sends vs as there is room. It keeps vs.
func (b *Broadcast[T]) sendWaiting(ctx context.Context, vs []T, also []*Broadcast[T]) (sent int, err error) {
	// A part is no larger than the capacity: readers that sleep get a chance before they miss something.
	for part := range slices.Chunk(vs, int(b.log.capacity)) {
		x := &sender[T]{left: part, also: also, served: make(chan struct{}, 1)}
		b.mu.Lock()
		if b.closedLocked() {
			b.mu.Unlock()
			return sent, ErrClosed
		}
		b.senders = append(b.senders, x)
		asleep := b.serveLocked()
		wait := len(x.left) > 0
		b.mu.Unlock()
		wake(asleep)
		if wait {
			sched.ParkCtx(ctx, x.served)
		}
		b.mu.Lock()
		b.senders = slices.DeleteFunc(b.senders, func(y *sender[T]) bool { return x == y })
		closed := b.closedLocked()
		b.mu.Unlock()
		b.tell(x.late)
		sent += len(part) - len(x.left)
		switch {
		case len(x.left) == 0:
		case closed:
			return sent, ErrClosed
		default:
			return sent, context.Cause(ctx)
		}
	}
	return sent, nil
}

// lateLocked returns the subscriptions that have fallen behind by half the capacity
// since the handler was last told of them. It looks at them once per eighth of the capacity.
func (b *Broadcast[T]) lateLocked() (all []late) {
	sent := b.log.sent
	b.look = sent + max(1, b.log.capacity/8)
	b.openLocked(func(s *Subscription[T]) {
		at := s.needs()
		isLate := sent-at >= max(1, b.log.capacity/2)
		if isLate && s.lagged <= at { // or the handler was told, and s has not read all that was sent before
			all = append(all, late{s.name, sent - at})
			s.lagged = sent
		} else if !isLate {
			s.lagged = 0
		}
	})
	return all
}

// tell calls the lag handler.
func (b *Broadcast[T]) tell(all []late) {
	for _, x := range all {
		b.lag(x.name, x.backlog)
	}
}
