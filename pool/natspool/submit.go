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

// sendAgain is how long an unacknowledged task with a message id waits before it is
// sent again; the time doubles with each attempt.
const sendAgain = 2 * time.Second

// retries make a publication wait for a stream: a server that has just started
// accepts connections before its streams are available.
var retries = []jetstream.PublishOpt{jetstream.WithRetryAttempts(20), jetstream.WithRetryWait(250 * time.Millisecond)}

// submit sends a task, with a promise if wanted. id is a message id as the value of a
// header.
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
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.exit()
	c.mu.Lock()
	c.tokens++
	token := strconv.FormatUint(c.tokens, 36)
	call, known := c.inbox+result+"."+token, c.known
	var p *promise
	if wanted {
		p = &promise{token: token, done: make(chan struct{})}
		c.promises[token] = p
		m.Header[replyHeader] = []string{call}
	} else if id != "" {
		m.Header[callHeader] = []string{call}
	}
	c.mu.Unlock()
	ack, again, err := c.send(ctx, m, id != "")
	if err != nil {
		c.forget(p)
		return nil, err
	}
	c.mu.Lock()
	c.counts.Submitted++
	if ack.Duplicate {
		c.counts.Duplicates++
	}
	c.known = max(c.known, ack.Sequence)
	if p != nil {
		p.seq = ack.Sequence
	}
	c.mu.Unlock()
	again = again && ack.Sequence > known // a task stored before this call belongs to another call
	if ack.Duplicate && !c.isOurs(ctx, p, ack.Sequence, call, again) {
		c.forget(p)
		return nil, ErrDuplicate
	}
	return p, nil
}

// enter begins a call that Close waits for, or returns an error if the pool is closed.
func (c *core) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.root.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, context.Cause(c.root))
	case c.phase != open:
		return ErrClosed
	}
	c.sending++
	return nil
}

func (c *core) exit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending--
	c.changedLocked()
}

// send publishes a task until it is acknowledged. It publishes it more than once only
// if the task has a message id, and then returns again as true. It gives up when ctx or
// c.patient ends.
func (c *core) send(ctx context.Context, m *nats.Msg, identified bool) (ack *jetstream.PubAck, again bool, err error) {
	wait := maxCall
	if identified {
		wait = sendAgain
	}
	for ; ; wait *= 2 {
		one, cancel := context.WithTimeout(ctx, wait)
		stop := context.AfterFunc(c.patient, cancel)
		ack, err = c.js.PublishMsg(one, m, retries...)
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

// isSilence reports whether err means that the server has not answered, as opposed to
// refused.
func isSilence(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, jetstream.ErrInvalidJSAck)
}

// isOurs reports whether the stored task with our message id was sent by this call.
// again is false if that is impossible. A task that is gone by then counts as the
// call's own.
func (c *core) isOurs(ctx context.Context, p *promise, seq uint64, call string, again bool) bool {
	if p != nil {
		select {
		case <-p.done:
			return true
		default:
		}
	}
	if !again {
		return false // it was stored before we sent it, once
	}
	var m *jetstream.RawStreamMsg
	s, err := c.js.Stream(ctx, c.stream)
	if err == nil {
		m, err = s.GetMsg(ctx, seq)
	}
	// If it is gone, it has run: its result is on its way, or a check finds out.
	return err != nil || m.Header.Get(replyHeader) == call || m.Header.Get(callHeader) == call
}
