package natspool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/pool"
)

// A delivery is a task that this process has got from the stream.
type delivery struct {
	seq     uint64 // in the stream
	attempt int
	stored  time.Time
	header  nats.Header
	data    []byte

	// Under core.mu.
	state   deliveryState
	ack     string    // where acknowledgements go; that of the newest delivery
	touched time.Time // when the server last heard of it, or should have
	asks    int       // for a confirmation
}

type deliveryState int

const (
	queued deliveryState = iota
	running
	ended      // and acknowledged, without a confirmation yet
	handedBack // before it began, or by abort while it ran
)

type deliveryKey struct{}

// Attempt returns how often the task that ctx was given to has been delivered,
// this time included. It is 1 unless the task may have run before. ok is false
// outside tasks.
func Attempt(ctx context.Context) (n int, ok bool) {
	d, ok := ctx.Value(deliveryKey{}).(*delivery)
	if !ok {
		return 0, false
	}
	return d.attempt, true
}

// run is the function of the local pool.
func (c *core) run(ctx context.Context, d *delivery) (none struct{}, err error) {
	if !c.start(d) {
		return none, nil
	}
	g := c.here(ctx)
	if d.attempt > c.maxDeliver {
		return none, c.settle(d, nil, &exhaustedError{d.attempt - 1})
	}
	returned := false
	outcome.Run(func() ([]byte, error) {
		result, err := c.execute(context.WithValue(ctx, deliveryKey{}, d), d.data)
		if err == nil {
			if err = c.fits("result", result); err != nil {
				err = Permanent(err)
			}
		}
		returned = true
		return result, err
	}, func(result []byte, failure error) {
		err = c.settle(d, result, failure)
		if !returned && failure == outcome.ErrGoexit {
			g.Store(0) // another goroutine takes its place
			c.tell(err)
		}
	})
	return none, err
}

// here notes on which goroutine a worker is, if that is not known, and returns where.
func (c *core) here(ctx context.Context) *atomic.Uint64 {
	id, _ := pool.WorkerID(ctx)
	g := &c.goroutines[id]
	if g.Load() == 0 {
		g.Store(goid.Current()) // it costs more than the rest of a delivery
	}
	return g
}

// start notes that a task is about to run. It reports false if it is not to, as
// the pool takes no more.
func (c *core) start(d *delivery) bool {
	c.mu.Lock()
	ok := d.state == queued && c.phase != draining
	if ok {
		d.state = running
	}
	c.mu.Unlock()
	if !ok {
		c.giveBack(d)
	}
	return ok
}

// giveBack hands back a task that has not begun, if abort has not done so.
func (c *core) giveBack(d *delivery) {
	c.mu.Lock()
	mine := d.state == queued
	if mine {
		d.state = handedBack
		c.counts.Running--
		c.counts.HandedBack++
		c.free++
		c.dropLocked(d)
	}
	ack := d.ack
	c.mu.Unlock()
	if mine {
		c.nak(ack, 0)
	}
}

// settle ends a task that has run: it is acknowledged, delivered again later, or a
// dead letter. It returns the error if nobody waits for the task.
func (c *core) settle(d *delivery, result []byte, err error) (untold error) {
	reply := d.header.Get(replyHeader)
	if err != nil && reply == "" {
		untold = err
	}
	final, letter := c.judge(d, err)
	if letter && c.dropIfHandedBack(d) {
		return untold // it is another worker's
	}
	if letter && !c.buryAtLast(d, err) {
		final, letter = false, false // abort has handed it back
	}
	c.mu.Lock()
	back := d.state == handedBack
	if !back {
		c.counts.Running--
		c.free++
		c.countLocked(err, letter)
		d.state, d.touched, d.data = ended, time.Now(), nil
	}
	if back || !final {
		c.dropLocked(d)
	}
	ack, n, inbox := d.ack, c.wantedLocked(), c.feedInbox
	c.changedLocked()
	c.mu.Unlock()
	switch {
	case final:
		// In this order, on one connection: the result of what is gone from the stream is on its way.
		if reply != "" {
			c.answer(reply, result, c.failureOf(d, err))
		}
		c.acknowledge(d.seq, ack)
	case !back:
		c.nak(ack, c.delay(d.attempt))
	}
	c.ask(n, inbox)
	return untold
}

// judge says whether a run that ended with err is the last one of the task, and
// whether the task becomes a dead letter.
func (c *core) judge(d *delivery, err error) (final, letter bool) {
	if err == nil {
		return true, false
	}
	_, undecodable := errors.AsType[*undecodableError](err)
	letter = outcome.IsPermanent(err) || undecodable || d.attempt >= c.maxDeliver
	return letter, letter
}

func (c *core) countLocked(err error, letter bool) {
	if letter {
		c.counts.Dead++
	}
	if err == nil {
		c.counts.Completed++
		return
	}
	if _, exhausted := err.(*exhaustedError); exhausted {
		c.counts.Exhausted++
		return
	}
	c.counts.Failed++
	if _, ok := errors.AsType[*undecodableError](err); ok {
		c.counts.Undecodable++
	}
}

func (c *core) dropIfHandedBack(d *delivery) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.state != handedBack {
		return false
	}
	c.dropLocked(d)
	return true
}

// dropLocked forgets a task, unless a newer delivery has its place.
func (c *core) dropLocked(d *delivery) {
	if c.held[d.seq] == d {
		delete(c.held, d.seq)
		c.changedLocked()
	}
}

// delay returns how long a task waits after the given attempt.
func (c *core) delay(attempt int) time.Duration {
	return c.backoff[min(attempt, len(c.backoff))-1]
}

// acknowledge says that a task is done with, and asks for a confirmation.
func (c *core) acknowledge(seq uint64, ack string) {
	c.tell(c.nc.PublishRequest(ack, c.inbox+confirmation+strconv.FormatUint(seq, 10), []byte("+ACK")))
}

// nak gives a task back, to be delivered after a delay.
func (c *core) nak(ack string, delay time.Duration) {
	body := []byte("-NAK")
	if delay > 0 {
		body = fmt.Appendf(body, ` {"delay": %d}`, delay.Nanoseconds())
	}
	c.tell(c.nc.Publish(ack, body))
}

// An exhaustedError is the error of a task whose deliveries have all remained
// without an answer.
type exhaustedError struct{ deliveries int }

func (e *exhaustedError) Error() string {
	return fmt.Sprintf("natspool: delivered %d times, and no worker has answered: they may have crashed", e.deliveries)
}

// fits returns an error if data is too much for a message.
func (c *core) fits(what string, data []byte) error {
	if limit := c.nc.MaxPayload() - overhead; int64(len(data)) > limit {
		return fmt.Errorf("natspool: the %s must be at most %d bytes, has %d", what, limit, len(data))
	}
	return nil
}
