package taskpool

import "unsafe"

// An item is a task in the queue. A detached task is no more than its value; that of another one
// is in the task as soon as it is accepted.
type item[T, R any] struct {
	value  T
	origin *Origin[T, R]
	task   *Task[T, R] // nil if it is detached, or not accepted yet
	at     sample      // when it was accepted; 0: it is not in the sample
}

// arg returns the value.
func (it *item[T, R]) arg() T {
	if it.task == nil {
		return it.value
	}
	return it.task.Arg
}

// queued reports whether no one has claimed the task.
func (it *item[T, R]) queued() bool { return it.task == nil || it.task.Queued() }

// claim reports whether the caller is to run or cancel the task.
func (it *item[T, R]) claim() bool { return it.task == nil || it.task.Claim() }

// lingers reports whether the task is queued and the engine drops it when its context ends.
func (it *item[T, R]) lingers() bool { return it.origin.Lingers && it.queued() }

// A chunk is a part of the queue, and later the run queue of the worker that took it.
//
// The parts of items are in slices of their own, which are made when they are needed. Mostly all tasks
// have one origin and few are in the sample. Then the values, or the pointers to tasks, are all that
// passes from the cache of the submitter's processor to that of the worker's. Whole items would be three
// times as much, and for a small task this is what takes the time.
type chunk[T, R any] struct {
	next *chunk[T, R]
	n    int    // items that have been pushed
	size int    // that have room
	seq  uint64 // how many tasks were accepted before the first one; those of the others are more

	origin  *Origin[T, R]   // of all items; nil if they differ
	origins []*Origin[T, R] // then
	values  []T             // of detached tasks
	tasks   []*Task[T, R]   // nil for detached tasks
	sampled uint64          // bit i: times[i] is set; so a chunk has at most 64 items
	times   []sample
}

const mostItems = 64 // in a chunk

// chunkSize is mostItems, or less for large tasks.
func chunkSize[T any]() int {
	const bytes = 8 << 10
	return min(max(bytes/sizeOf[T](), 1), mostItems)
}

// mostSpares is how many used chunks are kept: twice as many as a queue of 1,024 small tasks needs, and
// none for large tasks.
func mostSpares[T any]() int {
	const bytes = 80 << 10
	return min(bytes/(chunkSize[T]()*sizeOf[T]()+1), 2*1024/mostItems)
}

func sizeOf[T any]() int {
	var zero T
	return max(int(unsafe.Sizeof(zero)), 8)
}

// push adds an item. There is room.
func (c *chunk[T, R]) push(it item[T, R]) {
	i := c.n
	c.n++
	switch {
	case i == 0:
		c.origin = it.origin
	case c.origin != it.origin:
		c.differ(i, it.origin)
	}
	if it.task != nil {
		put(&c.tasks, c.size, i, it.task)
	} else {
		put(&c.values, c.size, i, it.value)
	}
	if it.at != 0 {
		c.sampled |= 1 << i
		put(&c.times, c.size, i, it.at)
	}
}

// differ notes the origin of item i, which is not that of all items before it.
func (c *chunk[T, R]) differ(i int, o *Origin[T, R]) {
	for j := 0; c.origin != nil && j < i; j++ {
		put(&c.origins, c.size, j, c.origin)
	}
	c.origin = nil
	put(&c.origins, c.size, i, o)
}

// put sets an element of a slice, which is made if there is none yet.
func put[E any](s *[]E, size, i int, e E) {
	if *s == nil {
		*s = make([]E, size)
	}
	(*s)[i] = e
}

// item returns item i.
func (c *chunk[T, R]) item(i int) item[T, R] {
	it := item[T, R]{origin: c.origin}
	if it.origin == nil {
		it.origin = c.origins[i]
	}
	if c.tasks != nil {
		it.task = c.tasks[i]
	}
	if it.task == nil {
		it.value = c.values[i]
	}
	if c.sampled>>i&1 != 0 {
		it.at = c.times[i]
	}
	return it
}

// pull takes item i out.
func (c *chunk[T, R]) pull(i int) item[T, R] {
	it := c.item(i)
	if c.origin == nil {
		c.origins[i] = nil
	}
	if it.task != nil {
		c.tasks[i] = nil
	} else {
		var zero T
		c.values[i] = zero
	}
	return it
}

// clear makes a chunk empty whose items have been pulled.
func (c *chunk[T, R]) clear() { c.n, c.origin, c.sampled = 0, nil, 0 }
