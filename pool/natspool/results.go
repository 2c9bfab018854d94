package natspool

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// keepFor is how long a process keeps the results that it has sent, for the case
	// that they have not arrived.
	keepFor = 2 * time.Minute
	// keepMost is how many bytes of results a process keeps, headers included; the
	// oldest are dropped first.
	keepMost = 8 << 20
	// resultHeader is the approximate size of a kept result without its data.
	resultHeader = 512
)

// A sentResult is a result that this process has sent. It is sent again when the waiting
// process asks for its results, which it does when it has reconnected and when a check
// misses one.
type sentResult struct {
	seq  uint64 // of the task
	msg  *nats.Msg
	made time.Time
}

// sendResult sends a result and keeps it.
func (c *core) sendResult(seq uint64, m *nats.Msg) {
	c.mu.Lock()
	c.sent = append(c.sent, sentResult{seq, m, time.Now()})
	c.sentBytes += m.Size() + resultHeader
	c.expireLocked()
	c.mu.Unlock()
	c.tell(c.nc.PublishMsg(m))
}

// expireLocked drops the results that are too old or too many.
func (c *core) expireLocked() {
	for len(c.sent) > 0 && (c.sentBytes > keepMost || time.Since(c.sent[0].made) > keepFor) {
		c.sentBytes -= c.sent[0].msg.Size() + resultHeader
		c.sent[0] = sentResult{}
		c.sent = c.sent[1:]
	}
}

// resend sends kept results again: those for the process with the given inbox, or, for
// "", those of tasks whose acknowledgement is not confirmed. A confirmation means that the
// server has got the result too, which was sent before.
func (c *core) resend(inbox string) {
	var all []*nats.Msg
	c.mu.Lock()
	for _, r := range c.sent {
		if inbox == "" && c.held[r.seq] != nil || inbox != "" && strings.HasPrefix(r.msg.Subject, inbox) {
			all = append(all, r.msg)
		}
	}
	c.mu.Unlock()
	for _, m := range all {
		c.tell(c.nc.PublishMsg(m))
	}
}
