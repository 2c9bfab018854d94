package taskpool

import (
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/shortlock"
)

// An item is a task in the queue. The value is here if the origin of the task is detached, and
// in the task otherwise.
type item[T, R any] struct {
	value T
	task  *Task[T, R]
}

// arg returns the value.
func (it *item[T, R]) arg() T {
	if it.task.Origin.Detached {
		return it.value
	}
	return it.task.Arg
}

const chunkSize = 32

// A chunk is a part of the queue, and later the run queue of the worker that took it.
type chunk[T, R any] struct {
	next    *chunk[T, R]
	n       int    // items in use
	sampled uint32 // bit i: at[i] is the time at which item i was accepted
	seq     uint64 // number of items[0] in the order of acceptance; those of others follow
	items   []item[T, R]
	at      *[chunkSize]sample // nil until a task is sampled
}

// A queue holds accepted tasks, first in, first out, in a list of chunks.
type queue[T, R any] struct {
	mu       shortlock.Mutex
	base     time.Time // of all times that are kept as durations
	accepted uint64    // tasks so far
	room     uint64    // the number of accepted tasks below which there is room for sure
	n        int
	head     *chunk[T, R] // nil if the queue is empty
	tail     *chunk[T, R]
	spare    *chunk[T, R] // used chunks, for the next that are needed
	spares   int
	sampler  sampler
	mortal   bool   // a task may be in the queue that is to be dropped when its context ends
	swept    uint64 // accepted when tasks were last looked for whose context has ended
}

// itemsPerChunk bounds a chunk in bytes as well, for large tasks.
func itemsPerChunk[T, R any]() int {
	const bytes = 8 << 10
	return min(max(bytes/int(unsafe.Sizeof(item[T, R]{})), 1), chunkSize)
}

// mostSpares is what a queue of 1,024 small tasks needs, and nothing for large tasks.
func mostSpares[T, R any]() int {
	const bytes = 80 << 10
	return min(bytes/(itemsPerChunk[T, R]()*int(unsafe.Sizeof(item[T, R]{}))+1), 2*1024/chunkSize)
}

// push adds a task that has been accepted.
func (q *queue[T, R]) push(it item[T, R]) {
	c := q.tail
	if c == nil || c.n == len(c.items) {
		c = q.grow()
	}
	c.items[c.n] = it
	it.task.accepted()
	if q.sampler.due() {
		if c.at == nil {
			c.at = new([chunkSize]sample)
		}
		c.at[c.n] = q.sampler.take(time.Since(q.base))
		c.sampled |= 1 << c.n
	}
	c.n++
	q.n++
	q.accepted++
}

// grow adds a chunk at the end.
func (q *queue[T, R]) grow() *chunk[T, R] {
	c := q.spare
	if c == nil {
		c = &chunk[T, R]{items: make([]item[T, R], itemsPerChunk[T, R]())}
	} else {
		q.spare, c.next = c.next, nil
		q.spares--
	}
	c.seq = q.accepted
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
	return c
}

// take removes the first chunk, or returns nil.
func (q *queue[T, R]) take() *chunk[T, R] {
	c := q.head
	if c == nil {
		return nil
	}
	if q.head, c.next = c.next, nil; q.head == nil {
		q.tail = nil
	}
	q.n -= c.n
	return c
}

// putBack makes chunks, a list, the first ones of the queue.
func (q *queue[T, R]) putBack(c *chunk[T, R]) {
	last := c
	for q.n += c.n; last.next != nil; last = last.next {
		q.n += last.next.n
	}
	if last.next = q.head; q.head == nil {
		q.tail = last
	}
	q.head = c
}

// recycle keeps a chunk whose items have been cleared.
func (q *queue[T, R]) recycle(c *chunk[T, R]) {
	if q.spares < mostSpares[T, R]() {
		c.n, c.sampled, c.next, q.spare = 0, 0, q.spare, c
		q.spares++
	}
}

// trim lets go of the chunks that are kept.
func (q *queue[T, R]) trim() { q.spare, q.spares = nil, 0 }

// pull takes item i out.
func (c *chunk[T, R]) pull(i int) item[T, R] {
	it := c.items[i]
	c.items[i] = item[T, R]{}
	return it
}

// keep removes the items for which wanted returns false, and returns how many there were.
func (q *queue[T, R]) keep(wanted func(item[T, R]) bool) (removed int) {
	first := q.head
	q.head, q.tail, q.n = nil, nil, 0
	for c := first; c != nil; {
		next, n := c.next, 0
		var sampled uint32
		for i := range c.n {
			it := c.pull(i)
			if !wanted(it) {
				removed++
				continue
			}
			if c.sampled>>i&1 != 0 {
				c.at[n] = c.at[i]
				sampled |= 1 << n
			}
			c.items[n] = it
			n++
		}
		c.next, c.n, c.sampled = nil, n, sampled
		if n == 0 {
			q.recycle(c)
		} else {
			if q.tail == nil {
				q.head = c
			} else {
				q.tail.next = c
			}
			q.tail = c
			q.n += n
		}
		c = next
	}
	return removed
}

// suspects returns two of the oldest tasks if it is time to look for tasks whose context has
// ended. A look costs as much as the queue is long, so it is time when the queue has taken an
// eighth of its length since the last one.
func (q *queue[T, R]) suspects() (s [2]*Task[T, R]) {
	if !q.mortal || q.n < 2 || q.accepted-q.swept < uint64(q.n)/8 {
		return s
	}
	c := q.head
	for k, n := 0, 0; k < c.n && n < len(s); k++ {
		if t := c.items[(int(q.accepted)+k)%c.n].task; mayEnd(t) {
			s[n] = t
			n++
		}
	}
	return s
}

// mayEnd reports whether t is queued, and is to be dropped by the engine if its context ends.
func mayEnd[T, R any](t *Task[T, R]) bool { return t.Origin.Lingers && t.Queued() }
