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
	// An attempt that is not answered in ackTime is repeated, the next one in twice that,
	// and so on, for a server that is that slow.
	ackTime, longestAckTime = 2 * time.Second, 16 * time.Second

	lineTime = 50 * time.Millisecond // between looks whether the connection is there
)

// A store sends values to a stream. Each has an id, by which the stream knows a
// repetition, for as long as its window of duplicates; so an attempt that is not
// answered is repeated within that time.
type store struct {
	*sessions
	ctx       context.Context
	js        jetstream.JetStream
	name      string
	subject   string
	id        string // of this store, with which the ids of its values begin
	buffering bool
	count     *counters
	sent      atomic.Uint64
	window    atomic.Int64 // a time.Duration
}

func newStore(ctx context.Context, js jetstream.JetStream, name, subject string, o options, count *counters) *store {
	return &store{
		sessions: newSessions(js.Conn()), ctx: ctx, js: js, name: name, subject: subject,
		id: o.origin + "." + rand.Text()[:8] + ".", buffering: o.buffering, count: count,
	}
}

// send stores a value and waits until the stream says so.
func (s *store) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	id := s.id + strconv.FormatUint(s.sent.Add(1), 10)
	begin, tried := time.Now(), false
	var asked time.Time // when the last attempt was given up
	for patience := ackTime; ; {
		if !s.nc.IsConnected() {
			// The connection may be back at once, and say what became of an attempt.
			if !s.buffering && time.Since(asked) > ackTime || s.nc.IsClosed() {
				return s.failed(tried, fmt.Errorf("%w: Send: the connection is %v", ErrDisconnected, s.nc.Status()))
			}
			pause(ctx, lineTime)
		} else {
			sure, err := s.try(ctx, patience, id, data)
			if sure {
				return s.failed(tried, err)
			}
			tried, asked = true, time.Now()
			patience = min(2*patience, longestAckTime)
			s.count.retried.Add(1)
		}
		switch {
		case ctx.Err() != nil:
			return s.failed(tried, context.Cause(ctx))
		case tried && time.Since(begin)+2*patience > time.Duration(s.window.Load()):
			return s.failed(tried, fmt.Errorf("%w: the stream knows repetitions for %v", ErrDisconnected, time.Duration(s.window.Load())))
		}
	}
}

// failed returns err, or nil, as the result of a send. If an attempt before was
// not answered, an error does not mean that the value was not stored.
func (s *store) failed(tried bool, err error) error {
	if tried && err != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return err
}

// try stores the value once. It reports false if nobody knows whether it did.
func (s *store) try(ctx context.Context, patience time.Duration, id string, data []byte) (sure bool, err error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	limited, over := s.within(limited)
	defer over()
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

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
