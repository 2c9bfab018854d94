package taskpool

import (
	"cmp"
	"time"
	"unsafe"
)

// An item is a task in the queue. The value is here if the origin of the task is detached, and
// in the task otherwise.
type item[T, R any] struct {
	value T
	task  *Task[T, R]
	at    sample // when it was accepted; 0: it is not in the sample
}

// arg returns the value.
func (it *item[T, R]) arg() T {
	if it.task.Origin.Owner == nil {
		return it.value
	}
	return it.task.Arg
}

const chunkSize = 32

// A chunk is a part of the queue, and later the run queue of the worker that took it.
type chunk[T, R any] struct {
	next  *chunk[T, R]
	n     int    // items in use
	seq   uint64 // how many tasks were accepted before items[0]; those of the others are more
	items []item[T, R]
}

// A queue, which Engine.mu guards, holds accepted tasks, first in, first out, in a list of chunks, or in an ordered pool in
// the order that it has.
type queue[T, R any] struct {
	base     time.Time // of all times that are kept as durations
	accepted uint64    // tasks so far
	room     uint64    // the number of accepted tasks below which there is room for sure
	n        int
	head     *chunk[T, R] // nil if the queue is empty
	tail     *chunk[T, R]
	order    *orderedQueue[T, R] // nil: first in, first out
	spare    *chunk[T, R]        // used chunks, for the next that are needed
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

// mostSpares is as many chunks as a queue of 1,024 small tasks needs, and 0 for large tasks.
func mostSpares[T, R any]() int {
	const bytes = 80 << 10
	return min(bytes/(itemsPerChunk[T, R]()*int(unsafe.Sizeof(item[T, R]{}))+1), 2*1024/chunkSize)
}

// len returns the number of tasks.
func (q *queue[T, R]) len() int { return q.n + q.order.len() }

// push accepts a task, which has a place if the queue has an order. It returns a queued task whose
// context may have ended, or nil.
func (q *queue[T, R]) push(it item[T, R], p *place[T, R]) (suspect *Task[T, R]) {
	o := it.task.Origin
	if o.Owner != nil {
		it.task.state.Store(queued)
	}
	if q.mortal = q.mortal || o.Lingers; q.due() {
		suspect = q.sample()
	}
	if p != nil {
		q.order.push(p, q.accepted, time.Since(q.base))
	} else {
		if q.sampler.left--; q.sampler.left < 0 {
			it.at = q.sampler.take(time.Since(q.base))
		}
		q.append(it, q.accepted)
	}
	q.accepted++
	return suspect
}

// append adds an item, which was accepted after seq others, at the end.
func (q *queue[T, R]) append(it item[T, R], seq uint64) {
	c := q.tail
	if c == nil || c.n == len(c.items) {
		c = q.grow()
		c.seq = seq
	}
	c.items[c.n] = it
	c.n++
	q.n++
}

// blank returns an empty chunk.
func (q *queue[T, R]) blank() *chunk[T, R] {
	c := q.spare
	if c == nil {
		return &chunk[T, R]{items: make([]item[T, R], itemsPerChunk[T, R]())}
	}
	q.spare, c.next = c.next, nil
	q.spares--
	return c
}

// grow adds a chunk at the end.
func (q *queue[T, R]) grow() *chunk[T, R] {
	c := q.blank()
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
	return c
}

// ready reports whether there is a task for a worker to take.
func (q *queue[T, R]) ready() bool { return q.n > 0 || q.order != nil && len(q.order.ready) > 0 }

// take removes the first chunk, or returns nil. In an ordered pool the chunk has one task, and take
// returns its lane if it has a key.
func (q *queue[T, R]) take() (c *chunk[T, R], l *lane[T, R]) {
	switch {
	case !q.ready():
		return nil, nil
	case q.order != nil:
		p, l := q.order.take(q.order.ready[0])
		c = q.blank()
		c.items[0], c.n = p.item, 1
		return c, l
	}
	c = q.head
	if q.head, c.next = c.next, nil; q.head == nil {
		q.tail = nil
	}
	q.n -= c.n
	return c, nil
}

// putBack makes c the first chunk of the queue.
func (q *queue[T, R]) putBack(c *chunk[T, R]) {
	if c.next = q.head; q.head == nil {
		q.tail = c
	}
	q.head = c
	q.n += c.n
}

// recycle keeps a chunk whose items have been cleared. c may be nil.
func (q *queue[T, R]) recycle(c *chunk[T, R]) {
	if c != nil && q.spares < mostSpares[T, R]() {
		c.n, c.next, q.spare = 0, q.spare, c
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
	if q.order != nil {
		return q.order.keep(wanted)
	}
	c := q.head
	q.head, q.tail, q.n = nil, nil, 0
	for c != nil {
		next := c.next
		for i := range c.n {
			if it := c.pull(i); wanted(it) {
				q.append(it, c.seq+uint64(i))
			} else {
				removed++
			}
		}
		q.recycle(c)
		c = next
	}
	return removed
}

// drain removes all items, and returns them in the order of acceptance.
func (q *queue[T, R]) drain() (all []item[T, R]) {
	if q.order != nil {
		return q.order.drain()
	}
	q.keep(func(it item[T, R]) bool { all = append(all, it); return false })
	q.trim()
	return all
}

// due reports whether it is time to look for tasks whose context has ended. A look at all costs as
// much as the queue is long, so it is time when the queue has taken an eighth of its length since
// the last one.
func (q *queue[T, R]) due() bool {
	return q.mortal && q.accepted-q.swept >= uint64(q.len())/8
}

// sample returns one of the oldest tasks that are queued and end with their context, another one
// each time, or nil if it finds none.
func (q *queue[T, R]) sample() *Task[T, R] {
	c, at := q.head, 2*q.accepted-q.swept
	switch {
	case q.order != nil:
		return q.order.sample(at)
	case c == nil:
		return nil
	}
	i := int(at % uint64(c.n))
	for range sampleLooks {
		if t := c.items[i].task; t.lingers() {
			return t
		}
		if i++; i == c.n {
			c, i = cmp.Or(c.next, q.head), 0
		}
	}
	return nil
}

// sampleLooks is how many tasks sample looks at. So many are not claimed in a short queue, see
// vacateLocked.
const sampleLooks = 128

// lingers reports whether t is queued and the engine drops it when its context ends.
func (t *Task[T, R]) lingers() bool { return t.Origin.Lingers && t.Queued() }
