package taskpool

import (
	"cmp"
	"time"
)

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

// len returns the number of tasks.
func (q *queue[T, R]) len() int { return q.n + q.order.len() }

// push accepts a task, which has a place if the queue has an order, unless its owner does not.
func (q *queue[T, R]) push(it item[T, R], p *place[T, R]) (err error) {
	if it.origin.Owner != nil {
		if it.task, err = it.origin.Owner.Accept(it.value); err != nil {
			return err
		}
		var zero T
		it.value = zero
	}
	q.mortal = q.mortal || it.origin.Lingers
	if p != nil {
		p.item = it
		q.order.push(p, q.accepted, time.Since(q.base))
	} else {
		if q.sampler.left--; q.sampler.left < 0 {
			it.at = q.sampler.take(time.Since(q.base))
		}
		q.append(it, q.accepted)
	}
	q.accepted++
	return nil
}

// append adds an item, which was accepted after seq others, at the end.
func (q *queue[T, R]) append(it item[T, R], seq uint64) {
	c := q.tail
	if c == nil || c.n == c.size {
		c = q.grow()
		c.seq = seq
	}
	c.push(it)
	q.n++
}

// blank returns an empty chunk.
func (q *queue[T, R]) blank() *chunk[T, R] {
	c := q.spare
	if c == nil {
		return &chunk[T, R]{size: chunkSize[T]()}
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
		c.push(p.item)
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

// recycle keeps a chunk whose items have been pulled. c may be nil.
func (q *queue[T, R]) recycle(c *chunk[T, R]) {
	if c != nil && q.spares < mostSpares[T]() {
		c.clear()
		c.next, q.spare = q.spare, c
		q.spares++
	}
}

// trim lets go of the chunks that are kept.
func (q *queue[T, R]) trim() { q.spare, q.spares = nil, 0 }

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

// sample returns the origin of one of the oldest tasks that are queued and end with their context,
// of another one each time, or nil if it finds none.
func (q *queue[T, R]) sample() *Origin[T, R] {
	c, at := q.head, 2*q.accepted-q.swept
	switch {
	case q.order != nil:
		return q.order.sample(at)
	case c == nil:
		return nil
	}
	i := int(at % uint64(c.n))
	for range sampleLooks {
		if it := c.item(i); it.lingers() {
			return it.origin
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
