package broadcast

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A pump is the goroutine that moves values from a subscription to a channel.
type pump[T any] struct {
	ch     chan T
	cancel func()
	done   chan struct{} // closed when it has ended, and ch is closed
}

// Chan returns a channel of the values, with room for buf, for use in a select.
// It is closed when the subscription ends. Gaps do not show, except in Missed.
// Values in the buffer of the channel count as delivered: they can still be received
// after the end. The first call starts a goroutine,
// which Close ends and waits for, and which keeps the subscription from being
// collected; further calls return the same channel. It panics if buf is
// negative.
func (s *Subscription[T]) Chan(buf int) <-chan T {
	misuse.Negative(buf, "broadcast: Chan: size")
	s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pump != nil {
		return s.pump.ch
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.pump = &pump[T]{make(chan T, buf), cancel, make(chan struct{})}
	if s.err != nil {
		cancel()
		sched.Opaque("Chan closes the channel")
		close(s.pump.ch)
		close(s.pump.done)
		return s.pump.ch
	}
	go s.feed(ctx, s.pump)
	return s.pump.ch
}

// feed is the goroutine of Chan.
func (s *Subscription[T]) feed(ctx context.Context, p *pump[T]) {
	defer func() {
		p.cancel()
		sched.Opaque("the goroutine of Chan closes the channel")
		close(p.ch)
		close(p.done)
	}()
	for _, v := range s.All(ctx) {
		if !p.handOver(ctx, s.done, v) {
			s.expire()
			s.takeBack()
			return
		}
	}
}

// handOver sends v, or returns false if ctx or the context of the subscription, to
// which done belongs, has ended.
func (p *pump[T]) handOver(ctx context.Context, done <-chan struct{}, v T) bool {
	if sched.Ended(ctx.Done()) || sched.Ended(done) {
		return false
	}
	sched.Opaque("the goroutine of Chan sends")
	select {
	case p.ch <- v: // alone, it costs a fraction of a select of three
		return true
	default:
	}
	sched.Opaque("the goroutine of Chan waits for room")
	select {
	case p.ch <- v:
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
	s.delivered--
	s.cursor--
	s.mu.Unlock()
}
