package natspool

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// askFor is how long the server keeps a request for tasks. After that the server
	// answers that the request has expired, so an idle pool knows that its request was
	// kept.
	askFor = 5 * time.Second
	// silence is how long after askFor the pool waits for that answer before it takes
	// the request for lost.
	silence = 2 * time.Second
	// maxAsk is the largest number of tasks in one request; a server may have a limit.
	maxAsk = 256
)

// startFeed subscribes to tasks and sends the first request. Each call uses a new
// inbox, so that requests under an old inbox no longer count.
func (c *core) startFeed() error {
	inbox := c.nc.NewInbox() + "."
	sub, err := c.nc.Subscribe(inbox+"*", func(m *nats.Msg) { c.arrive(inbox, m) })
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // deliveries are bounded by the requests
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
	c.mu.Unlock()
	if old != nil {
		_ = old.Drain() // messages in flight still arrive; it fails if the connection is closed
	}
	c.request()
	return nil
}

// request asks the server for tasks for the free workers. It does nothing while fewer than
// half of them are without a request: one request for each task would cost more than the
// tasks. The reply subject ends in the number of tasks, so that hear knows how many a
// status message is about.
func (c *core) request() {
	c.mu.Lock()
	want := min(c.free-c.asked, maxAsk)
	if c.phase >= draining || c.stopped() || c.feed == nil || want < 1 || c.asked > 0 && 2*want < c.free {
		c.mu.Unlock()
		return
	}
	c.asked += want
	c.heard = time.Now()
	reply := c.feedInbox + strconv.Itoa(want)
	c.mu.Unlock()
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, want, askFor.Nanoseconds())
	c.tell(c.nc.PublishRequest(c.next, reply, body))
}

// arrive is called with the messages of the feed, one at a time.
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
	if have != nil && have.state == handedBack {
		have = nil // it came before the server knew that this process takes no more
	}
	fits := have == nil && c.phase < draining && !c.stopped() && c.free > 0
	again := false
	switch {
	case have != nil:
		c.counts.Spared++
		again = have.state == ended
		have.spared = have.spared || !again
		have.ack, have.touched = d.ack, d.touched
	case !fits:
		c.counts.HandedBack++
	default:
		c.counts.Running++
		c.free--
		c.held[d.seq] = d
		c.background.Go(func() { c.run(d) })
	}
	c.mu.Unlock()
	switch {
	case again:
		c.acknowledge(d.seq, d.ack)
	case have != nil:
		c.tell(c.nc.Publish(c.backSubject(d)+strconv.Itoa(d.delivered), nil)) // the task runs already, so this delivery is not an attempt
	case !fits:
		c.spawn(func() { c.handBack(d) })
	}
	c.request()
}

// hear is called with the server's status messages about a request, usually that it has
// expired.
func (c *core) hear(inbox string, m *nats.Msg) {
	status, text := m.Header.Get("Status"), m.Header.Get("Description")
	left, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		left, _ = strconv.Atoi(m.Subject[len(inbox):])
	}
	const expired, conflict, noResponders = "408", "409", "503"
	deleted := status == conflict && strings.Contains(strings.ToLower(text), "deleted")
	c.mu.Lock()
	if c.feedInbox != inbox {
		c.mu.Unlock()
		return
	}
	c.asked = max(c.asked-left, 0)
	c.heard = time.Now()
	c.broken = c.broken || deleted || status == noResponders
	c.mu.Unlock()
	switch status { // after others, keep sends the next request, at its next tick
	case expired:
		c.request()
	case noResponders:
	default:
		c.tell(fmt.Errorf("natspool: the server does not deliver: %s %s", status, text))
	}
}
