package broadcast

import (
	"context"
	"slices"
	"weak"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/sched"
)

// How a broadcast works.
//
// The data is a log: a chain of chunks of typed values, to which senders append
// under one lock, mu. Each value has a sequence number, and a slot is written
// once. One atomic addition to log.published makes it visible to all readers. A
// reader loads that word once for all that it takes, and then reads plainly:
// what it read before the addition can't change any more. (A ring that is
// overwritten would need a lock for readers, or be a data race.)
//
// A subscription is a cursor, the chunk that it points into, and books of its
// own, under a lock of its own that senders never take. What it has missed
// follows from the cursor and from how much was published, at any instant:
// everything before published - capacity. As the log moves on, chunks before
// that are cut off at both ends, so that a reader that has stalled holds the one
// it is in and no other; when it goes on, it finds the gap by its numbers, and
// its new place from log.first or log.last.
//
// Where values are missing in the log itself, see ReportGap, is in a list beside
// it, with sums. A subscription knows the sums that it has passed; as long as they
// are those of the whole list, there is nothing to look up.
//
// Subscriptions are known by weak pointers, for Stats only, so that a forgotten
// one is collected. Those that Block are known to the gate, too.
//
// Locks: Broadcast.mu is taken before Subscription.mu where both are, in Stats
// and when ended subscriptions are weeded out. Neither is held while a goroutine
// waits, is woken, or runs code of the user.
//
// Park and wake, readers. One that finds nothing puts its waiter on the list of
// sleepers, under mu and after it has looked at published, and at the holes, once
// more; a sender publishes and takes the list under mu, too, and so does who
// reports a gap. So one of them sees the other. The sender wakes them when mu is
// free. A reader looks again whenever it was woken; to be woken without reason is
// harmless. Closing a subscription signals the waiters that are linked to it, which
// happens under its lock, at which they saw that it was open.
//
// Park and wake, senders. One that finds no room lines up, with a channel of its
// own and what it has to send; only the first in line looks for room. It waits for
// the cursors in the way, see gate. When there is room it sends for all in line, as
// far as it goes, and wakes those who have nothing left: were each to send its own
// and wake the next one, a line that has formed once would never end, as those who
// are through come back for more, and each value would cost a wake-up. Whoever
// leaves the line wakes the one that is the first then.
//
// Contexts. That the context of a subscription has ended is seen at its channel, which
// can be asked under any lock: by a reader after it has loaded published, so that it
// takes nothing that was sent after the end, and by a sender before it waits. Neither
// relies on sched.AfterFunc, which runs on a goroutine of its own, some time later.
// It wakes readers that are parked, and does what nobody else comes by to do. Whoever
// sees the end calls expire when it holds no lock, as the cause is the context's to
// tell. A sender ends a subscription so before it sends what that one would have been
// waited for: the books of a Block subscription have no gap.

// A Broadcast sends values of type T to its subscriptions. It is made by [New],
// must not be copied, and is safe for concurrent use.
type Broadcast[T any] struct {
	mu       sched.Mutex
	gate     gate[T]
	sleepers sleepers
	senders  fifo.List[*sender[T]]           // those that wait for room
	subs     []weak.Pointer[Subscription[T]] // in the order of Subscribe; some ended
	log      log[T]
}

// New returns a broadcast without subscriptions.
func New[T any](opts ...Option) *Broadcast[T] { return newFrom[T](0, opts) }

// newFrom is New of a broadcast whose first value has number start.
func newFrom[T any](start uint64, opts []Option) *Broadcast[T] {
	o := options{capacity: defaultCapacity}
	for _, opt := range opts {
		opt(&o)
	}
	b := new(Broadcast[T])
	b.log.init(o.capacity, start)
	return b
}

// Send sends v to all subscriptions. It waits only while a Block subscription
// has no room, and returns nil once the value is sent, or ErrClosed or the cause
// of ctx, and then nobody will see it. It panics if ctx is nil.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	ctxselect.Require(ctx, "broadcast: Send")
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	err := b.trySend(v)
	if err == ErrFull {
		b.require("Send")
		_, err = b.sendWaiting(ctx, []T{v})
	}
	return err
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (b *Broadcast[T]) TrySend(v T) error {
	err := b.trySend(v)
	if err == ErrFull {
		b.require("TrySend")
	}
	return err
}

func (b *Broadcast[T]) trySend(v T) error {
	for {
		b.mu.Lock()
		switch {
		case b.closedLocked():
			b.mu.Unlock()
			return ErrClosed
		case b.senders.Len() > 0 || b.roomLocked() == 0:
			gone := b.gate.expired()
			b.mu.Unlock()
			if len(gone) == 0 {
				return ErrFull
			}
			b.evict(gone)
			continue
		}
		b.log.add(v)
		asleep := b.sleepers.take()
		b.mu.Unlock()
		b.wake(asleep)
		return nil
	}
}

// SendBatch is Send for several values, in order. It returns how many were sent;
// if that is not all, the error says why. Values of other senders may come
// between, where it had to wait or the batch is larger than the capacity. It
// does not keep vs. It panics if ctx is nil.
func (b *Broadcast[T]) SendBatch(ctx context.Context, vs []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: SendBatch")
	b.require("SendBatch")
	return b.sendWaiting(ctx, vs)
}

// require panics if b is the zero Broadcast. That has no room, so it is enough to
// ask when there is none.
func (b *Broadcast[T]) require(call string) {
	if b.log.capacity == 0 {
		panic("broadcast: " + call + ": the zero Broadcast is not usable, make one with New")
	}
}

func (b *Broadcast[T]) closedLocked() bool { return b.log.published.Load()&closed != 0 }

// roomLocked returns how many values can be sent at once.
func (b *Broadcast[T]) roomLocked() uint64 { return b.gate.room(b.log.sent, b.log.capacity) }

// passed is called when a marked cursor has moved.
func (b *Broadcast[T]) passed(c *cursor) {
	b.mu.Lock()
	if b.gate.unmark(c) {
		b.wakeSenderLocked()
	}
	b.mu.Unlock()
}

// wake wakes readers that were asleep.
func (b *Broadcast[T]) wake(asleep []*waiter) {
	if len(asleep) == 0 {
		return
	}
	wakeAll(asleep)
	b.mu.Lock()
	b.sleepers.giveBack(asleep)
	b.mu.Unlock()
}

// sleep puts w among the sleepers, unless there is something behind cursor, a
// gap that has not been passed, or the end. It reports whether it did.
func (b *Broadcast[T]) sleep(w *waiter, cursor uint64, passed tally) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.log.published.Load() != cursor*publishOne || b.log.holes.Load().all() != passed {
		return false
	}
	b.sleepers.push(w)
	return true
}

// unsleep takes w from among the sleepers.
func (b *Broadcast[T]) unsleep(w *waiter) {
	b.mu.Lock()
	b.sleepers.remove(w)
	b.mu.Unlock()
}

// Subscribe returns a new subscription to what is sent from now on. It returns
// ErrClosed when the broadcast is closed.
func (b *Broadcast[T]) Subscribe(opts ...SubscribeOption) (*Subscription[T], error) {
	b.require("Subscribe")
	return b.subscribe(nil, opts)
}

// subscribe is Subscribe; release, if not nil, is called once when the subscription
// has ended or was collected. It must not refer to the subscription.
func (b *Broadcast[T]) subscribe(release func(), opts []SubscribeOption) (*Subscription[T], error) {
	var o subscribeOptions
	for _, opt := range opts {
		opt(&o)
	}
	s := &Subscription[T]{b: b, capacity: b.log.capacity, policy: o.policy, name: o.name, ctx: o.ctx, release: release}
	if o.ctx != nil {
		s.done = o.ctx.Done()
	}
	if o.policy == Block {
		s.block = new(cursor)
	}
	b.mu.Lock()
	if o.closed != nil {
		*o.closed = b.closedLocked()
	} else if b.closedLocked() {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	oldest := b.log.back(b.log.capacity)
	s.cursor = max(oldest, b.log.back(uint64(o.replay)))
	if o.from != nil {
		s.cursor = min(max(*o.from, b.log.start), b.log.sent) // what is gone already is a gap
		s.passed = b.log.holes.Load().before(s.cursor)
		switch { // where this broadcast has never been, something is missing: see From
		case *o.from < b.log.start:
			s.passed = s.passed.minus(tally{lost: 1, unknown: 1})
		case *o.from > b.log.sent:
			s.passed = s.passed.minus(tally{unknown: 1})
		}
	} else {
		s.passed = b.log.holes.Load().upTo(s.cursor)
	}
	if s.cursor == b.log.sent {
		s.chunk = b.log.tail
	}
	if s.block != nil {
		s.block.pos.Store(max(oldest, s.cursor))
		b.gate.add(s)
	}
	if len(b.subs) == cap(b.subs) {
		b.weedLocked() // rather than grow
	}
	b.subs = append(b.subs, weak.Make(s))
	b.mu.Unlock()
	if s.done != nil || release != nil {
		s.watch(o.ctx, release)
	}
	return s, nil
}

// weedLocked forgets subscriptions that have ended or were collected.
func (b *Broadcast[T]) weedLocked() {
	b.subs = slices.DeleteFunc(b.subs, func(p weak.Pointer[Subscription[T]]) bool {
		s := p.Value()
		return s == nil || s.over()
	})
}

// Close ends the broadcast: nothing more is sent, senders that wait get
// ErrClosed, and subscribers get it once they have read what is left. It does
// not wait for them, and returns nil.
func (b *Broadcast[T]) Close() error {
	b.mu.Lock()
	b.log.published.Or(closed)
	b.wakeSenderLocked()
	asleep := b.sleepers.take()
	b.mu.Unlock()
	b.wake(asleep)
	return nil
}
