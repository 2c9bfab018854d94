package broadcast

import (
	"context"
	"slices"
	"weak"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
	"github.com/tandemgo/tandem/internal/sched"
)

// ARCHITECTURE.md says how a broadcast works, and which lock guards which state.

// A Broadcast sends values of type T to its subscriptions. It is made by [New],
// must not be copied, and is safe for concurrent use.
type Broadcast[T any] struct {
	mu       sched.Mutex
	gate     gate[T]
	sleepers sleepers
	senders  fifo.List[*sender[T]]           // those that wait for room
	subs     []weak.Pointer[Subscription[T]] // in the order of Subscribe; some ended
	log      log[T]
	lag      lag
	traced   bool // whether subscriptions record where they were made
}

// New returns a broadcast without subscriptions.
func New[T any](opts ...Option) *Broadcast[T] { return newFrom[T](0, opts) }

// newFrom is New of a broadcast whose first value has number start.
func newFrom[T any](start uint64, opts []Option) *Broadcast[T] {
	o := options{capacity: defaultCapacity}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	b := &Broadcast[T]{lag: lag{handler: o.lag}, traced: o.traced}
	b.log.init(o.capacity, start)
	return b
}

// Send sends v to all subscriptions. It waits only while a Block subscription
// has no room, and returns nil once the value is sent, or ErrClosed or the cause
// of ctx, and then no subscription sees it. It panics if ctx is nil.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	ctxselect.Require(ctx, "broadcast: Send")
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	return b.send(ctx, v, nil)
}

// send is Send, also to others, see mirror.
func (b *Broadcast[T]) send(ctx context.Context, v T, also []*Broadcast[T]) error {
	err := b.trySend(v, also)
	if err == ErrFull {
		b.require("Send")
		_, err = b.sendWaiting(ctx, []T{v}, also)
	}
	return err
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (b *Broadcast[T]) TrySend(v T) error {
	err := b.trySend(v, nil)
	if err == ErrFull {
		b.require("TrySend")
	}
	return err
}

func (b *Broadcast[T]) trySend(v T, also []*Broadcast[T]) error {
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
		if also != nil {
			mirror(also, v)
		}
		asleep := b.sleepers.take()
		var slow []late
		if b.lag.handler != nil {
			slow = b.lateLocked()
		}
		b.mu.Unlock()
		b.wake(asleep)
		if slow != nil || also != nil {
			b.lag.tell(slow)
			rouse(also)
		}
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
	return b.sendWaiting(ctx, vs, nil)
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

// passed is called when a marked subscription has moved.
func (b *Broadcast[T]) passed(s *Subscription[T]) {
	b.mu.Lock()
	if b.gate.unmark(s) {
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
	return b.subscribe(nil, parse(opts))
}

// subscribe is Subscribe; release, if not nil, is called once when the subscription
// has ended or was collected. It must not refer to the subscription.
func (b *Broadcast[T]) subscribe(release func(), o subscribeOptions) (*Subscription[T], error) {
	s := &Subscription[T]{cursor: &cursor{index: -1}, b: b, capacity: b.log.capacity, policy: o.policy, name: o.name, ctx: o.ctx, release: release}
	if o.ctx != nil {
		s.done = o.ctx.Done()
	}
	if o.policy == Grow {
		s.capacity = uint64(o.most)
		if o.most == 0 {
			s.capacity = growth * b.log.capacity
		}
	}
	if b.traced {
		s.caller = caller()
	}
	b.mu.Lock()
	if o.closed != nil {
		*o.closed = b.closedLocked()
	} else if b.closedLocked() {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	s.startLocked(&b.log, o)
	switch o.policy {
	case Block:
		b.gate.add(s)
	case Grow:
		b.log.growing = append(b.log.growing, weak.Make(s))
	}
	if len(b.subs) == cap(b.subs) {
		b.weedLocked() // rather than grow
	}
	b.subs = append(b.subs, weak.Make(s))
	b.lag.look = 0 // it may begin far behind
	b.mu.Unlock()
	if s.done != nil || release != nil {
		s.watch(o.ctx, release)
	}
	return s, nil
}

// startLocked sets where s begins.
func (s *Subscription[T]) startLocked(l *log[T], o subscribeOptions) {
	s.first = l.back(l.capacity)
	s.held = max(s.first, l.back(uint64(o.replay)))
	s.passed = l.holes.Load().upTo(s.held)
	if o.start != nil {
		s.held = min(max(*o.start, l.start), l.sent) // what is gone already is a gap
		s.passed = l.holes.Load().before(s.held)
		switch { // where this broadcast has never been, something is missing: see WithStart
		case *o.start < l.start:
			s.passed = s.passed.minus(tally{lost: 1, unknown: 1})
		case *o.start > l.sent:
			s.passed = s.passed.minus(tally{unknown: 1})
		}
	}
	if s.held < s.first && o.policy == SkipToLatest {
		s.first = l.sent - 1
	}
	s.pos.Store(s.held * publishOne)
	if s.held == l.sent {
		s.chunk = l.tail
	}
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
