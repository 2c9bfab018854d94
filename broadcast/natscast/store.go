package natscast

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// An attempt without an answer is repeated after ackTime, then after twice that
	// time, and so on up to longestAckTime, for a slow server.
	ackTime, longestAckTime = 2 * time.Second, 16 * time.Second

	lineTime = 50 * time.Millisecond // interval of the checks of a lost connection
)

// A store sends values to a stream. Each value has an id, by which the stream
// recognizes a repetition within its duplicate window. An attempt without an answer is
// repeated within that time.
type store struct {
	options
	nc      *nats.Conn
	ctx     context.Context
	js      jetstream.JetStream
	name    string
	subject string
	id      string // prefix of the ids of the values
	count   *counters
	sent    atomic.Uint64
	window  atomic.Int64 // a time.Duration
}

func newStore(ctx context.Context, js jetstream.JetStream, name, subject string, o options, count *counters) *store {
	return &store{
		options: o, nc: js.Conn(), ctx: ctx, js: js, name: name, subject: subject,
		id: o.origin + "." + rand.Text()[:8] + ".", count: count,
	}
}

// send stores a value and waits for the answer of the stream.
func (s *store) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	id := s.id + strconv.FormatUint(s.sent.Add(1), 10)
	begin, tried := time.Now(), false
	for ackWait := ackTime; ; {
		switch {
		case s.nc.IsConnected():
			sure, err := s.try(ctx, ackWait, id, data)
			if sure {
				return s.failed(tried, err)
			}
			tried = true
			ackWait = min(2*ackWait, longestAckTime)
			s.count.retried.Add(1)
		case !s.buffering || s.nc.IsClosed():
			return s.failed(tried, fmt.Errorf("%w: Send: the connection is %v", ErrDisconnected, s.nc.Status()))
		default:
			select {
			case <-time.After(lineTime):
			case <-ctx.Done():
			}
		}
		switch {
		case ctx.Err() != nil:
			return s.failed(tried, context.Cause(ctx))
		case tried && time.Since(begin)+2*ackWait > time.Duration(s.window.Load()):
			return s.failed(tried, fmt.Errorf("%w: the stream knows repetitions for %v", ErrDisconnected, time.Duration(s.window.Load())))
		}
	}
}

// failed returns err, or nil, as the result of send. If an earlier attempt was not
// answered, the value may have been stored despite err.
func (s *store) failed(tried bool, err error) error {
	if tried && err != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return err
}

// try stores the value once. sure is false if the outcome is unknown.
func (s *store) try(ctx context.Context, ackWait time.Duration, id string, data []byte) (sure bool, err error) {
	limited, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	m := &nats.Msg{Subject: s.subject, Data: data}
	_, err = s.js.PublishMsg(limited, m, jetstream.WithMsgID(id), jetstream.WithExpectStream(s.name))
	switch {
	case err == nil:
		return true, nil
	case limited.Err() != nil || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrConnectionClosed):
		return false, err
	case errors.Is(err, nats.ErrMaxPayload):
		return true, fmt.Errorf("natscast: Send: value of %d bytes, the server takes %d: %w", len(data), s.nc.MaxPayload(), err)
	}
	return true, fmt.Errorf("natscast: Send: stream %q: %w", s.name, err)
}
