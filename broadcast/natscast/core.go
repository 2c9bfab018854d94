package natscast

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const answerTime = 10 * time.Second // how long a server may take to answer

// A core is a link on core NATS: the receiving half. The sending half is outlet.
type core struct {
	*outlet
	sink    sink
	count   *counters
	sub     *nats.Subscription
	queue   chan *nats.Msg
	status  chan nats.Status
	labels  labelReader
	origins origins
	resumed uint64 // reconnects of the connection that were noticed
	dropped int    // messages that found the queue full, as far as that was noticed
}

// newCore subscribes, and returns when the server knows.
func newCore(ctx context.Context, nc *nats.Conn, subject string, o options, to sink, count *counters) (*core, error) {
	c := &core{
		outlet: newOutlet(ctx, nc, subject, o), sink: to, count: count,
		queue:   make(chan *nats.Msg, o.queue),
		origins: origins{known: map[string]*origin{}},
		resumed: nc.Stats().Reconnects,
	}
	before := nc.LastError()
	var err error
	if c.sub, err = nc.ChanSubscribe(subject, c.queue); err != nil {
		return nil, fmt.Errorf("natscast: New: subscribing to %q: %w", subject, err)
	}
	if err := nc.FlushTimeout(answerTime); err != nil {
		_ = c.sub.Unsubscribe()
		return nil, fmt.Errorf("%w: New: subscribing to %q: %w", ErrDisconnected, subject, err)
	}
	if err := nc.LastError(); err != before && errors.Is(err, nats.ErrPermissionViolation) {
		_ = c.sub.Unsubscribe()
		return nil, fmt.Errorf("%w: New: subscribing to %q: %w", ErrUnsuitable, subject, err)
	}
	c.status = nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return c, nil
}

// receive is the goroutine that receives.
func (c *core) receive() {
	ticks := time.NewTicker(c.period / 4)
	defer ticks.Stop()
	last := time.Now() // tick
	for {
		select {
		case m := <-c.queue:
			c.takeAll(m)
		case <-c.status:
			if c.nc.IsClosed() {
				return
			}
			c.lookBack()
		case <-ticks.C:
			if c.nc.IsClosed() {
				return
			}
			c.lookBack()
			now := time.Now()
			switch {
			case now.Sub(last) > c.period/2:
				c.origins.pardon(now) // we have not listened, but waited for a subscriber
			case len(c.queue) == 0: // or what they say is in there
				for range c.origins.silent(now, c.origin) {
					c.sink.gap(0)
				}
			}
			last = now
		case <-c.ctx.Done():
			return
		}
		c.count.origins.Store(int64(len(c.origins.known)))
	}
}

// takeAll takes m and what else is there, up to what is handed on at once.
func (c *core) takeAll(m *nats.Msg) {
	now := time.Now()
	if c.count.foreign.Load() > 0 {
		c.lookBack() // these have no numbers that tell
	}
	for n := 1; m != nil; n++ {
		c.take(m, now)
		m = another(c.queue, n)
	}
	c.sink.flush()
}

// another returns what is there behind n messages, nil if there is nothing or they
// are enough at once.
func another(queue <-chan *nats.Msg, n int) *nats.Msg {
	if n < most {
		select {
		case m := <-queue:
			return m
		default:
		}
	}
	return nil
}

func (c *core) take(m *nats.Msg, now time.Time) {
	labels := m.Header[headerName]
	if len(labels) == 0 {
		c.count.foreign.Add(1)
		c.sink.value(m)
		return
	}
	l, ok := c.labels.read(labels[0])
	if !ok {
		c.sink.malformed(m, fmt.Errorf("header %q can't be read", labels[0]))
		return
	}
	if c.origins.find(l.origin) == nil {
		c.lookBack() // before it is decided what a new one has sent
	}
	f := c.origins.take(l, now)
	if f.unknown {
		c.sink.gap(0)
	}
	if f.missed > 0 {
		c.sink.gap(f.missed)
	}
	switch {
	case f.twice:
		c.count.duplicates.Add(1)
	case l.kind == kindValue:
		c.sink.value(m)
	}
}

// lookBack finds out whether something could have been lost since it was last
// called. What has a number tells that itself.
func (c *core) lookBack() {
	lost := false
	if n := c.nc.Stats().Reconnects; n != c.resumed {
		c.count.resumed.Add(n - c.resumed)
		c.resumed = n
		c.origins.lost(time.Now())
		c.announce()
		lost = true
	}
	if n, err := c.sub.Dropped(); err == nil && n != c.dropped {
		c.dropped = n
		c.origins.doubt = true
		lost = true
	}
	if lost && c.count.foreign.Load() > 0 {
		c.sink.gap(0)
	}
}

func (c *core) beside() func() { return c.beat }

func (c *core) close() {
	_ = c.sub.Unsubscribe() // it fails if the connection is closed, and then it is gone
	c.nc.RemoveStatusListener(c.status)
	c.goodbye()
}
