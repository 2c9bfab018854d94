package natspool

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandemgo/tandem/pool"
)

// A delivery is a task that has been delivered to this process.
type delivery struct {
	seq       uint64 // in the stream
	delivered int    // number of this delivery, counted by the server from 1
	stored    time.Time
	header    nats.Header
	data      []byte

	// Used only by the worker that runs it.
	attempt int  // number of the deliveries that are attempts
	unsure  bool // attempt may be too high

	// Guarded by core.mu.
	state   deliveryState
	ack     string    // subject for acknowledgements, from the newest delivery
	touched time.Time // time of the last message to or from the server about it
	asks    int       // requests for a confirmation
	spared  bool      // delivered again while it ran
}

type deliveryState int

const (
	running    deliveryState = iota
	dead                     // failed for good, and the dead letter is not stored yet
	ended                    // acknowledged, and not confirmed yet
	handedBack               // before it began, while it ran or before the dead letter was stored
)

// Attempt returns how often the task that ctx belongs to has been delivered, this
// delivery included, also if it was handed back. It is 1 unless the task may have run
// before. ok is false outside tasks.
func Attempt(ctx context.Context) (n int, ok bool) {
	n, ok = ctx.Value(attemptKey{}).(int)
	return n, ok
}

// run runs a task on a goroutine of its own. There are never more of them than workers,
// since no more tasks are requested.
func (c *core) run(d *delivery) {
	pprof.SetGoroutineLabels(c.tasks)
	c.count(d)
	c.mu.Lock()
	runs := d.state == running && c.phase < draining && !c.stopped()
	c.mu.Unlock()
	if !runs {
		c.giveBack(d)
		return
	}
	ctx := &taskContext{Context: c.tasks, core: c, delivered: d.delivered}
	var result []byte
	err := pool.ErrGoexit // unless execute returns or panics
	defer func() {
		if r := recover(); r != nil {
			err = pool.Recovered(r)
		}
		defer c.settle(d, result, err) // also after a Goexit of the error handler
		defer ctx.ended.Store(true)
		if replyTo(d.header) == "" {
			c.tellOfTask(ctx, err)
		}
	}()
	if d.attempt > c.maxDeliver {
		err = &markedError{fmt.Errorf("natspool: delivered %d times, and no worker has answered: they may have crashed, or could not store the dead letter", d.delivered-1), exhausted}
		return
	}
	result, err = c.execute(ctx, d.data)
	if err == nil {
		if err = c.fits("result", result, 0); err != nil {
			err = Permanent(err)
		}
	}
}

// giveBack hands a task back, unless abort has done so.
func (c *core) giveBack(d *delivery) {
	c.mu.Lock()
	mine := d.state == running
	if mine {
		c.returnLocked(d)
	}
	c.dropLocked(d)
	c.mu.Unlock()
	if mine {
		c.handBack(d)
	}
}

// returnLocked marks a task as handed back.
func (c *core) returnLocked(d *delivery) {
	if d.state != dead {
		c.counts.Running--
		c.counts.HandedBack++
		c.free++
	}
	d.state = handedBack
}

// settle ends a task that has run: the task is acknowledged, handed back, delivered
// again later, or made a dead letter.
//
// A failure does not count once the pool has ended the task's context, since the
// failure may be a consequence of that.
func (c *core) settle(d *delivery, result []byte, err error) {
	f, letter := c.judge(d, err)
	c.mu.Lock()
	back := d.state == handedBack // a success counts nevertheless
	if err != nil && (back || c.stopped()) {
		c.mu.Unlock()
		c.giveBack(d)
		return
	}
	if !back {
		c.counts.Running--
		c.countLocked(f)
		if !letter {
			c.free++
		}
	}
	var then func()
	switch {
	case letter:
		d.state = dead
		then = func() { c.storeDeadLetter(d, f) } // the worker stays occupied for a while
	case err != nil:
		c.dropLocked(d)
		then = func() { c.nak(d.ack, c.delay(d.attempt)) }
	default:
		c.endLocked(d)
		then = func() { c.conclude(d, result, nil) }
	}
	c.mu.Unlock()
	then()
	c.request()
}

// endLocked marks a task as ended, or drops one that was handed back and has ended all
// the same.
func (c *core) endLocked(d *delivery) {
	if d.state == handedBack {
		c.dropLocked(d)
	} else {
		d.state, d.touched, d.data, d.asks = ended, time.Now(), nil, 0
		c.changedLocked()
	}
}

// conclude sends the outcome of a task to the process that waits for it and then
// acknowledges the task. Both use one connection, so the result of a task that is gone
// from the stream has been sent.
func (c *core) conclude(d *delivery, result []byte, f *failure) {
	c.answer(d, result, f)
	c.mu.Lock()
	ack, records := d.ack, d.spared || d.delivered > 1
	c.mu.Unlock()
	c.acknowledge(d.seq, ack)
	if records {
		c.forgetBacks(d)
	}
}

// judge returns the failure for a run that has returned err, and whether the task becomes
// a dead letter. Package fmt recovers the panics of the methods of err.
func (c *core) judge(d *delivery, err error) (f *failure, letter bool) {
	if err == nil {
		return nil, false
	}
	f = &failure{Text: cut(fmt.Sprint(err), maxText), Attempts: d.delivered}
	letter = d.attempt >= c.maxDeliver && !d.unsure
	defer func() { _ = recover() }() // a method of err has panicked, for example on a nil pointer
	if p, ok := errors.AsType[*pool.PanicError](err); ok {
		f.Kind, f.Text, f.Stack = panicked, cut(fmt.Sprint(p.Value), maxText), cut(string(p.Stack), maxStack)
	}
	if m, ok := errors.AsType[*markedError](err); ok && m.kind != "" {
		f.Kind = m.kind
	} else if errors.Is(err, pool.ErrGoexit) {
		f.Kind = exited
	}
	return f, letter || isPermanent(err)
}

// countLocked counts a run that has ended with f, nil for a success.
func (c *core) countLocked(f *failure) {
	switch {
	case f == nil:
		c.counts.Completed++
	case f.Kind == exhausted:
		c.counts.Exhausted++
	case f.Kind == undecodable:
		c.counts.Undecodable++
		c.counts.Failed++
	default:
		c.counts.Failed++
	}
}

// dropLocked removes a task from held, unless a newer delivery has replaced it.
func (c *core) dropLocked(d *delivery) {
	if c.held[d.seq] == d {
		delete(c.held, d.seq)
		c.changedLocked()
	}
}

// delay returns how long a task waits after the given attempt before the next.
func (c *core) delay(attempt int) time.Duration {
	return c.backoff[min(attempt, len(c.backoff))-1]
}

// acknowledge tells the server that a task is complete and asks for a confirmation.
func (c *core) acknowledge(seq uint64, ack string) {
	c.tell(c.nc.PublishRequest(ack, c.inbox+confirmation+"."+strconv.FormatUint(seq, 10), []byte("+ACK")))
}

// nak hands a task back to the server, which delivers it again after a delay.
func (c *core) nak(ack string, delay time.Duration) {
	body := []byte("-NAK")
	if delay > 0 {
		body = fmt.Appendf(body, ` {"delay": %d}`, delay.Nanoseconds())
	}
	c.tell(c.nc.Publish(ack, body))
}

// fits returns an error if data and a header of more bytes are too large for a message.
func (c *core) fits(what string, data []byte, more int) error {
	most := c.nc.MaxPayload()
	if limit := most - min(overhead, most/2) - int64(more); int64(len(data)) > limit {
		return fmt.Errorf("natspool: the %s must be at most %d bytes, has %d", what, limit, len(data))
	}
	return nil
}
