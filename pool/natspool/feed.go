package natspool

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// askFor is how long the server keeps a request for tasks. After that it says
	// so, which is how an idle pool knows that it has not been forgotten.
	askFor = 5 * time.Second
	// silence is how much later a server that has not said so has forgotten.
	silence = 2 * time.Second
	// maxAsk is the most that is asked for at once; a server may have a limit.
	maxAsk = 256
)

// startFeed subscribes to tasks and asks for the first. The inbox is a new one each
// time, so that what was asked for by way of an old one is void.
func (c *core) startFeed() error {
	inbox := c.nc.NewInbox() + "."
	sub, err := c.nc.Subscribe(inbox+"*", func(m *nats.Msg) { c.arrive(inbox, m) })
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // no more comes than has been asked for
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.phase >= draining {
		c.mu.Unlock()
		return sub.Unsubscribe()
	}
	old := c.feed
	c.feed, c.feedInbox, c.asked = sub, inbox, 0
	n := c.wantedLocked()
	c.mu.Unlock()
	if old != nil {
		old.Drain() // what is on the way still arrives
	}
	c.ask(n, inbox)
	return nil
}

// wantedLocked returns how many tasks to ask the server for, and notes that they
// have been asked for. It waits until half of the free workers are asked for by
// nobody, or all of them: many requests for one task each would cost more than the
// tasks.
func (c *core) wantedLocked() int {
	want := min(c.free-c.asked, maxAsk)
	if c.phase >= draining || c.stopped() || c.feed == nil || want < 1 || c.asked > 0 && 2*want < c.free {
		return 0
	}
	c.asked += want
	c.heard = time.Now()
	return want
}

// ask sends the server a request for n tasks. The subject of what it says about
// the request ends in n.
func (c *core) ask(n int, inbox string) {
	if n > 0 {
		body := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, n, askFor.Nanoseconds())
		c.tell(c.nc.PublishRequest(c.next, inbox+strconv.Itoa(n), body))
	}
}

// arrive is called with each message of the feed, one after the other.
func (c *core) arrive(inbox string, m *nats.Msg) {
	if strings.HasPrefix(m.Subject, inbox) {
		c.hear(inbox, m)
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		c.tell(fmt.Errorf("natspool: a message that is no delivery: %w", err))
		return
	}
	d := &delivery{
		seq: meta.Sequence.Stream, delivered: int(meta.NumDelivered), stored: meta.Timestamp,
		header: m.Header, data: m.Data, ack: m.Reply, touched: time.Now(),
	}
	c.mu.Lock()
	if inbox == c.feedInbox {
		c.asked = max(c.asked-1, 0)
	}
	c.heard = d.touched
	c.counts.Delivered++
	if d.delivered > 1 {
		c.counts.Redelivered++
	}
	have := c.held[d.seq]
	fits := have == nil && c.phase < draining && !c.stopped() && c.free > 0
	again := false
	back := c.handBackLocked(d)
	switch {
	case have != nil:
		c.counts.Spared++
		have.ack, have.touched, again = d.ack, d.touched, have.state == ended
		if !again {
			have.backs++
		}
	case !fits:
		c.counts.HandedBack++
	default:
		c.counts.Running++
		c.free--
		c.held[d.seq] = d
	}
	n := c.wantedLocked()
	c.mu.Unlock()
	switch {
	case again:
		c.acknowledge(d.seq, d.ack)
	case have != nil:
		c.tell(c.nc.Publish(back.subject, nil)) // it is the same run
	case !fits:
		c.spawn(func() { c.handBack(back) })
	default:
		// The context of the local pool is nobody's: run makes that of the task.
		if c.local.Go(context.Background(), d) != nil { // the pool has begun to end
			c.spawn(func() { c.giveBack(d) })
		}
	}
	c.ask(n, inbox)
}

// hear is called with what the server says about a request: as a rule, that it
// has expired.
func (c *core) hear(inbox string, m *nats.Msg) {
	status, text := m.Header.Get("Status"), m.Header.Get("Description")
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		left, _ = strconv.Atoi(m.Subject[len(inbox):])
	}
	const expired, conflict, noResponders, control = "408", "409", "503", "100"
	if status == control {
		return
	}
	deleted := status == conflict && strings.Contains(strings.ToLower(text), "deleted")
	n := 0
	c.mu.Lock()
	if c.feedInbox != inbox {
		c.mu.Unlock()
		return
	}
	c.asked = max(c.asked-left, 0)
	c.heard = time.Now()
	if status == expired {
		n = c.wantedLocked()
	}
	// Otherwise keep asks again, a little later.
	c.broken = c.broken || deleted || status == noResponders
	c.mu.Unlock()
	c.ask(n, inbox)
	if status != expired && status != noResponders {
		c.tell(fmt.Errorf("natspool: the server does not deliver: %s %s", status, text))
	}
}
