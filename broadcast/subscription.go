package broadcast

import (
	"context"
	"fmt"
	"runtime"
	"weak"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/sched"
)

// A cursor is what a sender reads of a Block subscription. It is allocated apart, since
// a sender may look at thousands of them, and readers write what is beside it.
type cursor struct {
	// pos is the number of the value that is read next, times 2, and the bit closed
	// once the subscription has ended. Readers move it by CompareAndSwap.
	pos   sched.Uint64
	first uint64     // what could be read when the subscription was made begins here, if pos is lower
	lags  sched.Bool // a sender waits for pos to move; written under Broadcast.mu
	index int32      // in the gate, -1 when it is not there; Broadcast.mu
}

// A Subscription reads what a [Broadcast] sends, at its own pace. It is made by
// [Broadcast.Subscribe], must not be copied, and is safe for concurrent use.
// Several goroutines may read from one: each value goes to one of them.
type Subscription[T any] struct {
	*cursor
	lagged uint64 // what had been sent when the lag handler was last told, 0 if that is over; Broadcast.mu

	capacity uint64
	policy   OverflowPolicy
	name     string
	caller   string          // where it was made, if the broadcast records that
	done     <-chan struct{} // of its context; nil if it has none that can end

	mu        sched.Mutex
	b         *Broadcast[T] // these five are nil once settle has been called
	ctx       context.Context
	stop      func() bool // ends the watch on ctx
	release   func()      // is called when it has ended
	cleanup   runtime.Cleanup
	held      uint64    // readers may take the values from pos to held without the lock
	chunk     *chunk[T] // where the value before held is, nil if it is to be looked for
	delivered uint64    // up to held
	missed    uint64    // up to held
	passed    tally     // of the holes, those up to held
	left      uint64    // the backlog when the subscription ended
	err       error     // why it has ended, nil while it is open
	patience  patience
	spare     *waiter    // for the next reader that parks
	parked    *waiter    // the readers that are parked, linked by peer
	forwarder *forwarder // of Chan, nil before
}

// Next waits for the next value and returns it. Where values are missing it
// returns a *GapError first, and the value in the next call. It returns
// ErrClosed at the end, ErrSlow if the subscription was disconnected, or the
// cause of ctx. It panics if ctx is nil.
func (s *Subscription[T]) Next(ctx context.Context) (T, error) {
	ctxselect.Require(ctx, "broadcast: Next")
	var v [1]T
	_, err := s.read(ctx, v[:])
	return v[0], err
}

// NextBatch waits for at least one value, puts what is there into dst, and
// returns how many that are. Its errors are those of Next, with 0 values. It
// panics if ctx is nil, and if dst has no room.
func (s *Subscription[T]) NextBatch(ctx context.Context, dst []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: NextBatch")
	if len(dst) == 0 {
		panic("broadcast: NextBatch: destination must have room for a value, got none")
	}
	return s.read(ctx, dst)
}

// Position returns the sequence number of the value that is to be read next, or
// that a gap begins with. The first value of a broadcast has number 0; that of a topic
// may have a larger one, see [Topics]. After Next has returned a value, or All has
// yielded one, and if no other goroutine reads, that one had the number Position() - 1. See
// [WithStart].
func (s *Subscription[T]) Position() uint64 {
	s.expire()
	return s.at()
}

// at is Position.
func (c *cursor) at() uint64 { return c.pos.Load() / publishOne }

// needs returns the number of the first value that can still be read.
func (c *cursor) needs() uint64 { return max(c.at(), c.first) }

// Backlog returns how many values can be read now. Once the subscription has
// ended, it is how many were left unread.
func (s *Subscription[T]) Backlog() uint64 {
	_, backlog := s.books()
	return backlog
}

// Missed returns how many values are missing so far, those included that Next
// has not reported yet.
func (s *Subscription[T]) Missed() uint64 {
	missed, _ := s.books()
	return missed
}

// books returns how many values s has missed and how many it can read.
func (s *Subscription[T]) books() (missed, backlog uint64) {
	s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.missed, s.left // as it was left
	}
	st := s.statsLocked(s.b.log.published.Load() / publishOne)
	return st.Missed, st.Backlog
}

// Close ends the subscription: its readers get ErrClosed, and senders that wait for it
// go on. Close waits for the goroutine of [Chan], if there is one, and returns nil.
func (s *Subscription[T]) Close() error {
	s.expire() // if its context has ended, that was first
	s.close(ErrClosed)
	s.mu.Lock()
	f := s.forwarder
	s.mu.Unlock()
	if f != nil {
		sched.Opaque("Close waits for the goroutine of Chan")
		<-f.done
	}
	return nil
}

// watch closes s when its context has ended, and releases what s holds when it is
// collected. Neither the context nor the release may keep s alive.
func (s *Subscription[T]) watch(ctx context.Context, release func()) {
	if sched.Ended(s.done) {
		s.expire()
		return
	}
	stop := func() bool { return true }
	if s.done != nil {
		p := weak.Make(s)
		stop = sched.AfterFunc(ctx, func() {
			if s := p.Value(); s != nil {
				s.expire()
			}
		})
	}
	cleanup := runtime.AddCleanup(s, func(release func()) {
		stop()
		if release != nil {
			release()
		}
	}, release)
	s.mu.Lock()
	over := s.err != nil
	if !over {
		s.stop, s.cleanup = stop, cleanup
	}
	s.mu.Unlock()
	if over {
		cleanup.Stop()
		stop()
	}
}

// expire ends s if its context has ended. The context is asked without a lock,
// since it may be the caller's own.
func (s *Subscription[T]) expire() {
	if !sched.Ended(s.done) {
		return
	}
	s.mu.Lock()
	ctx := s.ctx
	s.mu.Unlock()
	if ctx != nil {
		s.close(fmt.Errorf("%w: %w", ErrClosed, context.Cause(ctx)))
	}
}

// over reports whether s has ended, or its context has.
func (s *Subscription[T]) over() bool {
	return s.pos.Load()&closed != 0 || sched.Ended(s.done)
}

// close ends s, if it has not ended, and wakes its readers.
func (s *Subscription[T]) close(why error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.endLocked(why, s.b.log.published.Load()/publishOne)
	}
	s.mu.Unlock()
	if first {
		s.settle()
	}
}

// endLocked ends s when sent values have been sent. The caller calls settle then.
func (s *Subscription[T]) endLocked(why error, sent uint64) {
	s.pos.Or(closed) // no reader takes anything from here on
	st := s.statsLocked(sent)
	s.missed, s.left = st.Missed, st.Backlog
	s.err, s.chunk = why, nil
}

// settle does what is to be done once, outside of the lock, when s has ended. From
// then on s keeps nothing alive.
func (s *Subscription[T]) settle() {
	s.mu.Lock()
	if s.b == nil {
		s.mu.Unlock()
		return
	}
	b, stop, release, cleanup, f := s.b, s.stop, s.release, s.cleanup, s.forwarder
	s.b, s.ctx, s.stop, s.release, s.cleanup = nil, nil, nil, nil, runtime.Cleanup{}
	for w := s.parked; w != nil; w = w.peer {
		sched.Signal(w.wake) // does not block
	}
	s.mu.Unlock()
	cleanup.Stop()
	if s.policy == Block {
		b.ungate(s)
	}
	if stop != nil {
		stop()
	}
	if f != nil {
		sched.Cancel(f.cancel)
	}
	if release != nil {
		release()
	}
}

// log returns b, nil if s has ended.
func (s *Subscription[T]) log() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b == nil {
		return nil
	}
	return s.b
}
