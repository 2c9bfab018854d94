package natspool

import (
	"cmp"
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

// requestAnew requests tasks after the server may have forgotten the earlier requests,
// which count no more. What it delivers for one that it still has is handed back if no
// worker is free.
func (c *core) requestAnew() {
	c.mu.Lock()
	c.round++
	c.asked = 0
	c.mu.Unlock()
	c.request()
}

// request asks the server for tasks for the free workers. It does nothing while fewer than
// half of them are without a request: one request for each task would cost more than the
// tasks. The reply subject ends in the round and the number of tasks, so that hear knows
// what a status message is about.
func (c *core) request() {
	c.mu.Lock()
	want := min(c.free-c.asked, maxAsk)
	if c.phase >= draining || c.stopped() || want < 1 || c.asked > 0 && 2*want < c.free {
		c.mu.Unlock()
		return
	}
	c.asked += want
	c.heard = time.Now()
	reply := fmt.Sprintf("%s%d.%d", c.feedInbox, c.round, want)
	c.mu.Unlock()
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, want, askFor.Nanoseconds())
	c.tell(c.nc.PublishRequest(c.next, reply, body))
}

// arrive is called with the messages of the feed, one at a time.
func (c *core) arrive(m *nats.Msg) {
	if status, ok := strings.CutPrefix(m.Subject, c.feedInbox); ok {
		c.hear(status, m.Header)
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
	c.asked = max(c.asked-1, 0)
	c.heard = d.touched
	c.counts.Delivered++
	if d.delivered > 1 {
		c.counts.Redelivered++
	}
	have, then := c.held[d.seq], func() {}
	switch {
	case have != nil && have.state == ended:
		c.counts.Spared++
		have.ack, have.touched = d.ack, d.touched
		then = func() { c.acknowledge(d.seq, d.ack) }
	case have != nil && have.state != handedBack: // the task runs already, so this delivery is not an attempt
		c.counts.Spared++
		have.ack, have.touched, have.spared = d.ack, d.touched, true
		then = func() { c.tell(c.nc.Publish(c.backSubject(d)+strconv.Itoa(d.delivered), nil)) }
	case c.free == 0 || c.phase >= draining || c.stopped():
		c.counts.HandedBack++
		then = func() { c.spawn(func() { c.handBack(d) }) }
	default:
		c.counts.Running++
		c.free--
		c.held[d.seq] = d
		c.background.Go(func() { c.run(d) })
	}
	c.mu.Unlock()
	then()
	c.request()
}

// hear is called with the server's status messages about a request, usually that it has
// expired.
func (c *core) hear(request string, h nats.Header) {
	status, text := h.Get("Status"), h.Get("Description")
	round, want, _ := strings.Cut(request, ".")
	left, err := strconv.Atoi(cmp.Or(h.Get("Nats-Pending-Messages"), want))
	const expired, conflict, noResponders = "408", "409", "503"
	deleted := status == conflict && strings.Contains(strings.ToLower(text), "deleted")
	c.mu.Lock()
	if err != nil || round != strconv.Itoa(c.round) {
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
