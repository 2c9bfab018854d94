package fan

import "sync/atomic"

// A claim divides the indexes 0 … n-1 among workers. Each takes a run of
// indexes at a time, smaller towards the end, so that the shared word is touched
// seldom and an uneven input still ends balanced: guided self-scheduling, after
// C. D. Polychronopoulos and D. J. Kuck, IEEE Transactions on Computers C-36
// (1987). Equal parts for all workers, fixed in advance, cost nothing to share
// out but leave all but one idle when the costs are uneven.
type claim struct {
	next    atomic.Int64
	n       int64
	workers int64
	stopped atomic.Bool
}

// take returns the next run of indexes, lo ≤ i < hi, empty when there is none.
func (c *claim) take() (lo, hi int) {
	for {
		at := c.next.Load()
		if at >= c.n || c.stopped.Load() {
			return 0, 0
		}
		run := max(1, (c.n-at)/(2*c.workers))
		if c.next.CompareAndSwap(at, at+run) {
			return int(at), int(at + run)
		}
	}
}

// stop makes every later take return nothing.
func (c *claim) stop() { c.stopped.Store(true) }
