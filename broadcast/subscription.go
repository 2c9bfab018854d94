package broadcast

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"weak"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Subscription reads the values of a [Broadcast], at its own pace. It is made by
// [Broadcast.Subscribe], must not be copied, and is safe for concurrent use.
// Several goroutines may read from one: each value goes to one of them.
type Subscription[T any] struct {
	// pos is the number of the value that is read next, times 2, and the bit closed
	// once the subscription has ended. Readers move it by CompareAndSwap.
	pos    sched.Uint64
	marked sched.Bool // a sender waits for pos to move; written under Broadcast.mu
	first  uint64     // the first value that could be read when the subscription was made, if pos is lower
	lagged uint64     // how many values had been sent when the lag handler was last told, 0 if that is over; Broadcast.mu
	until  uint64     // how many had been sent when a sender found that it has ended, 0 if none did; Broadcast.mu

	capacity uint64
	policy   OverflowPolicy
	name     string
	caller   string          // where it was made, if the broadcast records that
	done     <-chan struct{} // of its context; nil if it has none that can end

	mu        sched.Mutex
	b         *Broadcast[T] // these three are nil once it has ended
	ctx       context.Context
	leave     func()            // ends the watch on ctx, and more, see watch
	held      uint64            // readers may take the values from pos to held without the lock
	chunk     *chunk[T]         // where the value before held is, nil if it is to be looked for
	delivered uint64            // up to held
	missed    uint64            // up to held
	passed    loss              // of the holes, those up to held
	final     SubscriptionStats // the figures when it ended
	err       error             // why it has ended, nil while it is open
	gone      chan struct{}     // closed when it ends; nil until someone waits for that
	forwarder *forwarder        // of Chan, nil before
}

// Next waits for the next value and returns it. Where values are missing it
// returns a *GapError first, and the value in the next call. It returns
// ErrClosed at the end, ErrSlow if the subscription was disconnected, or the
// cause of ctx. It panics if ctx is nil.
func (s *Subscription[T]) Next(ctx context.Context) (T, error) {
	ctxselect.Require(ctx, "broadcast: Next")
	s.require("broadcast: Next")
	var v [1]T
	_, err := s.read(ctx, v[:])
	return v[0], err
}

// NextBatch waits for at least one value, copies the values that are there into dst, and
// returns how many. Its errors are those of Next, with 0 values. It
// panics if ctx is nil, and if dst has no room.
func (s *Subscription[T]) NextBatch(ctx context.Context, dst []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: NextBatch")
	s.require("broadcast: NextBatch")
	if len(dst) == 0 {
		panic("broadcast: NextBatch: destination must have room for a value, got none")
	}
	return s.read(ctx, dst)
}

// require panics if s is the zero Subscription.
func (s *Subscription[T]) require(call string) {
	misuse.Zero(s.capacity == 0, call, "Subscription", "Subscribe")
}

// Position returns the sequence number of the value that is to be read next, or
// that a gap begins with. The first value of a broadcast has number 0; that of a topic
// may have a larger one, see [Topics]. After Next has returned a value, or All has
// yielded one, and if no other goroutine reads, that one had the number Position() - 1. See
// [WithStart].
func (s *Subscription[T]) Position() uint64 {
	s.require("broadcast: Position")
	_ = s.expire()
	return s.at()
}

// at is Position.
func (s *Subscription[T]) at() uint64 { return s.pos.Load() / publishOne }

// needs returns the number of the first value that can still be read.
func (s *Subscription[T]) needs() uint64 { return max(s.at(), s.first) }

// Backlog returns how many values can be read now. Once the subscription has
// ended, it is how many were left unread.
func (s *Subscription[T]) Backlog() uint64 { return s.books("broadcast: Backlog").Backlog }

// Missed returns how many values are missing so far, those included that Next
// has not reported yet.
func (s *Subscription[T]) Missed() uint64 { return s.books("broadcast: Missed").Missed }

// books returns the figures of s, once it has ended those at its end.
func (s *Subscription[T]) books(call string) SubscriptionStats {
	s.require(call)
	_ = s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b == nil {
		return s.final
	}
	for {
		sent := s.b.log.published.Load() / publishOne
		st := s.statsLocked(sent)
		if s.b.log.first.Load().base <= sent { // or the log has moved on, and may have forgotten holes
			return st
		}
	}
}

// statsLocked returns the figures of s when sent have been sent. It is called while s
// is open, or as it ends.
func (s *Subscription[T]) statsLocked(sent uint64) SubscriptionStats {
	unread := s.held - s.at()
	next := s.resume(sent)
	all, _ := s.b.log.holes.Load().upTo(sent, sent)
	return SubscriptionStats{
		Name: s.name, Caller: s.caller,
		Delivered: s.delivered - unread,
		Missed:    s.missed + next - s.held + all.lost - s.passed.lost,
		Backlog:   unread + sent - next,
	}
}

// Close ends the subscription: its readers get ErrClosed, and senders that wait for it
// go on. Close waits for the goroutine of [Chan], if there is one, and returns nil.
func (s *Subscription[T]) Close() error {
	s.require("broadcast: Subscription.Close")
	_ = s.expire() // if its context has ended, that was first
	_ = s.close(ErrClosed)
	s.mu.Lock()
	f := s.forwarder
	s.mu.Unlock()
	if f != nil {
		sched.Opaque("Close waits for the goroutine of Chan")
		<-f.done
	}
	return nil
}

// watch closes s when its context has ended, and calls release, if not nil, when s has ended or
// was collected. Neither the context nor the release may keep s alive.
func (s *Subscription[T]) watch(ctx context.Context, release func()) {
	stop := func() bool { return true }
	if s.done != nil && !sched.Ended(s.done) { // otherwise it is this call that ends s
		p := weak.Make(s)
		stop = sched.AfterFunc(ctx, func() {
			if s := p.Value(); s != nil {
				_ = s.expire()
			}
		})
	}
	forgotten := func() {
		stop()
		if release != nil {
			release()
		}
	}
	cleanup := runtime.AddCleanup(s, func(forgotten func()) { forgotten() }, forgotten)
	leave := func() {
		cleanup.Stop()
		forgotten()
	}
	s.mu.Lock()
	over := s.b == nil
	if !over {
		s.leave = leave
	}
	s.mu.Unlock()
	if over {
		leave()
	}
	_ = s.expire()
}

// expire ends s if its context has ended, and then returns the reason. The context is asked
// without a lock, since it may be the caller's own.
func (s *Subscription[T]) expire() error {
	if !sched.Ended(s.done) {
		return nil
	}
	s.mu.Lock()
	ctx := s.ctx
	s.mu.Unlock()
	if ctx == nil {
		return s.err
	}
	return s.close(fmt.Errorf("%w: %w", ErrClosed, context.Cause(ctx)))
}

// over reports whether s has ended, or its context has.
func (s *Subscription[T]) over() bool {
	return s.pos.Load()&closed != 0 || sched.Ended(s.done)
}

// close ends s, if it has not ended, lets go of all that it refers to, and wakes its readers. It
// returns the reason why s has ended.
func (s *Subscription[T]) close(why error) error {
	b := s.log()
	if b == nil {
		return s.err
	}
	b.mu.Lock()
	s.mu.Lock()
	if s.b == nil {
		s.mu.Unlock()
		b.mu.Unlock()
		return s.err
	}
	s.pos.Or(closed) // no reader takes anything from here on
	s.final = s.statsLocked(cmp.Or(s.until, b.log.sent))
	leave, gone := s.leave, s.gone
	s.err, s.b, s.ctx, s.leave, s.chunk = why, nil, nil, nil, nil
	s.mu.Unlock()
	served := false
	if s.policy == Block {
		b.blocking = slices.DeleteFunc(b.blocking, func(x *Subscription[T]) bool { return x == s })
		served = b.serveLocked()
	}
	b.mu.unlock(served)
	if gone != nil {
		sched.End(gone)
	}
	if leave != nil {
		leave()
	}
	return why
}

// log returns the broadcast of s, nil if s has ended.
func (s *Subscription[T]) log() *Broadcast[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b
}

// identity returns the broadcast of s, for comparison.
func (s *Subscription[T]) identity() any { return s.log() }
