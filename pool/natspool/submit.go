package natspool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// sendAgain is after which time a task that has a message id is sent again if it
// has not been acknowledged, the first time; then it is twice as long each time.
const sendAgain = 2 * time.Second

// A server that has just started is there before its streams are.
var patience = []jetstream.PublishOpt{jetstream.WithRetryAttempts(20), jetstream.WithRetryWait(250 * time.Millisecond)}

// submit sends a task, and with a promise if its result is wanted. id is a message id
// as the value of a header.
func (c *core) submit(ctx context.Context, data []byte, id string, wanted bool) (*promise, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.fits("task", data, max(len(id)-shortID, 0)); err != nil {
		return nil, err
	}
	m := &nats.Msg{Subject: c.subject, Data: data}
	if id != "" || wanted {
		m.Header = nats.Header{}
	}
	if id != "" {
		m.Header[jetstream.MsgIDHeader] = []string{id}
	}
	c.mu.Lock()
	if c.phase != open || c.root.Err() != nil {
		c.mu.Unlock()
		if c.root.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrClosed, context.Cause(c.root))
		}
		return nil, ErrClosed
	}
	c.sending++
	c.tokens++
	call := c.inbox + result + strconv.FormatUint(c.tokens, 36)
	known := c.known
	var p *promise
	if wanted {
		p = c.promiseLocked()
		m.Header[replyHeader] = []string{call}
	} else if id != "" {
		m.Header[callHeader] = []string{call}
	}
	c.mu.Unlock()
	ack, again, err := c.send(ctx, m, id != "")
	c.mu.Lock()
	c.sending--
	c.changedLocked()
	if err != nil {
		c.mu.Unlock()
		c.forget(p)
		return nil, err
	}
	c.counts.Submitted++
	if ack.Duplicate {
		c.counts.Duplicates++
	}
	c.known = max(c.known, ack.Sequence)
	if p != nil {
		p.seq = ack.Sequence
	}
	c.mu.Unlock()
	again = again && ack.Sequence > known // what was stored before this call is another's
	if ack.Duplicate && !c.isOurs(ctx, p, ack.Sequence, call, again) {
		c.forget(p)
		return nil, ErrDuplicate
	}
	return p, nil
}

// send publishes a task until it is acknowledged, more than once only if that
// makes no second task of it. again says that it did so. It gives up when ctx ends,
// or by abort.
func (c *core) send(ctx context.Context, m *nats.Msg, identified bool) (ack *jetstream.PubAck, again bool, err error) {
	wait := maxCall
	if identified {
		wait = sendAgain
	}
	for ; ; wait *= 2 {
		one, cancel := context.WithTimeout(ctx, wait)
		stop := context.AfterFunc(c.patient, cancel)
		ack, err = c.js.PublishMsg(one, m, patience...)
		stop()
		cancel()
		switch {
		case err == nil:
			return ack, again, nil
		case ctx.Err() != nil:
			return nil, again, fmt.Errorf("%w: %w", ErrUnacknowledged, context.Cause(ctx))
		case c.patient.Err() != nil:
			return nil, again, fmt.Errorf("%w: %w: %w", ErrUnacknowledged, ErrClosed, context.Cause(c.patient))
		case !isSilence(err):
			return nil, again, fmt.Errorf("natspool: the task is not stored: %w", err)
		case !identified:
			return nil, again, fmt.Errorf("%w: %w", ErrUnacknowledged, err)
		}
		again = true
	}
}

// isSilence reports whether err means that the server has not answered, and not
// that it has refused.
func isSilence(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, jetstream.ErrInvalidJSAck)
}

// isOurs reports whether the task that the stream has under our message id is the
// one that this call has sent. again says that it may be. A task that is gone by then
// counts as the call's own.
func (c *core) isOurs(ctx context.Context, p *promise, seq uint64, call string, again bool) bool {
	if p != nil {
		select {
		case <-p.done:
			return true
		default:
		}
	}
	if !again {
		return false // it was there before the only time that we sent it
	}
	s, err := c.js.Stream(ctx, c.stream)
	if err != nil {
		return true // an audit finds out
	}
	m, err := s.GetMsg(ctx, seq)
	if err != nil {
		return true // it has run: the result is on its way, or an audit finds out
	}
	return m.Header.Get(replyHeader) == call || m.Header.Get(callHeader) == call
}
