package natscast

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
)

const answerTime = 10 * time.Second // how long a server may take to answer

// A core is the receiving half of a link on core NATS. The sending half is outlet.
type core struct {
	*outlet
	sink    sink
	count   *counters
	subs    []*nats.Subscription
	queue   chan *nats.Msg
	status  chan nats.Status
	labels  labelReader
	origins origins
	resumed uint64 // reconnects of the connection seen so far
	dropped int    // messages dropped by a full queue, seen so far
}

// newCore subscribes, and returns when the server has confirmed the subscription.
func newCore(ctx context.Context, nc *nats.Conn, subject string, o options, to sink, count *counters) (*core, error) {
	c := &core{
		outlet: newOutlet(ctx, nc, subject, o), sink: to, count: count,
		queue:   make(chan *nats.Msg, o.queueSize),
		origins: origins{known: map[string]*origin{}},
		resumed: nc.Stats().Reconnects,
	}
	before := nc.LastError()
	var err error
	for _, s := range o.subjects {
		var sub *nats.Subscription
		if sub, err = nc.ChanSubscribe(s, c.queue); err != nil {
			break
		}
		c.subs = append(c.subs, sub)
	}
	if err == nil {
		if err = nc.FlushTimeout(answerTime); err != nil {
			err = fmt.Errorf("%w: %w", ErrDisconnected, err)
		} else if last := nc.LastError(); last != before && errors.Is(last, nats.ErrPermissionViolation) {
			err = fmt.Errorf("%w: %w", ErrUnsuitable, last)
		}
	}
	if err != nil {
		c.unsubscribe()
		return nil, fmt.Errorf("natscast: New: subscribing to %q: %w", o.subjects, err)
	}
	c.status = nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return c, nil
}

// receive is the function of the receiver.
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
				c.origins.pardon(now) // the receiver was blocked by a subscriber meanwhile
			case len(c.queue) == 0: // otherwise their messages may be in the queue
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

// takeAll takes m and the messages behind it, up to the size of a batch.
func (c *core) takeAll(m *nats.Msg) {
	now := time.Now()
	if c.count.foreign.Load() > 0 {
		c.lookBack() // foreign values have no numbers that show a loss
	}
	for m := range batch(m, c.queue) {
		c.take(m, now)
	}
	c.sink.flush()
}

// batch returns m and the messages behind it in the queue, as many as fill a batch.
func batch(m *nats.Msg, queue <-chan *nats.Msg) iter.Seq[*nats.Msg] {
	return func(yield func(*nats.Msg) bool) {
		for n := 1; yield(m) && n < most; n++ {
			select {
			case m = <-queue:
			default:
				return
			}
		}
	}
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
	if c.origins.known[l.origin] == nil {
		c.lookBack() // first, since a loss affects whether a new origin has a gap
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

// lookBack checks whether messages may have been lost since the last call. Numbered
// values show that themselves.
func (c *core) lookBack() {
	lost := false
	if n := c.nc.Stats().Reconnects; n != c.resumed {
		c.count.resumed.Add(n - c.resumed)
		c.resumed = n
		c.origins.lost(time.Now())
		lost = true
	}
	dropped := 0
	for _, sub := range c.subs {
		n, _ := sub.Dropped() // it fails if the connection is closed
		dropped += n
	}
	if dropped > c.dropped {
		c.dropped = dropped
		c.origins.doubt = true
		lost = true
	}
	if lost && c.count.foreign.Load() > 0 {
		c.sink.gap(0)
	}
}

func (c *core) close() {
	c.unsubscribe()
	c.nc.RemoveStatusListener(c.status)
	c.goodbye()
}

func (c *core) unsubscribe() {
	for _, sub := range c.subs {
		_ = sub.Unsubscribe() // it fails only if the connection is closed
	}
}
