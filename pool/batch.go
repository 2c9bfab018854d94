package pool

import "unsafe"

// A batch is what a worker has taken from the queue at once. Which of its
// tasks are still unclaimed the worker's tally says; whoever has claimed an
// index, the owner or a thief, is the only one to touch it.
type batch[T, R any] struct {
	seq     uint64          // of tasks[0]
	tasks   []T             // as long as a batch may be
	same    *ticket[T, R]   // of every task, unless nil
	tickets []*ticket[T, R] // as long as tasks, once there was a mixed batch
	sampled int             // the index of the task that is timed, -1 for none
	sample  sample          // of that task
}

func batchSize[T any]() int {
	const bytes = 4096
	var zero T
	return min(max(bytes/int(max(unsafe.Sizeof(zero), 1)), 1), maxBatch)
}

// mixed prepares for n tasks with tickets of their own.
func (b *batch[T, R]) mixed(n int) {
	if b.tickets == nil {
		b.tickets = make([]*ticket[T, R], len(b.tasks))
	}
	b.tickets = b.tickets[:len(b.tasks)]
}

// pull empties an index that the caller has claimed.
func (b *batch[T, R]) pull(i int) (T, *ticket[T, R]) {
	var zero T
	task, t := b.tasks[i], b.same
	b.tasks[i] = zero
	if t == nil {
		t, b.tickets[i] = b.tickets[i], nil
	}
	return task, t
}

// move moves the tasks from … to-1, which the caller has claimed, to dst, which
// is empty.
func (b *batch[T, R]) move(from, to int, dst *batch[T, R]) {
	dst.seq, dst.same, dst.sampled = b.seq+uint64(from), b.same, -1
	copy(dst.tasks, b.tasks[from:to])
	clear(b.tasks[from:to])
	if dst.same == nil {
		dst.mixed(to - from)
		copy(dst.tickets, b.tickets[from:to])
		clear(b.tickets[from:to])
	}
	if from <= b.sampled && b.sampled < to {
		dst.sampled, dst.sample = b.sampled-from, b.sample
	}
}

// items returns the tasks from … to-1, which the caller has claimed.
func (b *batch[T, R]) items(from, to int) (items []item[T, R]) {
	for i := from; i < to; i++ {
		task, t := b.pull(i)
		items = append(items, item[T, R]{b.seq + uint64(i), task, t})
	}
	return items
}
