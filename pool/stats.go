package pool

import (
	"fmt"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Stats is a snapshot of a pool, taken at one instant. In each of them
//
//	Submitted == Queued + Running + Waiting + Completed + Failed + Cancelled
//	Running <= Limit, unless Resize has just lowered Limit
type Stats struct {
	Limit   int // workers allowed at once
	Workers int // workers alive, idle or not
	Room    int // tasks that may be queued while all workers are busy, as set by WithQueue

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

// Stats returns a consistent snapshot of the pool. It costs a lock, and more with more workers.
func (p *Pool[T, R]) Stats() Stats {
	misuse.Zero(p.eng == nil, "pool: Stats", "Pool", "New")
	s := p.eng.Stats()
	return Stats{
		Limit: s.Limit, Workers: s.Workers, Room: p.eng.Room,
		Queued: s.Queued, Running: s.Running, Waiting: s.Waiting, Blocked: s.Blocked,
		Submitted: s.Accepted, Completed: s.Completed, Failed: s.Failed, Cancelled: s.Cancelled,
		QueueWait: newHistogram(&p.eng.Waits), RunTime: newHistogram(&p.eng.Runs),
	}
}

// String returns the figures in one line.
func (s Stats) String() string {
	return fmt.Sprintf("%d of %d workers, %d queued, %d running, %d waiting, %d blocked; %d submitted, %d completed, %d failed, %d cancelled; wait %v; run %v",
		s.Workers, s.Limit, s.Queued, s.Running, s.Waiting, s.Blocked, s.Submitted, s.Completed, s.Failed, s.Cancelled, s.QueueWait, s.RunTime)
}
