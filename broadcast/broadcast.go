package broadcast

import (
	"context"
	"iter"
	"math"
	"slices"
	"sync"
	"weak"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/fifo"
)

// A Broadcast sends values of type T to its subscriptions. It is made by [New].
//
// How it works. One lock guards the log and all cursors. A subscription is a
// cursor into the log; what it has missed follows from where the log begins.
// Subscriptions are known by weak pointers, for Stats only, so that a forgotten
// one is collected; those that Block are known by strong ones as well. The
// smallest of their cursors is cached, and looked for again only when that one
// would be in the way.
//
// Park and wake. A reader that finds nothing puts a channel of capacity 1, of
// its own, on the list of sleepers, under the lock at which it found nothing;
// Send takes the whole list and wakes them with the lock free. A woken reader
// looks again. A sender that finds no room lines up with such a channel; whoever
// makes room wakes the first in line, which looks again, and when it leaves,
// granted or not, wakes the next.
type Broadcast[T any] struct {
	mu       sync.Mutex
	log      log[T]
	closed   bool
	sleepers fifo.List[chan struct{}]
	senders  fifo.List[chan struct{}]
	subs     []weak.Pointer[Subscription[T]] // in the order of Subscribe; some ended
	blocking map[*Subscription[T]]struct{}
	lowest   uint64 // no cursor of blocking is lower
}

// New returns a broadcast without subscriptions.
func New[T any](opts ...Option) *Broadcast[T] {
	o := options{capacity: defaultCapacity}
	for _, opt := range opts {
		opt(&o)
	}
	return &Broadcast[T]{
		log:      log[T]{capacity: uint64(o.capacity)},
		blocking: map[*Subscription[T]]struct{}{},
	}
}

// Send sends v to all subscriptions. It waits only while a Block subscription
// has no room, and returns nil once the value is sent, or ErrClosed or the cause
// of ctx, and then nobody will see it.
func (b *Broadcast[T]) Send(ctx context.Context, v T) error {
	ctxselect.Require(ctx, "broadcast: Send")
	_, err := b.send(ctx, []T{v})
	return err
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (b *Broadcast[T]) TrySend(v T) error {
	b.mu.Lock()
	switch {
	case b.closed:
		b.mu.Unlock()
		return ErrClosed
	case b.senders.Len() > 0 || !b.hasRoomLocked():
		b.mu.Unlock()
		return ErrFull
	}
	b.log.add(v)
	wake := b.sleepers.Take()
	b.mu.Unlock()
	wakeAll(wake)
	return nil
}

// SendBatch is Send for several values, in order. It returns how many were sent;
// if that is not all, the error says why.
func (b *Broadcast[T]) SendBatch(ctx context.Context, vs []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: SendBatch")
	return b.send(ctx, vs)
}

func (b *Broadcast[T]) send(ctx context.Context, vs []T) (sent int, err error) {
	var line *fifo.Node[chan struct{}] // our place among the senders that wait
	for {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		b.mu.Lock()
		if b.closed && err == nil {
			err = ErrClosed
		}
		first := b.senders.Len() == 0 || b.senders.Front() == line
		before := sent
		for err == nil && first && sent < len(vs) && b.hasRoomLocked() {
			b.log.add(vs[sent])
			sent++
		}
		over := err != nil || sent == len(vs)
		switch {
		case !over && line == nil:
			line = b.senders.PushBack(make(chan struct{}, 1))
		case over && line != nil:
			b.senders.Remove(line)
			b.wakeSenderLocked()
		}
		var wake iter.Seq[chan struct{}] = noSleepers
		if sent > before {
			wake = b.sleepers.Take()
		}
		b.mu.Unlock()
		wakeAll(wake)
		if over {
			return sent, err
		}
		_, _, _ = ctxselect.Recv(ctx, line.Value) // an ended context is seen above
	}
}

// hasRoomLocked reports whether no Block subscription is in the way.
func (b *Broadcast[T]) hasRoomLocked() bool {
	if len(b.blocking) == 0 || b.log.tail-b.lowest < b.log.capacity {
		return true
	}
	b.lowest = math.MaxUint64
	for s := range b.blocking {
		b.lowest = min(b.lowest, s.cursor)
	}
	return b.log.tail-b.lowest < b.log.capacity
}

// wakeSenderLocked lets the first sender in line look again.
func (b *Broadcast[T]) wakeSenderLocked() {
	if n := b.senders.Front(); n != nil {
		ctxselect.Signal(n.Value)
	}
}

// Subscribe returns a new subscription to what is sent from now on. It returns
// ErrClosed when the broadcast is closed.
func (b *Broadcast[T]) Subscribe(opts ...SubscribeOption) (*Subscription[T], error) {
	var o subscribeOptions
	for _, opt := range opts {
		opt(&o)
	}
	s := &Subscription[T]{b: b, policy: o.policy, name: o.name}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	s.cursor = b.log.tail - min(uint64(o.replay), b.log.tail-b.log.head)
	if o.policy == Block {
		if len(b.blocking) == 0 {
			b.lowest = s.cursor
		}
		b.lowest = min(b.lowest, s.cursor)
		b.blocking[s] = struct{}{}
	}
	if len(b.subs) == cap(b.subs) {
		b.purgeLocked() // rather than grow
	}
	b.subs = append(b.subs, weak.Make(s))
	b.mu.Unlock()
	if o.ctx != nil {
		stop := context.AfterFunc(o.ctx, func() { s.close(closedBy(o.ctx)) })
		b.mu.Lock()
		s.stop = stop
		over := s.err != nil
		b.mu.Unlock()
		if over {
			stop()
		}
	}
	return s, nil
}

// purgeLocked forgets subscriptions that have ended or were collected.
func (b *Broadcast[T]) purgeLocked() {
	b.subs = slices.DeleteFunc(b.subs, func(p weak.Pointer[Subscription[T]]) bool {
		s := p.Value()
		return s == nil || s.err != nil
	})
}

// Close ends the broadcast: nothing more is sent, senders that wait get
// ErrClosed, and subscribers get it once they have read what is left. It does
// not wait for them, and returns nil.
func (b *Broadcast[T]) Close() error {
	b.mu.Lock()
	b.closed = true
	b.wakeSenderLocked()
	wake := b.sleepers.Take()
	b.mu.Unlock()
	wakeAll(wake)
	return nil
}

// Stats is a snapshot of a broadcast, taken at one instant.
type Stats struct {
	Sent          uint64 // values sent so far
	Retained      int    // of these, in memory
	Subscriptions []SubscriptionStats
}

// SubscriptionStats is where one subscription is. Delivered + Missed + Backlog is
// what was sent since it subscribed, and what it was replayed.
type SubscriptionStats struct {
	Name      string
	Delivered uint64
	Missed    uint64
	Backlog   uint64
}

// Stats returns a consistent snapshot, with the subscriptions that are open in
// the order in which they were made. It takes time in proportion to their
// number.
func (b *Broadcast[T]) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.purgeLocked()
	st := Stats{Sent: b.log.tail, Retained: int(b.log.tail - b.log.head)}
	for _, p := range b.subs {
		if s := p.Value(); s != nil {
			missed, backlog := s.behindLocked()
			st.Subscriptions = append(st.Subscriptions, SubscriptionStats{s.name, s.delivered, missed, backlog})
		}
	}
	return st
}

func wakeAll(sleepers iter.Seq[chan struct{}]) {
	for ch := range sleepers {
		ctxselect.Signal(ch)
	}
}

func noSleepers(func(chan struct{}) bool) {}
