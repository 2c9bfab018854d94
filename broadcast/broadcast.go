package broadcast

import (
	"cmp"
	"slices"
	"weak"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// How a broadcast works, and which lock guards which state, is in ARCHITECTURE.md.

// A Broadcast sends values of type T to its subscriptions. It is made by [New],
// must not be copied, and is safe for concurrent use.
type Broadcast[T any] struct {
	mu       monitor                         // readers sleep until something is sent
	senders  []*sender[T]                    // those that wait for room, in line
	blocking []*Subscription[T]              // the Block subscriptions
	limit    uint64                          // they have room for the values before this number
	subs     []weak.Pointer[Subscription[T]] // in the order of Subscribe; some ended
	grows    bool                            // there may be a Grow subscription
	look     uint64                          // the number of values sent at which to look for late subscriptions
	tend     uint64                          // the number of values sent at which to call tendLocked
	log      log[T]
	lag      func(name string, backlog uint64) // of WithLagHandler, or nil
	traced   bool                              // whether subscriptions record where they were made
}

// New returns a broadcast without subscriptions.
func New[T any](opts ...Option) *Broadcast[T] { return newFrom[T](0, opts) }

// newFrom is New of a broadcast whose first value has number start.
func newFrom[T any](start uint64, opts []Option) *Broadcast[T] {
	o := apply(options{capacity: defaultCapacity}, opts)
	b := &Broadcast[T]{lag: o.lag, traced: o.traced}
	b.log.init(o.capacity, start)
	return b
}

// require panics if b is the zero Broadcast.
func (b *Broadcast[T]) require(call string) {
	misuse.Zero(b.log.capacity == 0, call, "Broadcast", "New")
}

func (b *Broadcast[T]) closedLocked() bool { return b.log.published.Load()&closed != 0 }

// news returns the channel that a reader parks on until there is something behind cursor, a
// gap that has not been passed, or the end. It returns nil if there is.
func (b *Broadcast[T]) news(cursor uint64, passed loss) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.log.published.Load() != cursor*publishOne || b.log.holes.Load().all() != passed {
		return nil
	}
	return b.mu.sleepLocked()
}

// Subscribe returns a new subscription to the values sent from now on. It returns
// ErrClosed when the broadcast is closed.
func (b *Broadcast[T]) Subscribe(opts ...SubscribeOption) (*Subscription[T], error) {
	b.require("broadcast: Subscribe")
	return b.subscribe(nil, apply(subscribeOptions{}, opts))
}

// subscribe is Subscribe; release, if not nil, is called once when the subscription
// has ended or was collected. It must not refer to the subscription.
func (b *Broadcast[T]) subscribe(release func(), o subscribeOptions) (*Subscription[T], error) {
	s := &Subscription[T]{b: b, capacity: b.log.capacity, policy: o.policy, name: o.name, ctx: o.ctx}
	if o.ctx != nil {
		s.done = o.ctx.Done()
	}
	if o.policy == Grow {
		s.capacity = cmp.Or(uint64(o.most), growth*min(b.log.capacity, 1<<57))
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
	if o.policy == Block {
		b.blocking = append(b.blocking, s)
		b.limit = min(b.limit, s.needs()+b.log.capacity)
	}
	if len(b.subs) == cap(b.subs) { // rather than let them grow
		b.openLocked()
	}
	b.subs = append(b.subs, weak.Make(s))
	b.grows = b.grows || o.policy == Grow
	b.look, b.tend = 0, 0 // it may begin far behind
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
	s.passed, _ = l.holes.Load().upTo(s.held, s.held)
	if o.start != nil {
		s.held = min(max(*o.start, l.start), l.sent) // what is gone already is a gap
		s.passed = loss{}
		if s.held > 0 { // it may not know of a hole right there
			s.passed, _ = l.holes.Load().upTo(s.held-1, s.held)
		}
		switch { // where this broadcast has never been, something is missing: see WithStart
		case *o.start < l.start:
			s.passed = s.passed.minus(loss{lost: 1, unknown: 1})
		case *o.start > l.sent:
			s.passed = s.passed.minus(loss{unknown: 1})
		}
	}
	if s.held < s.first && o.policy == SkipToLatest {
		s.first = l.sent - 1
	}
	s.pos.Store(s.held * publishOne)
}

// openLocked returns the subscriptions that are open, and forgets those that have ended or
// were collected.
func (b *Broadcast[T]) openLocked() (open []*Subscription[T]) {
	b.subs = slices.DeleteFunc(b.subs, func(p weak.Pointer[Subscription[T]]) bool {
		s := p.Value()
		if s == nil || s.over() {
			return true
		}
		open = append(open, s)
		return false
	})
	return open
}

// Close ends the broadcast: nothing more is sent, senders that wait get
// ErrClosed, and subscribers get it once they have read their backlog. It does
// not wait for them, and returns nil.
func (b *Broadcast[T]) Close() error {
	b.require("broadcast: Close")
	b.mu.Lock()
	b.log.published.Or(closed)
	for _, x := range b.senders {
		sched.Signal(x.served)
	}
	b.senders = nil
	b.mu.unlock(true)
	return nil
}
