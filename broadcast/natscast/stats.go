package natscast

import (
	"sync/atomic"

	"github.com/tandemgo/tandem/broadcast"
)

// Stats is a snapshot of a broadcast in this process.
type Stats struct {
	Sent        uint64 // values that Send has accepted
	Received    uint64 // values handed to the subscribers, ours among them
	Missed      uint64 // missing values reported as gaps, Undecodable among them
	UnknownGaps uint64 // gaps of unknown size
	Duplicates  uint64 // duplicate or late values that were dropped
	Undecodable uint64 // messages whose value or header could not be decoded
	Foreign     uint64 // values without a number; core NATS only
	Retried     uint64 // attempts to store a value that were not answered; JetStream only
	Resumed     uint64 // how often reading began again, after the connection or the consumer was lost
	Origins     int    // known senders; core NATS only

	// Local is the state of the broadcast that the subscriptions read.
	Local broadcast.Stats
}

// counters are the counters of Stats.
type counters struct {
	sent, received, missed, unknownGaps, duplicates atomic.Uint64
	undecodable, foreign, retried, resumed          atomic.Uint64
	origins                                         atomic.Int64
}

func (c *counters) snapshot() Stats {
	return Stats{
		Sent: c.sent.Load(), Received: c.received.Load(), Missed: c.missed.Load(),
		UnknownGaps: c.unknownGaps.Load(), Duplicates: c.duplicates.Load(),
		Undecodable: c.undecodable.Load(), Foreign: c.foreign.Load(),
		Retried: c.retried.Load(), Resumed: c.resumed.Load(), Origins: int(c.origins.Load()),
	}
}
