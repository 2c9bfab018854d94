package natspool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/internal/ctxselect"
)

// A DeadLetter is a task that will not be tried again: it has failed too often,
// with an error made by [Permanent], or it is no task at all.
type DeadLetter[T any] struct {
	ID        uint64    // its number among the dead letters
	Task      T         // zero if Undecodable is not nil
	Data      []byte    // the task as it was submitted
	MessageID string    // that it was submitted with, "" for none
	Err       error     // of the last run, a *TaskError
	Attempts  int       // how often it was delivered
	Time      time.Time // when it was buried

	Undecodable error // why Data cannot be decoded, in this process
}

// buryAtLast makes a dead letter of a task, however often it has to try: its error is
// known here and nowhere else, and as long as the worker tries, the task is its own. It
// reports false if the pool was aborted first.
func (c *core) buryAtLast(d *delivery, err error) bool {
	for {
		failed := c.bury(d, err)
		if failed == nil {
			return true
		}
		c.tell(fmt.Errorf("natspool: task %d has not become a dead letter yet: %w", d.seq, failed))
		if errors.Is(failed, jetstream.ErrNoStreamResponse) {
			ctx, cancel := context.WithTimeout(c.patient, maxCall)
			if _, failed := c.setUp(ctx, c.js, &c.options, true); c.patient.Err() == nil {
				c.tell(failed)
			}
			cancel()
		}
		again := time.NewTimer(maxTick)
		select {
		case <-c.patient.Done():
			again.Stop()
			return false
		case <-again.C:
		}
	}
}

// bury makes a dead letter of a task. Its message id is that of the delivery, so
// that it is one even if the worker crashes before it says that the task is done
// with.
func (c *core) bury(d *delivery, err error) error {
	m := &nats.Msg{Subject: c.deadSubj, Data: d.data, Header: nats.Header{
		failureHeader:         {c.failureOf(d, err).header()},
		jetstream.MsgIDHeader: {fmt.Sprintf("%d-%d", d.seq, d.stored.UnixNano())},
	}}
	if id := d.header.Get(jetstream.MsgIDHeader); id != "" {
		m.Header[messageIDHeader] = []string{id}
	}
	ctx, cancel := context.WithTimeout(c.patient, maxCall)
	defer cancel()
	_, failed := c.js.PublishMsg(ctx, m)
	return failed
}

// DeadLetters walks the dead letters of the pool, oldest first, those that there
// are when it begins. A non-nil error ends the walk: the cause of ctx, or that the
// server cannot be asked. Letters may be requeued and discarded in the loop. It
// works in any process, and on a closed pool.
func (p *Pool[T, R]) DeadLetters(ctx context.Context) iter.Seq2[DeadLetter[T], error] {
	ctxselect.Require(ctx, "natspool: DeadLetters")
	return func(yield func(DeadLetter[T], error) bool) {
		fail := func(err error) {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else {
				err = fmt.Errorf("natspool: dead letters: %w", err)
			}
			yield(DeadLetter[T]{}, err)
		}
		s, err := p.core.js.Stream(ctx, p.core.dead)
		if err != nil {
			fail(err)
			return
		}
		last := s.CachedInfo().State.LastSeq
		for seq := s.CachedInfo().State.FirstSeq; seq <= last; seq++ {
			m, err := s.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(p.core.deadSubj)) // the next one that there is
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				fail(err)
				return
			}
			if seq = m.Sequence; seq > last || !yield(p.letter(m), nil) {
				return
			}
		}
	}
}

func (p *Pool[T, R]) letter(m *jetstream.RawStreamMsg) DeadLetter[T] {
	l := DeadLetter[T]{ID: m.Sequence, Data: m.Data, MessageID: m.Header.Get(messageIDHeader), Time: m.Time}
	if f := parseFailure(m.Header); f != nil {
		l.Err, l.Attempts = f.err(), f.Attempts
	}
	l.Task, l.Undecodable = p.tasks.Decode(m.Data)
	return l
}

// Requeue submits the task of a dead letter again, with all of its attempts before
// it, and discards the letter. If it fails half-way, the letter is still there, and
// requeuing it once more within the duplicate window makes no second task.
func (p *Pool[T, R]) Requeue(ctx context.Context, letter DeadLetter[T]) error {
	ctxselect.Require(ctx, "natspool: Requeue")
	id := "requeued-" + strconv.FormatUint(letter.ID, 10) + "-" + strconv.FormatInt(letter.Time.UnixNano(), 10)
	if _, err := p.core.submit(ctx, letter.Data, id, false); err != nil {
		return err
	}
	return p.Discard(ctx, letter.ID)
}

// Discard deletes the dead letter with the given number, if it is there.
func (p *Pool[T, R]) Discard(ctx context.Context, id uint64) error {
	ctxselect.Require(ctx, "natspool: Discard")
	s, err := p.core.js.Stream(ctx, p.core.dead)
	if err == nil {
		if err = s.DeleteMsg(ctx, id); err == nil {
			return nil
		}
		// The server has one code for all that keeps it from deleting.
		if _, missing := s.GetMsg(ctx, id); errors.Is(missing, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("natspool: dead letter %d is not discarded: %w", id, err)
}
