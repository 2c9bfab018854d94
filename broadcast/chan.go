package broadcast

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A forwarder is the goroutine that moves values from a subscription to a channel.
type forwarder struct {
	ch     any // chan T, which not every T can be an element of
	cancel func()
	done   chan struct{} // closed when it has ended, and ch is closed
}

// Chan returns a channel of the values of s, with room for buf, for use in a select.
// It is closed when the subscription ends. Gaps do not show, except in Missed.
// Values in the buffer of the channel count as delivered: they can still be received
// after the end. The first call starts a goroutine,
// which Close ends and waits for, and which keeps the subscription from being
// collected; further calls return the same channel. It panics if buf is
// negative. It is a function, and no method, since values of more than 64 kB can be
// broadcast, but no channel can have such elements.
func Chan[T any](s *Subscription[T], buf int) <-chan T {
	misuse.Negative(buf, "broadcast: Chan: size")
	s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forwarder != nil {
		return s.forwarder.ch.(chan T)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan T, buf)
	s.forwarder = &forwarder{ch, cancel, make(chan struct{})}
	if s.err != nil {
		cancel()
		sched.Opaque("Chan closes the channel")
		close(ch)
		close(s.forwarder.done)
		return ch
	}
	go forward(ctx, s, s.forwarder, ch)
	return ch
}

// forward is the goroutine of Chan.
func forward[T any](ctx context.Context, s *Subscription[T], f *forwarder, ch chan<- T) {
	defer func() {
		f.cancel()
		sched.Opaque("the goroutine of Chan closes the channel")
		close(ch)
		close(f.done)
	}()
	for v, err := range s.All(ctx) {
		if err == nil && !handOver(ctx, ch, s.done, v) {
			s.expire()
			s.takeBack()
			return
		}
	}
}

// handOver sends v, or returns false if ctx or the context of the subscription, to
// which done belongs, has ended.
func handOver[T any](ctx context.Context, ch chan<- T, done <-chan struct{}, v T) bool {
	if sched.Ended(ctx.Done()) || sched.Ended(done) {
		return false
	}
	sched.Opaque("the goroutine of Chan sends")
	select {
	case ch <- v: // alone, it costs a fraction of a select of three
		return true
	default:
	}
	sched.Opaque("the goroutine of Chan waits for room")
	select {
	case ch <- v:
		return true
	case <-ctx.Done():
	case <-done:
	}
	return false
}

// takeBack corrects the books of a subscription that has ended: the last value
// was not delivered after all, but left unread.
func (s *Subscription[T]) takeBack() {
	s.mu.Lock()
	s.pos.Add(^uint64(publishOne - 1)) // one less
	s.left++
	s.mu.Unlock()
}
