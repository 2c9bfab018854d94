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
)

// A DeadLetter is a task that will not be tried again: it has failed too often or with
// an error made by [Permanent], or its message cannot be decoded.
type DeadLetter[T any] struct {
	ID        uint64    // its number among the dead letters
	Task      T         // zero if Undecodable is not nil
	Data      []byte    // the task as it was submitted
	MessageID string    // of the submission, "" for none
	Err       error     // of the last run, a *TaskError
	Attempts  int       // how often it was delivered, also if it was handed back
	Time      time.Time // when it became a dead letter

	Undecodable error // why Data cannot be decoded, in this process
}

// storeDeadLetter stores the dead letter of a task, and tries again until it is stored: only this
// process knows the error, and as long as it gives signs of life, the server delivers the
// task to no other process. The worker is occupied by the first attempt only. If the pool
// ends first, the task is handed back.
func (c *core) storeDeadLetter(d *delivery, f *failure) {
	err := c.store(d, f)
	c.mu.Lock()
	c.free++
	c.mu.Unlock()
	c.request()
	if err != nil {
		select {
		case c.late <- struct{}{}:
			defer func() { <-c.late }()
		default:
			c.postpone(d, f)
			return
		}
	}
	for n := 1; err != nil; n++ {
		if n == letterTries {
			c.answer(d, nil, f) // the outcome cannot change any more
		}
		if !c.pause(min(maxTick<<min(n-1, 5), maxPause)) {
			return
		}
		err = c.store(d, f)
	}
	c.mu.Lock()
	c.counts.Dead++
	c.endLocked(d)
	c.mu.Unlock()
	c.conclude(d, nil, f)
}

// store stores the dead letter of a task, with less and less of the failure while it is
// too large, in the end without a message id.
func (c *core) store(d *delivery, f *failure) (err error) {
	ctx, cancel := context.WithTimeout(c.patient, letterWait)
	defer cancel()
	for most := maxFailure; ; most = max(most/4, minFailure) {
		if _, err = c.js.PublishMsg(ctx, c.letter(d, f, most)); !isTooLarge(err) || most == minFailure {
			break
		}
	}
	c.noticeMissing(err)
	if err != nil && c.patient.Err() == nil {
		c.tell(fmt.Errorf("natspool: task %d has not become a dead letter yet: %w", d.seq, err))
	}
	return err
}

// postpone has a task delivered again later, to become a dead letter then. That delivery
// does not run a task that has used up its attempts.
func (c *core) postpone(d *delivery, f *failure) {
	c.mu.Lock()
	mine := d.state == dead
	c.dropLocked(d)
	c.mu.Unlock()
	if mine {
		c.answer(d, nil, f)
		c.nak(d.ack, max(maxPause, c.delay(len(c.backoff))))
	}
}

// letter returns the dead letter of a task, with at most the given number of bytes of
// failure. The letter's own message id names the delivery, so the letter is stored once
// even if the worker crashes before it acknowledges the task.
func (c *core) letter(d *delivery, f *failure, most int) *nats.Msg {
	m := &nats.Msg{Subject: c.deadSubj, Data: d.data, Header: nats.Header{
		jetstream.MsgIDHeader: {fmt.Sprintf("%d-%d", d.seq, d.stored.UnixNano())},
		failureHeader:         {f.header(most)},
	}}
	if id := d.header.Get(jetstream.MsgIDHeader); id != "" && most > minFailure {
		m.Header[messageIDHeader] = []string{id}
	}
	return m
}

// isTooLarge reports whether err means that a message is too large for the connection
// or the stream.
func isTooLarge(err error) bool {
	const message, header = 10054, 10097 // codes of the server
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		return e.ErrorCode == message || e.ErrorCode == header
	}
	return errors.Is(err, nats.ErrMaxPayload)
}

// DeadLetters returns an iterator over the dead letters that exist when the iteration
// begins, oldest first. A non-nil error ends the iteration: the cause of ctx, or a
// failed request to the server. Letters may be requeued and discarded in the loop.
// DeadLetters works in any process, and on a closed pool.
func (p *Pool[T, R]) DeadLetters(ctx context.Context) iter.Seq2[DeadLetter[T], error] {
	c := p.in(ctx, "DeadLetters")
	return stored(ctx, c, "dead letters", c.dead, c.deadSubj, p.letter)
}

func (p *Pool[T, R]) letter(m *jetstream.RawStreamMsg) DeadLetter[T] {
	l := DeadLetter[T]{ID: m.Sequence, Data: m.Data, MessageID: decodeID(m.Header.Get(messageIDHeader)), Time: m.Time}
	if f := parseFailure(m.Header); f != nil {
		l.Err, l.Attempts = f.err(), f.Attempts
	}
	l.Task, l.Undecodable = decode(p.tasks, m.Data)
	return l
}

// Requeue submits the task of a dead letter again, with its full number of attempts,
// and then discards the letter. If Requeue fails half-way, the letter is still stored,
// and another Requeue within the duplicate window does not create a second task.
func (p *Pool[T, R]) Requeue(ctx context.Context, letter DeadLetter[T]) error {
	c := p.in(ctx, "Requeue")
	id := requeuedID + strconv.FormatUint(letter.ID, 10) + "-" + strconv.FormatInt(letter.Time.UnixNano(), 10)
	if _, err := c.submit(ctx, letter.Data, id, false); err != nil && !errors.Is(err, ErrDuplicate) {
		return err
	}
	return p.Discard(ctx, letter.ID)
}

// Discard deletes the dead letter with the given number, if it exists.
func (p *Pool[T, R]) Discard(ctx context.Context, id uint64) error {
	c := p.in(ctx, "Discard")
	_, err := c.remove(ctx, c.dead, id)
	return failed(ctx, fmt.Sprintf("dead letter %d is not discarded", id), err)
}
