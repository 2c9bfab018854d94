package natspool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A PendingTask is a task that is in the stream: it waits for a worker or for another
// delivery, or it runs.
type PendingTask[T any] struct {
	ID        uint64    // its number in the stream
	Task      T         // zero if Undecodable is not nil
	Data      []byte    // the task as it was submitted
	MessageID string    // "" for none
	Time      time.Time // when it was stored

	Undecodable error // why Data cannot be decoded, in this process
}

// Pending returns an iterator over the tasks that are in the stream when the iteration
// begins, oldest first. A non-nil error ends the iteration: the cause of ctx, or a failed
// request to the server. Tasks may be canceled in the loop. Pending costs a request for
// each task; it works in any process, and on a closed pool.
func (p *Pool[T, R]) Pending(ctx context.Context) iter.Seq2[PendingTask[T], error] {
	c := p.in(ctx, "Pending")
	return stored(ctx, c, "pending tasks", c.stream, c.subject, func(m *jetstream.RawStreamMsg) (t PendingTask[T]) {
		t = PendingTask[T]{ID: m.Sequence, Data: m.Data, MessageID: decodeID(m.Header.Get(jetstream.MsgIDHeader)), Time: m.Time}
		t.Task, t.Undecodable = decode(p.tasks, m.Data)
		return t
	})
}

// Cancel deletes a task from the stream, if it is there: it is not delivered any more. A
// task that runs already goes on, but is not tried again. The task's Future, in any
// process, ends with a [TaskError] that wraps [context.Canceled]. id is the number of a
// [PendingTask] or of [Future.ID]. Cancel works in any process. It panics if ctx is nil.
func (p *Pool[T, R]) Cancel(ctx context.Context, id uint64) error {
	c := p.in(ctx, "Cancel")
	m, err := c.remove(ctx, c.stream, id)
	if err != nil {
		return failed(ctx, fmt.Sprintf("task %d is not canceled", id), err)
	}
	if m != nil {
		c.answer(&delivery{seq: id, header: m.Header}, nil, &failure{Text: "natspool: task canceled", Kind: canceled})
	}
	return nil
}

// stored returns an iterator over the messages in a stream.
func stored[V any](ctx context.Context, c *core, what, stream, subject string, of func(*jetstream.RawStreamMsg) V) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		s, err := c.js.Stream(ctx, stream)
		var state jetstream.StreamState
		if err == nil {
			state = s.CachedInfo().State
		}
		for seq := state.FirstSeq; err == nil && seq <= state.LastSeq; seq++ {
			var m *jetstream.RawStreamMsg
			m, err = s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject)) // the first message from seq on
			if err == nil {
				if seq = m.Sequence; seq > state.LastSeq || !yield(of(m), nil) {
					return
				}
			}
		}
		if err = ignore(ignore(err, jetstream.ErrMsgNotFound), jetstream.ErrStreamNotFound); err != nil {
			var none V
			yield(none, failed(ctx, what, err))
		}
	}
}

// remove deletes a message from a stream and returns it, or nil if it is not there.
func (c *core) remove(ctx context.Context, stream string, id uint64) (*jetstream.RawStreamMsg, error) {
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	m, err := s.GetMsg(ctx, id)
	if err == nil {
		err = s.DeleteMsg(ctx, id)
	}
	if err != nil { // the server has one error code for every reason that prevents a deletion
		if _, missing := s.GetMsg(ctx, id); errors.Is(missing, jetstream.ErrMsgNotFound) {
			return nil, nil
		}
	}
	return m, err
}

// failed returns err as the error of a call, the cause of ctx if that is the reason, or
// nil without an error.
func failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("natspool: %s: %w", what, err)
}
