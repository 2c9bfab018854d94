package broadcast

import (
	"context"

	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/sched"
)

// A sender is a call that waits for room.
type sender[T any] struct {
	left  []T // what it has to send; Broadcast.mu
	also  []*Broadcast[T]
	ready chan struct{} // signalled when it is to look again
}

// sendWaiting sends vs as there is room.
func (b *Broadcast[T]) sendWaiting(ctx context.Context, vs []T, also []*Broadcast[T]) (sent int, err error) {
	left := vs
	var place *fifo.Node[*sender[T]] // in line
	for {
		if sched.Err(ctx) != nil {
			err = context.Cause(ctx)
		}
		b.mu.Lock()
		if place != nil {
			left = place.Value.left
		}
		switch {
		case place != nil && len(left) == 0:
			err = nil // the first in line has sent the rest, before whatever came then
		case b.closedLocked() && err == nil:
			err = ErrClosed
		}
		var asleep []*waiter
		var late []late
		before := b.log.sent
		first := b.senders.Len() == 0 || b.senders.Front() == place
		if err == nil && first && len(left) > 0 {
			if place == nil {
				left = b.addLocked(left, also)
			} else {
				b.serveLocked(place)
				left = place.Value.left
			}
			if b.log.sent > before {
				asleep, late = b.sleepers.take(), b.lateLocked()
			}
		}
		over := err != nil || len(left) == 0
		wait := false
		var gone []*Subscription[T]
		var done <-chan struct{}
		switch {
		case over && place != nil:
			if b.senders.Remove(place); first {
				b.wakeSenderLocked()
			}
		case over:
		default:
			// The first in line waits for subscriptions, the others for the first.
			if wait = !first; first {
				if gone = b.gate.expired(); len(gone) > 0 {
					break
				}
				done, wait = b.gate.watch(b.log.sent - b.log.capacity + 1)
			}
			if wait && place == nil {
				place = b.senders.PushBack(&sender[T]{left, also, make(chan struct{}, 1)})
			}
		}
		b.mu.Unlock()
		b.wake(asleep)
		b.lag.tell(late)
		rouse(also)
		b.evict(gone)
		switch {
		case over:
			return len(vs) - len(left), err
		case wait:
			sched.ParkCtxOr(ctx, place.Value.ready, done) // what has ended is seen above
		}
	}
}

// addLocked sends what there is room for and returns the rest. That is at most
// the capacity at a time: then readers that were asleep get a chance before they
// miss something.
func (b *Broadcast[T]) addLocked(vs []T, also []*Broadcast[T]) (left []T) {
	n := int(min(b.roomLocked(), uint64(len(vs))))
	if n > 0 {
		b.log.addAll(vs[:n])
		mirror(also, vs[:n]...)
	}
	return vs[n:]
}

// serveLocked sends what there is room for of what all in line have, in their
// order, and takes those that have nothing left out of the line, but for the
// first.
func (b *Broadcast[T]) serveLocked(first *fifo.Node[*sender[T]]) {
	for node := first; node != nil; {
		s, next := node.Value, node.Next()
		if s.left = b.addLocked(s.left, s.also); len(s.left) > 0 {
			return
		}
		if node != first {
			b.senders.Remove(node)
			sched.Signal(s.ready)
		}
		node = next
	}
}

// evict ends Block subscriptions whose context has ended, before anything is sent
// that they would have been waited for.
func (b *Broadcast[T]) evict(gone []*Subscription[T]) {
	for _, s := range gone {
		s.expire()
		b.ungate(s) // whoever has ended it may not have come to that yet
	}
}

// ungate takes a Block subscription that has ended out of the way of senders.
func (b *Broadcast[T]) ungate(s *Subscription[T]) {
	b.mu.Lock()
	if s.index >= 0 {
		b.gate.unmark(s)
		b.gate.remove(s)
		b.wakeSenderLocked()
	}
	b.mu.Unlock()
}

// wakeSenderLocked lets the first sender in line look again.
func (b *Broadcast[T]) wakeSenderLocked() {
	if n := b.senders.Front(); n != nil {
		sched.Signal(n.Value.ready)
	}
}
