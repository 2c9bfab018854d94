package natscast

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// longest is how many times the shortest interval between beats the longest is.
const longest = 32

// An outlet numbers values and sends them on core NATS.
//
// turn is a lock whose waiters can give up: who has put something into it has the
// turn, and alone uses seq and msg. So values leave in the order of their numbers.
//
// The beater says how many values there were, first soon after the last of them
// and then less and less often. While it sleeps for long it is at rest; the sender
// that takes it out of rest wakes it.
type outlet struct {
	ctx       context.Context
	nc        *nats.Conn
	origin    string
	epoch     string
	heartbeat time.Duration
	period    time.Duration // the longest interval
	buffering bool

	turn   chan struct{}
	seq    uint64
	msg    nats.Msg
	closed bool

	rest  atomic.Bool
	awake chan struct{}
}

func newOutlet(ctx context.Context, nc *nats.Conn, subject string, o options) *outlet {
	return &outlet{
		ctx: ctx, nc: nc, origin: o.origin, epoch: rand.Text()[:8],
		heartbeat: o.heartbeat, period: longest * o.heartbeat, buffering: o.buffering,
		turn:  make(chan struct{}, 1),
		msg:   nats.Msg{Subject: subject, Header: nats.Header{headerName: {""}}},
		awake: make(chan struct{}, 1),
	}
}

// send sends a value.
func (s *outlet) send(ctx context.Context, data []byte) error {
	if err := ctxselect.Send(ctx, s.turn, struct{}{}); err != nil {
		return err
	}
	defer func() { <-s.turn }()
	if s.closed {
		return ErrClosed
	}
	if status := s.nc.Status(); status != nats.CONNECTED && !s.buffering {
		return fmt.Errorf("%w: Send: the connection is %v", ErrDisconnected, status)
	}
	err := s.publish(kindValue, data)
	if err == nil || !refused(err) {
		s.seq++ // if it failed half-way, it is missing rather than doubled
	}
	switch {
	case err == nil:
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("natscast: Send: value of %d bytes, the server takes %d: %w", len(data), s.nc.MaxPayload(), err)
	default:
		return fmt.Errorf("%w: Send: %w", ErrDisconnected, err)
	}
	if s.rest.Load() && s.rest.CompareAndSwap(true, false) {
		ctxselect.Signal(s.awake)
	}
	return nil
}

// refused reports whether err says that nothing was sent.
func refused(err error) bool {
	for _, sure := range []error{
		nats.ErrMaxPayload, nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed,
		nats.ErrConnectionDraining, nats.ErrHeadersNotSupported, nats.ErrBadSubject,
	} {
		if errors.Is(err, sure) {
			return true
		}
	}
	return false
}

// publish is called by who has the turn.
func (s *outlet) publish(k kind, data []byte) error {
	s.msg.Header[headerName][0] = label{k, s.origin, s.epoch, s.seq, s.period.Milliseconds()}.String()
	s.msg.Data = data
	err := s.nc.PublishMsg(&s.msg)
	s.msg.Data = nil
	return err
}

// beat is the goroutine that beats.
func (s *outlet) beat() {
	wait := s.heartbeat
	due := time.Now() // others are to know at once that this origin is there
	timer := time.NewTimer(0)
	defer timer.Stop()
	told := uint64(0)
	for {
		select {
		case <-timer.C:
		case <-s.awake:
			// A value was sent, or the connection is back.
			wait = s.heartbeat
			if soon := time.Now().Add(wait); soon.Before(due) {
				due = soon
				timer.Reset(wait)
			}
			continue
		case <-s.ctx.Done():
			return
		}
		if ctxselect.Send(s.ctx, s.turn, struct{}{}) != nil {
			return
		}
		if s.nc.IsConnected() {
			_ = s.publish(kindBeat, nil) // if it fails, the next one says the same
		}
		again := s.seq != told
		told = s.seq
		s.rest.Store(true) // within the turn: who sends next wakes this goroutine
		<-s.turn
		if again {
			wait = s.heartbeat
		} else {
			wait = min(2*wait, s.period)
		}
		due = time.Now().Add(wait)
		timer.Reset(wait)
	}
}

// announce lets the beater tell soon how many values there were.
func (s *outlet) announce() { ctxselect.Signal(s.awake) }

// goodbye is the last beat. Who waits for the turn behind it finds it closed. A
// connection that does not take what is written is not waited for.
func (s *outlet) goodbye() {
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case s.turn <- struct{}{}:
	case <-patience.C:
		return
	}
	s.closed = true
	_ = s.publish(kindGoodbye, nil) // others notice the silence otherwise
	<-s.turn
}
