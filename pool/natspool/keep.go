package natspool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	maxTick = time.Second
	// maxAsks is how often the confirmation of an acknowledgement is asked for.
	maxAsks = 4
	// auditEvery is how often results that do not come are looked for, besides after
	// each reconnection.
	auditEvery = 30 * time.Second
	// auditPause is between two looks: what is on its way arrives. A worker process
	// that has lost its connection, too, has to come back meanwhile, 2 s later as a
	// rule, and to send its results again.
	auditPause = 3 * time.Second
	// auditSize is how many tasks are looked at one by one.
	auditSize = 256
	// calls to the server that nobody's context bounds take no longer.
	maxCall = 5 * time.Second
	// buryFor is how long a worker tries to store a dead letter. After buryTries in all,
	// whoever waits for the task is told of its failure. maxPause is the most between
	// two of them.
	buryFor   = 2 * time.Second
	buryTries = 3
	maxPause  = 30 * time.Second
)

// keep does, until all is over, what must be done now and then.
func (c *core) keep() {
	t := time.NewTicker(min(c.ackWait/6, maxTick))
	defer t.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case now := <-t.C:
			c.tick(now)
		}
	}
}

func (c *core) tick(now time.Time) {
	if c.nc.Status() != nats.CONNECTED {
		return // what is published now waits for the connection, and there may be much of it
	}
	reconnects := c.nc.Stats().Reconnects
	c.mu.Lock()
	back := reconnects != c.reconnects
	c.reconnects = reconnects
	pings, acks := c.dueLocked(now, back)
	results := c.dueResultsLocked(now, back)
	forgotten := c.feed != nil && c.phase < draining && (back || c.asked > 0 && now.Sub(c.heard) > askFor+silence)
	mend := c.broken && !c.mending && c.phase < draining
	c.mending = c.mending || mend
	audit := len(c.promises) > 0 && !c.auditing && (back || now.Sub(c.audited) >= auditEvery)
	if audit {
		c.auditing, c.audited = true, now
	}
	n := 0
	if !forgotten && !c.mending {
		n = c.wantedLocked()
	}
	inbox := c.feedInbox
	c.mu.Unlock()

	for _, ack := range pings {
		c.tell(c.nc.Publish(ack, []byte("+WPI")))
	}
	c.resend(results) // before the acknowledgements, as at first
	for seq, ack := range acks {
		c.acknowledge(seq, ack)
	}
	if forgotten {
		c.tell(c.startFeed())
	}
	c.ask(n, inbox)
	if mend {
		c.spawn(c.mend)
	}
	if audit {
		c.spawn(c.audit)
	}
}

// dueLocked returns where signs of life and acknowledgements are due. A third of
// the wait and a tick, a sixth, is half of the wait.
func (c *core) dueLocked(now time.Time, all bool) (pings []string, acks map[uint64]string) {
	for seq, d := range c.held {
		switch {
		case d.state == handedBack:
			continue
		case !all && now.Sub(d.touched) < c.ackWait/3:
			continue
		case d.state != ended:
			pings = append(pings, d.ack)
		case d.asks >= maxAsks:
			c.counts.Unconfirmed++
			c.dropLocked(d)
			continue
		default:
			if acks == nil {
				acks = map[uint64]string{}
			}
			acks[seq] = d.ack
			d.asks++
		}
		d.touched = now
	}
	return pings, acks
}

// mend makes what belongs to the pool again, if it is gone.
func (c *core) mend() {
	ctx, cancel := context.WithTimeout(c.life, maxCall)
	defer cancel()
	_, err := c.setUp(ctx, c.js, &c.options, true)
	c.mu.Lock()
	c.mending, c.broken = false, err != nil
	c.mu.Unlock()
	if c.life.Err() == nil {
		c.tell(err)
	}
	if err == nil {
		c.tell(c.startFeed())
	}
}

// audit looks, twice, whether tasks whose results have not come are still there. A
// task that is gone has ended, and its result was sent before that, and again each
// second: if it has not come by the second look, the worker process is gone, or had no
// room to keep the result.
func (c *core) audit() {
	defer func() {
		c.mu.Lock()
		c.auditing = false
		c.mu.Unlock()
	}()
	for range 2 {
		pause := time.NewTimer(auditPause)
		select {
		case <-c.life.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		ctx, cancel := context.WithTimeout(c.life, maxCall)
		err := c.look(ctx)
		cancel()
		if err != nil {
			if c.life.Err() == nil {
				c.tell(fmt.Errorf("natspool: results that have not come cannot be looked for: %w", err))
			}
			return
		}
	}
}

// look ends the promises whose tasks were gone the last time, too, and marks those
// whose tasks are gone.
func (c *core) look(ctx context.Context) error {
	s, err := c.js.Stream(ctx, c.stream)
	if err != nil {
		return err
	}
	first := s.CachedInfo().State.FirstSeq
	c.mu.Lock()
	var unsure []uint64
	gone := map[uint64]bool{}
	for _, p := range c.promises {
		switch {
		case p.seq == 0:
		case p.seq < first:
			gone[p.seq] = true
		case len(unsure) < auditSize:
			unsure = append(unsure, p.seq)
		}
	}
	c.mu.Unlock()
	for _, seq := range unsure {
		_, err := s.GetMsg(ctx, seq)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
		gone[seq] = err != nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for token, p := range c.promises {
		switch {
		case !gone[p.seq]:
		case p.missing:
			c.counts.Lost++
			c.resolveLocked(token, nil, ErrResultLost)
		default:
			p.missing = true
		}
	}
	return nil
}
