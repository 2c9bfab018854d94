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
	Attempts  int       // how often it was delivered, also if it was handed back
	Time      time.Time // when it was buried

	Undecodable error // why Data cannot be decoded, in this process
}

// bury makes a dead letter of the task that the calling worker has. If it cannot be
// stored at once, the worker is not kept: the pool goes on trying without it, or, if
// too many wait for that already, has the task delivered again later. It does not run
// then: it has failed often enough.
func (c *core) bury(d *delivery, v verdict) {
	buried := c.tryBury(d, v, buryFor)
	c.mu.Lock()
	keep := !buried && d.state == burying && c.burying < c.workers
	leave := !buried && d.state == burying && !keep
	if keep {
		c.burying++
	} else if !buried {
		c.dropLocked(d)
	}
	c.free++
	ack, n, inbox := d.ack, c.wantedLocked(), c.feedInbox
	c.mu.Unlock()
	if keep {
		c.spawn(func() { c.buryAtLast(d, v) })
	}
	if leave {
		c.answer(d, nil, v.failure)
		c.nak(ack, max(maxPause, c.delay(len(c.backoff))))
	}
	c.ask(n, inbox)
}

// buryAtLast makes a dead letter of a task that no worker has any more, however often
// it has to try: the error is known here and nowhere else, and as long as this process
// gives signs of life, the task is its own. If the pool ends first, the task is handed
// back.
func (c *core) buryAtLast(d *delivery, v verdict) {
	pause := maxTick
	for tries := 2; ; tries++ {
		c.pause(pause)
		if c.patient.Err() != nil {
			c.unbury(d)
			return
		}
		if c.tryBury(d, v, maxCall) {
			break
		}
		if tries == buryTries {
			c.answer(d, nil, v.failure) // there is no other outcome to come
		}
		pause = min(2*pause, maxPause)
	}
	c.mu.Lock()
	c.burying--
	c.mu.Unlock()
}

// unbury hands a task back whose dead letter could not be stored, if abort has not
// done so.
func (c *core) unbury(d *delivery) {
	c.mu.Lock()
	mine := d.state == burying
	h := c.handBackLocked(d)
	d.state = handedBack
	c.burying--
	c.dropLocked(d)
	c.mu.Unlock()
	if mine {
		c.handBack(h)
	}
}

// tryBury tries once, for some time, and reports whether the task is a dead letter
// now. Then all is done that is to be done for it.
func (c *core) tryBury(d *delivery, v verdict, most time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.patient, most)
	_, err := c.js.PublishMsg(ctx, c.letter(d, v.failure, maxHeader))
	if isTooLarge(err) {
		_, err = c.js.PublishMsg(ctx, c.letter(d, v.failure, minHeader))
	}
	cancel()
	if err != nil {
		if c.patient.Err() == nil {
			c.tell(fmt.Errorf("natspool: task %d has not become a dead letter yet: %w", d.seq, err))
		}
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			ctx, cancel := context.WithTimeout(c.patient, most)
			defer cancel()
			if _, err := c.setUp(ctx, c.js, &c.options, true); c.patient.Err() == nil {
				c.tell(err)
			}
		}
		return false
	}
	c.mu.Lock()
	c.counts.Dead++
	if d.state == burying {
		d.state, d.touched, d.data = ended, time.Now(), nil
	} else {
		c.dropLocked(d) // abort has handed it back
	}
	ack, backs := d.ack, d.backs
	c.changedLocked()
	c.mu.Unlock()
	c.conclude(d, ack, backs, nil, v.failure)
	return true
}

// letter returns the dead letter of a task, with at most so many bytes of failure and
// message id as there is room for. Its message id is that of the delivery, so that it
// is one even if the worker crashes before it says that the task is done with.
func (c *core) letter(d *delivery, f *failure, room int) *nats.Msg {
	room = min(room, max(minHeader, int(c.nc.MaxPayload())-len(d.data)-restOfHeader))
	m := &nats.Msg{Subject: c.deadSubj, Data: d.data, Header: nats.Header{
		jetstream.MsgIDHeader: {fmt.Sprintf("%d-%d", d.seq, d.stored.UnixNano())},
	}}
	if id := d.header.Get(jetstream.MsgIDHeader); id != "" && len(id) <= room-minHeader {
		m.Header[messageIDHeader] = []string{id}
		room -= len(id)
	}
	m.Header[failureHeader] = []string{f.header(min(room, maxFailure))}
	return m
}

// isTooLarge reports whether err says that a message is too large for the connection
// or the stream.
func isTooLarge(err error) bool {
	const message, header = 10054, 10097 // codes of the server
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		return e.ErrorCode == message || e.ErrorCode == header
	}
	return errors.Is(err, nats.ErrMaxPayload)
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
	l := DeadLetter[T]{ID: m.Sequence, Data: m.Data, MessageID: decodeID(m.Header.Get(messageIDHeader)), Time: m.Time}
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
	id := requeuedID + strconv.FormatUint(letter.ID, 10) + "-" + strconv.FormatInt(letter.Time.UnixNano(), 10)
	if _, err := p.core.submit(ctx, letter.Data, id, false); err != nil && !errors.Is(err, ErrDuplicate) {
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
