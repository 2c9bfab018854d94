package natspool

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/internal/outcome"
)

// A delivery is a task that this process has got from the stream.
type delivery struct {
	seq       uint64 // in the stream
	delivered int    // how often, this time included, whatever became of it
	stored    time.Time
	header    nats.Header
	data      []byte

	// Of the worker that runs it.
	attempt int  // of the deliveries, those that count
	unsure  bool // attempt may be too high

	// Under core.mu.
	state   deliveryState
	ack     string    // where acknowledgements go; that of the newest delivery
	touched time.Time // when the server last heard of it, or should have
	asks    int       // for a confirmation
	backs   int       // deliveries that are no attempts, as far as known
}

type deliveryState int

const (
	queued deliveryState = iota
	running
	burying    // it has failed for good, and its dead letter is not stored yet
	ended      // and acknowledged, without a confirmation yet
	handedBack // before it began, or while it ran or was being buried
)

// Attempt returns how often the task that ctx was given to has been delivered,
// this time included, and also if it was handed back. It is 1 unless the task may
// have run before. ok is false outside tasks.
func Attempt(ctx context.Context) (n int, ok bool) {
	n, ok = ctx.Value(attemptKey{}).(int)
	return n, ok
}

// run is the function of the local pool. It returns no errors, since the error handler
// gets the context of the task. That is not the context of the local pool, which ends with
// the pool: it ends with the root, and by abort.
func (c *core) run(_ context.Context, d *delivery) (none struct{}, _ error) {
	pprof.SetGoroutineLabels(c.tasks) // the task before may have set others
	c.count(d)
	if !c.start(d) {
		return none, nil
	}
	ctx := &taskContext{Context: c.tasks, core: c, delivered: d.delivered}
	if d.attempt > c.maxDeliver {
		c.tellOfTask(ctx, c.settle(d, nil, &exhaustedError{d.delivered - 1}))
		return none, nil
	}
	outcome.Run(func() ([]byte, error) {
		result, err := c.execute(ctx, d.data)
		if err == nil {
			if err = c.fits("result", result, 0); err != nil {
				err = Permanent(err)
			}
		}
		return result, err
	}, func(result []byte, failure error) {
		err := c.settle(d, result, failure)
		c.tellOfTask(ctx, err)
		ctx.ended.Store(true)
	})
	return none, nil
}

// start notes that a task is about to run. It reports false if it is not to, as
// the pool takes no more.
func (c *core) start(d *delivery) bool {
	c.mu.Lock()
	ok := d.state == queued && c.phase < draining && !c.stopped()
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
	var h handBack
	if mine {
		h = c.returnLocked(d)
		c.dropLocked(d)
	}
	c.mu.Unlock()
	if mine {
		c.handBack(h)
	}
}

// returnLocked notes that a task is handed back.
func (c *core) returnLocked(d *delivery) handBack {
	if d.state != burying {
		c.counts.Running--
		c.counts.HandedBack++
		c.free++
	}
	d.state = handedBack
	return c.handBackLocked(d)
}

// settle ends a task that has run: it is acknowledged, handed back, delivered again
// later, or to be a dead letter. It returns the error if nobody waits for the task.
//
// A failure counts only as long as the task's context has not been ended by the pool:
// after that it may be no more than a consequence of that end.
func (c *core) settle(d *delivery, result []byte, err error) (untold error) {
	if err != nil && d.header.Get(replyHeader) == "" {
		untold = err
	}
	v := c.judge(d, err)
	c.mu.Lock()
	if d.state == running && err != nil && c.stopped() {
		h := c.returnLocked(d)
		c.dropLocked(d)
		c.changedLocked()
		c.mu.Unlock()
		c.handBack(h)
		return untold
	}
	back := d.state == handedBack
	if !back {
		c.counts.Running--
		c.countLocked(err, v)
	}
	switch {
	case back && err == nil:
		c.dropLocked(d) // it has run all the same
	case back:
		c.dropLocked(d)
		c.mu.Unlock()
		return untold // it is another worker's
	case v.letter:
		d.state = burying
	case err == nil:
		d.state, d.touched, d.data = ended, time.Now(), nil
	default:
		d.state = ended
		c.dropLocked(d)
	}
	if v.letter {
		c.mu.Unlock()
		c.bury(d, v)
		return untold
	}
	if !back {
		c.free++
	}
	ack, backs, n, inbox := d.ack, d.backs, c.wantedLocked(), c.feedInbox
	c.changedLocked()
	c.mu.Unlock()
	switch {
	case err == nil:
		c.conclude(d, ack, backs, result, nil)
	default:
		c.nak(ack, c.delay(d.attempt))
	}
	c.ask(n, inbox)
	return untold
}

// conclude sends the outcome of a task to whoever waits for it, and acknowledges the
// task. In this order, on one connection: the result of what is gone from the stream
// is on its way.
func (c *core) conclude(d *delivery, ack string, backs int, result []byte, f *failure) {
	c.answer(d, result, f)
	c.acknowledge(d.seq, ack)
	if backs > 0 {
		c.forgetBacks(d)
	}
}

// A verdict says what a run that has ended with an error means.
type verdict struct {
	failure     *failure // nil without an error
	letter      bool     // it was the last run
	undecodable bool
	exhausted   bool // it was none
}

// judge makes a verdict.
func (c *core) judge(d *delivery, err error) (v verdict) {
	if err == nil {
		return v
	}
	v.failure = failureOf(d, err)
	v.letter = d.attempt >= c.maxDeliver && !d.unsure
	_, v.exhausted = err.(*exhaustedError)
	defer func() { _ = recover() }() // a method of err has panicked, as that of a nil pointer does
	_, v.undecodable = errors.AsType[*undecodableError](err)
	v.failure.classify(err)
	v.letter = v.letter || v.undecodable || outcome.IsPermanent(err)
	return v
}

func (c *core) countLocked(err error, v verdict) {
	switch {
	case err == nil:
		c.counts.Completed++
	case v.exhausted:
		c.counts.Exhausted++
	default:
		c.counts.Failed++
		if v.undecodable {
			c.counts.Undecodable++
		}
	}
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
	return fmt.Sprintf("natspool: delivered %d times, and no worker has answered: they may have crashed, or could not store the dead letter", e.deliveries)
}

// fits returns an error if data is too much for a message with so many more bytes in
// the header.
func (c *core) fits(what string, data []byte, more int) error {
	most := c.nc.MaxPayload()
	if limit := most - min(overhead, most/2) - int64(more); int64(len(data)) > limit {
		return fmt.Errorf("natspool: the %s must be at most %d bytes, has %d", what, limit, len(data))
	}
	return nil
}
