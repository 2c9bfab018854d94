package natspool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The server counts the deliveries of a task, and so survives whatever a task does to
// its workers. Some deliveries are no attempts: those of a task that was handed back,
// and those to a process that had the task already. Each of them is a message in the
// stream "back", under the task's subject and its own number, so that writing it twice
// changes nothing. An attempt is a delivery without such a message. The worker that
// ends a task deletes them.

const (
	// countFor and countTries bound how long a worker tries to learn of them.
	countFor   = 2 * time.Second
	countTries = 3
)

// backSubject is what the subjects of a task's messages in the stream "back" begin
// with. The time tells tasks apart that had the same number in streams of the same
// name.
func (c *core) backSubject(d *delivery) string {
	return fmt.Sprintf("%s.%d-%d.", c.backSubj, d.seq, d.stored.UnixNano())
}

// count finds out which attempt a delivery is. It asks the server only if the task
// has been delivered before. If the server does not say, every delivery counts, and
// the delivery is unsure.
func (c *core) count(d *delivery) {
	d.attempt = d.delivered
	if d.delivered == 1 {
		return
	}
	for try := range countTries {
		if try > 0 {
			c.pause(maxTick)
		}
		ctx, cancel := context.WithTimeout(c.patient, countFor)
		n, err := c.handBacks(ctx, d)
		cancel()
		if err == nil {
			d.attempt = max(1, d.delivered-n)
			c.mu.Lock()
			d.backs += n
			c.mu.Unlock()
			return
		}
		if c.patient.Err() != nil {
			break
		}
		c.tell(fmt.Errorf("natspool: the attempts of task %d cannot be counted: %w", d.seq, err))
	}
	d.unsure = true
}

// pause waits, unless nothing is to be waited for any more.
func (c *core) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.patient.Done():
	}
}

// handBacks returns how many earlier deliveries of the task were no attempts.
func (c *core) handBacks(ctx context.Context, d *delivery) (n int, err error) {
	subject := c.backSubject(d)
	info, err := c.backs.Info(ctx, jetstream.WithSubjectFilter(subject+"*"))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		c.mendLater()
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for of := range info.State.Subjects {
		// Later ones are left from a consumer that is gone.
		if i, err := strconv.Atoi(strings.TrimPrefix(of, subject)); err == nil && i < d.delivered {
			n++
		}
	}
	return n, nil
}

// A handBack is a delivery that is no attempt.
type handBack struct {
	subject string // in the stream "back"
	ack     string // where the task is given back
}

func (c *core) handBackLocked(d *delivery) handBack {
	return handBack{c.backSubject(d) + strconv.Itoa(d.delivered), d.ack}
}

// handBack gives tasks back. The note that the delivery does not count comes first,
// and is waited for, but not for long: the caller is about to end.
func (c *core) handBack(all ...handBack) {
	ctx, cancel := context.WithTimeout(context.Background(), maxTick)
	defer cancel()
	var wg sync.WaitGroup
	for _, h := range all {
		wg.Go(func() {
			if c.nc.Status() == nats.CONNECTED {
				c.note(ctx, h.subject)
			} else {
				c.tell(c.nc.Publish(h.subject, nil)) // both wait for the connection, in this order
			}
			c.nak(h.ack, 0)
		})
	}
	wg.Wait()
}

// note stores that a delivery does not count.
func (c *core) note(ctx context.Context, subject string) {
	_, err := c.js.Publish(ctx, subject, nil)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		c.mendLater()
	}
	if err != nil {
		c.tell(fmt.Errorf("natspool: a delivery that was handed back may count as an attempt: %w", err))
	}
}

// forgetBacks deletes the messages of a task that has ended.
func (c *core) forgetBacks(d *delivery) {
	body := fmt.Appendf(nil, `{"filter":"%s*"}`, c.backSubject(d))
	c.tell(c.nc.PublishRequest(apiPrefix(c.js.Options())+"STREAM.PURGE."+c.back, c.inbox+purged, body))
}

// mendLater has keep make what is missing on the server.
func (c *core) mendLater() {
	c.mu.Lock()
	c.broken = true
	c.mu.Unlock()
}
