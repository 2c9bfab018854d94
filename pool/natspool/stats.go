package natspool

import "context"

// Stats is a snapshot of the state and the counters of one process, taken at one
// instant. In each of them
//
//	Delivered == Running + Completed + Failed + HandedBack + Spared + Exhausted
//	Running <= Workers
type Stats struct {
	Workers int // tasks that may run at once in this process
	Running int // delivered to this process and not ended
	Waiting int // Futures of this process without a result

	Submitted  uint64 // tasks of this process that the stream has acknowledged
	Duplicates uint64 // of them, those that it had already
	Lost       uint64 // Futures that ended with ErrResultLost

	Delivered   uint64 // deliveries to this process
	Redelivered uint64 // of them, those of a task that had been delivered before, to any process
	Completed   uint64 // ran and ended with a nil error
	Failed      uint64 // ran and ended with an error, a panic or a Goexit, or were undecodable
	HandedBack  uint64 // handed back before or while they ran, by Shutdown or the end of the context of WithContext
	Spared      uint64 // not run, since this process had the task already
	Exhausted   uint64 // not run, since the task had been delivered too often
	Undecodable uint64 // of those that failed, those that the codec could not decode
	Dead        uint64 // tasks that this process made dead letters of
	Unconfirmed uint64 // acknowledgements that the server never confirmed: the task may run again
}

// Stats returns a snapshot of this process. It does not include the tasks that wait in
// the stream; ask the server for those.
func (p *Pool[T, R]) Stats() Stats {
	c := p.in(context.Background(), "Stats")
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.counts
	s.Workers, s.Waiting = c.workers, len(c.promises)
	return s
}
