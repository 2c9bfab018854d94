package natscast

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// longest is the ratio of the longest to the shortest interval between beats.
const longest = 32

// An outlet numbers values and sends them on core NATS.
//
// turn is a lock whose waiters can give up: a goroutine holds it after a send and
// releases it by a receive. The holder alone uses seq and msg, so values leave in the
// order of their numbers.
type outlet struct {
	options
	ctx    context.Context
	nc     *nats.Conn
	epoch  string
	period time.Duration // the longest interval

	turn   chan struct{}
	seq    uint64
	msg    nats.Msg
	closed bool
}

func newOutlet(ctx context.Context, nc *nats.Conn, subject string, o options) *outlet {
	return &outlet{
		options: o, ctx: ctx, nc: nc, epoch: rand.Text()[:8], period: longest * o.heartbeat,
		turn: make(chan struct{}, 1),
		msg:  nats.Msg{Subject: subject, Header: nats.Header{headerName: {""}}},
	}
}

// send sends a value.
func (s *outlet) send(ctx context.Context, data []byte) error {
	if err := s.take(ctx); err != nil {
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
	if errors.Is(err, nats.ErrMaxPayload) {
		return fmt.Errorf("natscast: Send: value of %d bytes, the server takes %d: %w", len(data), s.nc.MaxPayload(), err)
	}
	s.seq++ // a value that failed may be half sent, so its number is not used twice
	if err != nil {
		return fmt.Errorf("%w: Send: %w", ErrDisconnected, err)
	}
	return nil
}

// take waits for turn, or returns the cause of ctx once ctx has ended.
func (s *outlet) take(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// publish sends a message. The caller holds turn.
func (s *outlet) publish(k kind, data []byte) error {
	s.msg.Header[headerName][0] = label{k, s.origin, s.epoch, s.seq, s.period.Milliseconds()}.String()
	s.msg.Data = data
	err := s.nc.PublishMsg(&s.msg)
	s.msg.Data = nil
	return err
}

// beat is the function of the goroutine that announces the number of values: at once, so
// that others know this origin; at the next tick after a value or after the connection is
// back; and then at doubling intervals.
func (s *outlet) beat() {
	ticks := time.NewTicker(s.heartbeat)
	defer ticks.Stop()
	told, resumed := uint64(0), s.nc.Stats().Reconnects
	for wait, next := 1, 0; s.take(s.ctx) == nil; next-- {
		if back := s.nc.Stats().Reconnects; s.seq != told || back != resumed {
			wait, next = 1, 0
			told, resumed = s.seq, back
		}
		if next == 0 {
			if s.nc.IsConnected() {
				_ = s.publish(kindBeat, nil) // if it fails, the next beat repeats it
			}
			next, wait = wait, min(2*wait, longest)
		}
		<-s.turn
		select {
		case <-ticks.C:
		case <-s.ctx.Done():
		}
	}
}

// goodbye sends the last beat. Senders that wait for turn then get ErrClosed. goodbye
// gives up after a second if the connection does not accept data.
func (s *outlet) goodbye() {
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.take(limit) != nil {
		return
	}
	s.closed = true
	_ = s.publish(kindGoodbye, nil) // if it fails, others notice the silence
	<-s.turn
}
