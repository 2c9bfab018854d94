package broadcast

import (
	"context"
	"fmt"
	"iter"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A Subscription reads what a [Broadcast] sends, at its own pace. It is made by
// [Broadcast.Subscribe]. Several goroutines may read from one: each value goes
// to one of them.
type Subscription[T any] struct {
	b      *Broadcast[T]
	policy Policy
	name   string

	// The following are guarded by b.mu.
	cursor    uint64 // next one to read
	delivered uint64
	missed    uint64      // up to cursor
	end       uint64      // the log's tail when the subscription ended
	err       error       // why it has ended, nil while it is open
	stop      func() bool // ends the watch on a context

	ch     chan T // of Chan, nil before
	cancel func() // ends the goroutine that feeds ch
	pumped chan struct{}
}

// behindLocked returns how many values s has missed and how many it can read. It
// is a function of the cursor and the log, and so exact at any instant.
func (s *Subscription[T]) behindLocked() (missed, backlog uint64) {
	if s.err != nil {
		return s.missed, s.end - s.cursor // as it was left
	}
	l := &s.b.log
	next := s.cursor
	if next < l.head {
		next = l.head
		switch s.policy {
		case SkipToLatest:
			next = l.tail - 1
		case Disconnect:
			next = l.tail
		}
	}
	return s.missed + next - s.cursor, l.tail - next
}

// readLocked puts what is there into dst and returns how much, or an error. It
// returns 0 and nil if there is nothing to do but wait.
func (s *Subscription[T]) readLocked(dst []T) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	l := &s.b.log
	missed, backlog := s.behindLocked()
	if gap := missed - s.missed; gap > 0 {
		s.missed, s.cursor = missed, l.tail-backlog
		if s.policy == Disconnect {
			s.endLocked(ErrSlow)
			return 0, ErrSlow
		}
		return 0, &GapError{gap}
	}
	for n < len(dst) && s.cursor < l.tail {
		dst[n] = l.at(s.cursor)
		s.cursor++
		n++
	}
	s.delivered += uint64(n)
	if n > 0 && s.policy == Block {
		s.b.wakeSenderLocked()
	}
	if n == 0 && s.b.closed {
		return 0, ErrClosed
	}
	return n, nil
}

// read is readLocked that waits.
func (s *Subscription[T]) read(ctx context.Context, dst []T) (int, error) {
	for {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		s.b.mu.Lock()
		n, err := s.readLocked(dst)
		if n > 0 || err != nil {
			s.b.mu.Unlock()
			if err == ErrSlow {
				s.close(ErrSlow) // lets go of its context and of Chan
			}
			return n, err
		}
		wake := make(chan struct{}, 1)
		node := s.b.sleepers.PushBack(wake)
		s.b.mu.Unlock()
		if _, _, err := ctxselect.Recv(ctx, wake); err != nil {
			s.b.mu.Lock()
			s.b.sleepers.Remove(node) // or it piles up while nothing is sent
			s.b.mu.Unlock()
		}
	}
}

// Next waits for the next value and returns it. Where values are missing it
// returns a *GapError first, and the value in the next call. It returns
// ErrClosed at the end, ErrSlow if the subscription was disconnected, or the
// cause of ctx.
func (s *Subscription[T]) Next(ctx context.Context) (T, error) {
	ctxselect.Require(ctx, "broadcast: Next")
	var v [1]T
	_, err := s.read(ctx, v[:])
	return v[0], err
}

// NextBatch waits for at least one value, puts what is there into dst, and
// returns how many that are. Its errors are those of Next, with 0 values. It
// panics if dst has no room.
func (s *Subscription[T]) NextBatch(ctx context.Context, dst []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: NextBatch")
	if len(dst) == 0 {
		panic("broadcast: NextBatch: destination must have room for a value, got none")
	}
	return s.read(ctx, dst)
}

// All walks the values, each with how many are missing just before it. The walk
// ends with ctx, and when Next would return ErrClosed or ErrSlow; Next then
// tells which. Leaving it leaves the subscription open: another walk goes on
// from there. It panics if ctx is nil.
func (s *Subscription[T]) All(ctx context.Context) iter.Seq2[uint64, T] {
	ctxselect.Require(ctx, "broadcast: All")
	return func(yield func(uint64, T) bool) {
		missed := uint64(0)
		for {
			v, err := s.Next(ctx)
			if gap, ok := err.(*GapError); ok {
				missed += gap.Missed
				continue
			}
			if err != nil || !yield(missed, v) {
				return
			}
			missed = 0
		}
	}
}

// Chan returns a channel of the values, with room for buf, for use in a select.
// It is closed when the subscription ends. Gaps do not show, except in Missed.
// The first call starts a goroutine, which Close ends and waits for; further
// calls return the same channel. It panics if buf is negative.
func (s *Subscription[T]) Chan(buf int) <-chan T {
	if buf < 0 {
		panic(fmt.Sprintf("broadcast: Chan: size must not be negative, got %d", buf))
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.ch != nil {
		return s.ch
	}
	s.ch = make(chan T, buf)
	if s.err != nil {
		close(s.ch)
		return s.ch
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.pumped = make(chan struct{})
	go s.feed(ctx, s.ch, s.pumped)
	return s.ch
}

// feed is the goroutine of Chan.
func (s *Subscription[T]) feed(ctx context.Context, ch chan<- T, done chan<- struct{}) {
	defer close(done)
	defer close(ch)
	for _, v := range s.All(ctx) {
		if ctxselect.Send(ctx, ch, v) != nil {
			return
		}
	}
}

// Backlog returns how many values can be read now. Once the subscription has
// ended, it is how many were left unread.
func (s *Subscription[T]) Backlog() uint64 {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	_, backlog := s.behindLocked()
	return backlog
}

// Missed returns how many values are missing so far, those included that Next
// has not reported yet.
func (s *Subscription[T]) Missed() uint64 {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	missed, _ := s.behindLocked()
	return missed
}

// Close ends the subscription: who reads from it gets ErrClosed, and senders that
// wait for it go on. It waits for the goroutine of Chan, if there is one, and
// returns nil.
func (s *Subscription[T]) Close() error {
	s.close(ErrClosed)
	s.b.mu.Lock()
	pumped := s.pumped
	s.b.mu.Unlock()
	if pumped != nil {
		<-pumped
	}
	return nil
}

func (s *Subscription[T]) close(why error) {
	s.b.mu.Lock()
	s.endLocked(why)
	stop, cancel := s.stop, s.cancel
	wake := s.b.sleepers.Take() // its readers are among them; the others look again
	s.b.mu.Unlock()
	wakeAll(wake)
	if stop != nil {
		stop()
	}
	if cancel != nil {
		cancel()
	}
}

// endLocked ends s, if it has not ended.
func (s *Subscription[T]) endLocked(why error) {
	if s.err != nil {
		return
	}
	missed, backlog := s.behindLocked()
	s.end = s.b.log.tail
	s.missed, s.cursor = missed, s.end-backlog
	s.err = why
	if s.policy == Block {
		delete(s.b.blocking, s)
		s.b.wakeSenderLocked()
	}
}

func closedBy(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrClosed, context.Cause(ctx))
}
