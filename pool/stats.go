package pool

// Stats is a snapshot of a pool, taken at one instant. In each of them
//
//	Submitted == Queued + Running + Waiting + Completed + Failed + Cancelled
//	Running <= Limit, unless Resize has just lowered Limit
type Stats struct {
	Limit   int // workers allowed at once
	Workers int // workers alive, idle or not

	Queued  int // accepted and not started
	Running int // started and not finished
	Waiting int // started, and running a task they wait for in place
	Blocked int // calls of Go and Submit that wait for room, not accepted yet

	Submitted uint64 // accepted so far
	Completed uint64 // ended with a nil error
	Failed    uint64 // ended with an error, a panic or a Goexit
	Cancelled uint64 // accepted but never run

	// Of all tasks while they come slower than some 2 µs apart, of a sample of
	// them when they come faster. A task of the sample counts for those that it
	// stands for.
	QueueWait Histogram // from being accepted to the start
	RunTime   Histogram // from the start to the return; panics are left out
}

// Stats returns a consistent snapshot of the pool.
func (p *Pool[T, R]) Stats() Stats { return p.eng.stats() }
