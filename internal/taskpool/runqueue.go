package taskpool

import "github.com/tandemgo/tandem/internal/sched"

// A runQueue holds the tasks that a worker has taken and that others may steal.
//
// All of its state is in one word, so that the worker claims the next task and counts the
// last one in a single step, a thief takes tasks away in one, and a reader of Stats sees
// sums that add up. The word has eight bits each, from the lowest: the index of the next
// task to claim; the index behind the last unclaimed task; 1 while a claimed task has not
// been counted; and how many tasks have completed, failed, been cancelled, and been skipped
// because someone else had claimed them.
//
// The worker alone changes the word without Engine.mu. Under it, fill, steal and fold do.
type runQueue[T, R any] struct {
	word  sched.Uint64
	chunk *chunk[T, R] // nil if the worker rests
}

const (
	tailShift      = 8
	runningShift   = 16
	completedShift = 24
	failedShift    = 32
	cancelledShift = 40
	skippedShift   = 48

	oneHead      uint64 = 1
	oneTail      uint64 = 1 << tailShift
	oneRunning   uint64 = 1 << runningShift
	oneCompleted uint64 = 1 << completedShift
	oneFailed    uint64 = 1 << failedShift
	oneCancelled uint64 = 1 << cancelledShift
	oneSkipped   uint64 = 1 << skippedShift

	countsOf = ^(oneCompleted - 1)
)

// next counts the task that was claimed last under count, 0 if there was none, and claims
// the next one; ok is false if there is none.
func (q *runQueue[T, R]) next(count uint64) (index int, ok bool) {
	for {
		old := q.word.Load()
		head := int(uint8(old))
		to := old&^oneRunning + count
		if ok = head < int(uint8(old>>tailShift)); ok {
			to += oneHead + oneRunning
		}
		if q.word.CompareAndSwap(old, to) {
			return head, ok
		}
	}
}

// fill replaces the chunk, of which nothing but counts is left, and claims its first task for the
// worker.
func (q *runQueue[T, R]) fill(c *chunk[T, R]) {
	q.chunk = c
	q.word.Store(q.word.Load()&countsOf + uint64(c.n)*oneTail + oneHead + oneRunning)
}

// unclaimed returns how many tasks can still be claimed.
func (q *runQueue[T, R]) unclaimed() int {
	w := q.word.Load()
	return int(uint8(w>>tailShift)) - int(uint8(w))
}

// steal moves the earlier half of the unclaimed tasks, or all of them, to dst, which is empty,
// and returns how many there were.
func (q *runQueue[T, R]) steal(dst *chunk[T, R], all bool) int {
	for {
		old := q.word.Load()
		head, tail := int(uint8(old)), int(uint8(old>>tailShift))
		n := (tail - head + 1) / 2
		if all {
			n = tail - head
		}
		if n == 0 {
			return 0
		}
		if !q.word.CompareAndSwap(old, old+uint64(n)*oneHead) {
			continue
		}
		c := q.chunk
		dst.seq = c.seq + uint64(head)
		for i := range n {
			dst.push(c.pull(head + i))
		}
		return n
	}
}

// fold sets the counts to zero, and returns the word as it was.
func (q *runQueue[T, R]) fold() uint64 {
	for {
		old := q.word.Load()
		if old&countsOf == 0 || q.word.CompareAndSwap(old, old&^countsOf) {
			return old
		}
	}
}
