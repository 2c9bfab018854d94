package natspool

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// keepFor is how long a worker process keeps a result that nobody has confirmed.
	keepFor = 2 * time.Minute
	// keepMost is how many bytes of such results a process keeps, headers included. A
	// result for which there is no room is sent once.
	keepMost = 8 << 20
	// resultHeader is about what a result costs beside its data.
	resultHeader = 512
)

// A sentResult is a result that has been sent, and that the process that waits has not
// confirmed yet. That process may be disconnected, or a server may have lost it.
type sentResult struct {
	msg  *nats.Msg
	made time.Time
	sent time.Time // the last time
}

// sendResult sends a result and keeps it until it is confirmed.
func (c *core) sendResult(seq uint64, m *nats.Msg) {
	m.Reply = c.inbox + receipt + strconv.FormatUint(seq, 10)
	now := time.Now()
	c.mu.Lock()
	c.releaseLocked(seq)
	if size := m.Size() + resultHeader; c.sentBytes+size <= keepMost {
		c.sentBytes += size
		c.sent[seq] = &sentResult{msg: m, made: now, sent: now}
	}
	c.mu.Unlock()
	err := c.nc.PublishMsg(m)
	if errors.Is(err, nats.ErrBadSubject) { // of a message that no pool has made
		c.mu.Lock()
		c.releaseLocked(seq)
		c.mu.Unlock()
	}
	c.tell(err)
}

// releaseLocked forgets a result that is confirmed, or too old.
func (c *core) releaseLocked(seq uint64) {
	if r := c.sent[seq]; r != nil {
		c.sentBytes -= r.msg.Size() + resultHeader
		delete(c.sent, seq)
		c.changedLocked()
	}
}

// received is called when the process that waits for a result confirms it. That
// process is there, so what was sent to it in vain is sent again.
func (c *core) received(token string) {
	seq, err := strconv.ParseUint(token, 10, 64)
	if err != nil {
		return
	}
	var again []*nats.Msg
	now := time.Now()
	c.mu.Lock()
	if r := c.sent[seq]; r != nil {
		to := inboxOf(r.msg)
		c.releaseLocked(seq)
		for _, r := range c.sent {
			if now.Sub(r.sent) >= maxTick && inboxOf(r.msg) == to {
				again, r.sent = append(again, r.msg), now
			}
		}
	}
	c.mu.Unlock()
	c.resend(again)
}

// dueResultsLocked returns the results to send again: after a reconnection all,
// otherwise one for each process that has not confirmed.
func (c *core) dueResultsLocked(now time.Time, back bool) (due []*nats.Msg) {
	asked := map[string]bool{}
	for seq, r := range c.sent {
		if now.Sub(r.made) >= keepFor {
			c.releaseLocked(seq)
			continue
		}
		to := inboxOf(r.msg)
		if back || now.Sub(r.sent) >= maxTick && !asked[to] {
			asked[to] = true
			due, r.sent = append(due, r.msg), now
		}
	}
	return due
}

func (c *core) resend(all []*nats.Msg) {
	for _, m := range all {
		c.tell(c.nc.PublishMsg(m))
	}
}

// inboxOf returns what the subjects of all results for one process begin with.
func inboxOf(m *nats.Msg) string { return m.Subject[:max(0, strings.LastIndexByte(m.Subject, '.'))] }
