package pool

import "sync/atomic"

// A tally is the state of a worker's batch in one word, so that everything
// about it changes at once: its owner claims the next task and counts the last
// one in a single step, a thief takes unclaimed ones away, and a reader of
// Stats sees sums that add up.
//
// Eight bits each, from the lowest: head, the next index to claim; tail, the
// index behind the last unclaimed one; running, 1 while a claimed task has not
// been counted; and how many tasks of the batch were completed, failed,
// cancelled, and skipped, which means that somebody else had claimed them. A
// count is folded into the engine's before the next batch is filled, so that
// it never exceeds maxBatch.
//
// Only the owner changes it without the engine's lock; fill, recall, steal and
// fold hold that.
type tally struct{ word atomic.Uint64 }

const (
	oneHead      uint64 = 1
	oneTail      uint64 = 1 << 8
	oneRunning   uint64 = 1 << 16
	oneCompleted uint64 = 1 << 24
	oneFailed    uint64 = 1 << 32
	oneCancelled uint64 = 1 << 40
	oneSkipped   uint64 = 1 << 48

	countsOf = ^(oneCompleted - 1)
)

// maxBatch is the most tasks that a worker takes at once. 32 is where a longer
// batch stops paying.
const maxBatch = 32

func part(word, one uint64) int { return int(word / one & 0xff) }

// next counts the task that was claimed last under count, 0 if there was none,
// and claims the next one; ok is false if there is none left.
func (t *tally) next(count uint64) (index int, ok bool) {
	for {
		old := t.word.Load()
		head := part(old, oneHead)
		to := old&^oneRunning + count
		if ok = head < part(old, oneTail); ok {
			to += oneHead + oneRunning
		}
		if t.word.CompareAndSwap(old, to) {
			return head, ok
		}
	}
}

// count counts the task that was claimed last and claims none.
func (t *tally) count(count uint64) {
	for {
		old := t.word.Load()
		if t.word.CompareAndSwap(old, old&^oneRunning+count) {
			return
		}
	}
}

// fill starts a batch of n tasks. Nothing is left of the one before, counts
// apart.
func (t *tally) fill(n int) {
	t.word.Store(t.word.Load()&countsOf + uint64(n)*oneTail)
}

// unclaimed returns how many tasks of the batch can still be taken.
func (t *tally) unclaimed() int {
	w := t.word.Load()
	return part(w, oneTail) - part(w, oneHead)
}

// steal takes the later half of the unclaimed tasks away, or all of them, and
// returns the indexes from … to-1 that are now the caller's.
func (t *tally) steal(all bool) (from, to int) {
	for {
		old := t.word.Load()
		head, tail := part(old, oneHead), part(old, oneTail)
		n := (tail - head + 1) / 2
		if all {
			n = tail - head
		}
		if n == 0 || t.word.CompareAndSwap(old, old-uint64(n)*oneTail) {
			return tail - n, tail
		}
	}
}

// fold returns the counts and sets them to 0.
func (t *tally) fold() uint64 {
	for {
		old := t.word.Load()
		if old&countsOf == 0 || t.word.CompareAndSwap(old, old&^countsOf) {
			return old
		}
	}
}
