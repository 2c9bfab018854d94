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
	// maxAsks is how often keep asks for the confirmation of an acknowledgement.
	maxAsks = 4
	// checkEvery is the interval between checks for lost results. A reconnection also
	// starts one.
	checkEvery = 30 * time.Second
	// checkPause is how long a check waits for results that it has asked for. A worker
	// process that has lost its connection as well reconnects in this time, usually after
	// 2 s.
	checkPause = 5 * time.Second
	// checkSize is how many tasks a check looks up one by one.
	checkSize = 256
	// maxCall bounds calls to the server that have no context of a caller.
	maxCall = 5 * time.Second
	// letterWait is how long a worker waits for the first answer to a dead letter. At the
	// third attempt, letterTries, the task's Future ends with the failure. maxPause is the
	// longest pause between two attempts.
	letterWait  = 2 * time.Second
	letterTries = 3
	maxPause    = 30 * time.Second
)

// keep does the periodic work until the pool is closed.
func (c *core) keep() {
	t := time.NewTicker(min(c.ackWait/6, maxTick))
	defer t.Stop()
	for {
		select {
		case <-c.patient.Done():
			return
		case now := <-t.C:
			c.tick(now)
		}
	}
}

func (c *core) tick(now time.Time) {
	if c.nc.Status() != nats.CONNECTED {
		return // the client would buffer these messages, and there may be many
	}
	reconnects := c.nc.Stats().Reconnects
	c.mu.Lock()
	back := reconnects != c.reconnects
	c.reconnects = reconnects
	pings, acks := c.dueLocked(now, back)
	c.expireLocked()
	forgotten := back || c.asked > 0 && now.Sub(c.heard) > askFor+silence
	broken, waiting := c.broken, len(c.promises) > 0
	check := c.phase < draining && !c.checking && (broken || waiting && (back || now.Sub(c.checked) >= checkEvery))
	if check {
		c.checking, c.checked = true, now
	}
	c.mu.Unlock()

	for _, ack := range pings {
		c.tell(c.nc.Publish(ack, []byte("+WPI")))
	}
	if back {
		c.resend("") // before the acknowledgements, as conclude does
	}
	for seq, ack := range acks {
		c.acknowledge(seq, ack)
	}
	switch {
	case forgotten:
		c.requestAnew()
	case !broken:
		c.request()
	}
	if back && waiting {
		c.tell(c.nc.Publish(c.again, []byte(c.inbox)))
	}
	if check {
		c.spawn(func() { c.check(broken) })
	}
}

// dueLocked returns the subjects for signs of life and for acknowledgements that are
// due. They are due after a third of ackWait; the tick adds at most a sixth, so one is
// sent at least every half of ackWait.
func (c *core) dueLocked(now time.Time, all bool) (pings []string, acks map[uint64]string) {
	acks = map[uint64]string{}
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
			acks[seq] = d.ack
			d.asks++
		}
		d.touched = now
	}
	return pings, acks
}

// check creates the streams and the consumer of the pool again if they are missing, and
// looks for lost results.
func (c *core) check(broken bool) {
	ctx, cancel := context.WithTimeout(c.patient, maxCall)
	defer cancel()
	var err error
	if broken {
		if _, err = c.setUp(ctx, c.js, &c.options, c.workers > 0); err == nil {
			c.requestAnew()
		}
		c.mu.Lock()
		c.broken = err != nil
		c.mu.Unlock()
	}
	var gone []string
	if err == nil {
		gone, err = c.gone(ctx)
	}
	if c.patient.Err() == nil {
		c.tell(err)
	}
	c.giveUp(gone)
	c.mu.Lock()
	c.checking = false
	c.mu.Unlock()
}

// giveUp ends the promises whose tasks have ended, and whose results, which were sent before
// that, do not come when they are asked for: their processes have ended or keep them no more.
func (c *core) giveUp(gone []string) {
	if len(gone) == 0 {
		return
	}
	c.tell(c.nc.Publish(c.again, []byte(c.inbox)))
	if !c.pause(checkPause) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, token := range gone {
		if c.promises[token] != nil {
			c.counts.Lost++
			c.resolveLocked(token, nil, ErrResultLost)
		}
	}
}

// gone returns the promises whose tasks are no longer in the stream.
func (c *core) gone(ctx context.Context) (gone []string, err error) {
	s, err := c.js.Stream(ctx, c.stream)
	unsure := map[string]uint64{}
	if err == nil {
		first := s.CachedInfo().State.FirstSeq
		c.mu.Lock()
		for token, p := range c.promises {
			switch {
			case p.seq == 0: // not acknowledged yet
			case p.seq < first:
				gone = append(gone, token)
			case len(unsure) < checkSize:
				unsure[token] = p.seq
			}
		}
		c.mu.Unlock()
	}
	for token, seq := range unsure {
		if _, err = s.GetMsg(ctx, seq); errors.Is(err, jetstream.ErrMsgNotFound) {
			gone, err = append(gone, token), nil
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("natspool: results that have not come cannot be looked for: %w", err)
	}
	return gone, err
}
