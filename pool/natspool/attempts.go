package natspool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// The server counts the deliveries of a task, so the count survives a task that kills
// its workers. Two kinds of delivery are not attempts: a delivery that was handed back,
// and a delivery to a process that already held the task. Each of them is recorded as a
// message in the stream "back", under a subject made of the task and the number of the
// delivery, so writing the record twice changes nothing. An attempt is a delivery
// without such a record. The worker that ends a task deletes its records.

// backSubject returns the prefix of the subjects under which d's records are kept in
// the stream "back". The time distinguishes tasks that had the same number in different
// streams of the same name.
func (c *core) backSubject(d *delivery) string {
	return fmt.Sprintf("%s.%d-%d.", c.backSubj, d.seq, d.stored.UnixNano())
}

// count sets d.attempt. It asks the server only if the task has been delivered before.
// If the server does not answer, count takes every delivery for an attempt and sets
// d.unsure.
func (c *core) count(d *delivery) {
	d.attempt = d.delivered
	if d.delivered == 1 {
		return
	}
	ctx, cancel := context.WithTimeout(c.patient, maxCall)
	defer cancel()
	subject := c.backSubject(d)
	info, err := c.backs.Info(ctx, jetstream.WithSubjectFilter(subject+"*"))
	switch {
	case c.noticeMissing(err):
		return
	case err != nil:
		d.unsure = true
		if c.patient.Err() == nil {
			c.tell(fmt.Errorf("natspool: the attempts of task %d cannot be counted: %w", d.seq, err))
		}
		return
	}
	for of := range info.State.Subjects {
		// Records with a higher number are left from a consumer that has been deleted.
		if n, err := strconv.Atoi(strings.TrimPrefix(of, subject)); err == nil && n < d.delivered {
			d.attempt = max(1, d.attempt-1)
		}
	}
}

// handBack hands tasks back that returnLocked has marked. It first stores that their
// deliveries do not count, and waits for that for at most maxTick, since its caller is
// about to end.
func (c *core) handBack(all ...*delivery) {
	ctx, cancel := context.WithTimeout(context.Background(), maxTick)
	defer cancel()
	var wg sync.WaitGroup
	for _, d := range all {
		wg.Go(func() {
			_, err := c.js.Publish(ctx, c.backSubject(d)+strconv.Itoa(d.delivered), nil)
			if err != nil {
				c.noticeMissing(err)
				c.tell(fmt.Errorf("natspool: a delivery that was handed back may count as an attempt: %w", err))
			}
			c.nak(d.ack, 0)
		})
	}
	wg.Wait()
}

// forgetBacks deletes the records of a task that has ended.
func (c *core) forgetBacks(d *delivery) {
	body := fmt.Appendf(nil, `{"filter":"%s*"}`, c.backSubject(d))
	c.tell(c.nc.PublishRequest(apiPrefix(c.js.Options())+"STREAM.PURGE."+c.back, c.inbox+purged, body))
}

// noticeMissing reports whether err means that a stream is missing, and if so, makes keep
// create it.
func (c *core) noticeMissing(err error) bool {
	missing := errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, jetstream.ErrStreamNotFound)
	if missing {
		c.mu.Lock()
		c.broken = true
		c.mu.Unlock()
	}
	return missing
}
