package broadcast

import (
	"context"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A forwarder is the goroutine that moves values from a subscription to a channel.
type forwarder struct {
	ch   any           // chan T, which not every T can be an element of
	done chan struct{} // closed when it has ended, and ch is closed
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
	s.require("broadcast: Chan")
	misuse.Negative(buf, "broadcast: Chan: size")
	_ = s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forwarder == nil {
		ch := make(chan T, buf)
		s.forwarder = &forwarder{ch, make(chan struct{})}
		if s.gone == nil {
			s.gone = make(chan struct{})
		}
		if s.b != nil {
			go forward(s, s.forwarder.done, ch, s.gone)
		} else {
			sched.Opaque("Chan closes the channel")
			close(ch)
			close(s.forwarder.done)
		}
	}
	return s.forwarder.ch.(chan T)
}

// forward is the goroutine of Chan.
func forward[T any](s *Subscription[T], done chan<- struct{}, ch chan<- T, gone <-chan struct{}) {
	defer func() {
		sched.Opaque("the goroutine of Chan closes the channel")
		close(ch)
		close(done)
	}()
	for v, err := range s.All(context.Background()) {
		if err != nil {
			continue
		}
		sched.Opaque("the goroutine of Chan sends")
		select {
		case ch <- v:
			continue
		case <-gone:
		case <-s.done:
		}
		_ = s.expire()
		s.takeBack()
		return
	}
}

// takeBack corrects the books of a subscription that has ended: the last value
// was not delivered after all, but left unread.
func (s *Subscription[T]) takeBack() {
	s.mu.Lock()
	s.pos.Add(^uint64(publishOne - 1)) // one less
	s.final.Delivered--
	s.final.Backlog++
	s.mu.Unlock()
}
