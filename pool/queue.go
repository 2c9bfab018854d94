package pool

import (
	"cmp"
	"slices"
	"unsafe"
)

// A queue holds accepted tasks by value, first in, first out. It is a list of
// chunks of some 4 KiB, made as they are needed and dropped as they are used
// up, so that a task that waits costs its own size, plus 8 bytes where
// neighbours have different tickets. The lock of its owner guards it.
//
// A ring that doubles was rejected: it needs up to twice the memory and does not
// give it back. A ticket beside each task was, too: for small tasks it doubles
// the cache lines that pass from the submitter's core to the worker's.
type queue[T, R any] struct {
	head, tail *chunk[T, R] // nil if empty
	n          int
	spare      *chunk[T, R] // a list of used up ones, for the next that are needed
	spares     int
}

type chunk[T, R any] struct {
	next     *chunk[T, R]
	seq      uint64 // the number of tasks[0], in the order of acceptance; the others follow
	from, to int    // tasks[from:to] are waiting
	tasks    []T
	same     *ticket[T, R]   // of every task; nil if they differ
	tickets  []*ticket[T, R] // as long as tasks, once they have differed
}

func chunkSize[T any]() int {
	const bytes, least, most = 4096, 16, 512
	return min(max(bytes/sizeOf[T](), least), most)
}

// mostSpares returns how many used up chunks are kept: as many as a queue of
// 1,024 tasks of up to 64 bytes has, and a few. With fewer, most of such a
// queue was made anew each time it filled.
func mostSpares[T any]() int {
	const bytes, least = 80 << 10, 4
	return max(bytes/(chunkSize[T]()*sizeOf[T]()), least)
}

func sizeOf[T any]() int {
	var zero T
	return int(max(unsafe.Sizeof(zero), 1))
}

func (q *queue[T, R]) grow(seq uint64) *chunk[T, R] {
	c := q.spare
	if c == nil {
		c = &chunk[T, R]{tasks: make([]T, chunkSize[T]())}
	} else {
		q.spare = c.next
		q.spares--
	}
	c.next, c.seq, c.from, c.to, c.same = nil, seq, 0, 0, nil
	return c
}

// push adds a task as the last one.
func (q *queue[T, R]) push(seq uint64, task T, t *ticket[T, R]) {
	c := q.tail
	if c == nil || !c.takes(seq) {
		c = q.grow(seq)
		if q.tail == nil {
			q.head = c
		} else {
			q.tail.next = c
		}
		q.tail = c
	}
	c.push(task, t)
	q.n++
}

// takes reports whether the task with number seq can be the next one of c.
func (c *chunk[T, R]) takes(seq uint64) bool {
	return c.to < len(c.tasks) && c.seq+uint64(c.to) == seq
}

// last returns the ticket of the last task, nil if the queue is empty.
func (q *queue[T, R]) last() *ticket[T, R] {
	switch c := q.tail; {
	case c == nil:
		return nil
	case c.same != nil:
		return c.same
	default:
		return c.tickets[c.to-1]
	}
}

func (c *chunk[T, R]) push(task T, t *ticket[T, R]) {
	switch {
	case c.to == c.from:
		c.same = t
	case c.same == t:
	case c.same == nil:
		c.tickets[c.to] = t
	default:
		if c.tickets == nil {
			c.tickets = make([]*ticket[T, R], len(c.tasks))
		}
		for i := c.from; i < c.to; i++ {
			c.tickets[i] = c.same
		}
		c.same, c.tickets[c.to] = nil, t
	}
	c.tasks[c.to] = task
	c.to++
}

// ready returns how many tasks take can return at once, and the first one's
// place in the order.
func (q *queue[T, R]) ready() (n int, seq uint64) {
	if q.head == nil {
		return 0, 0
	}
	return q.head.to - q.head.from, q.head.seq + uint64(q.head.from)
}

// take moves the first n tasks to dst, n being what ready returned at most.
func (q *queue[T, R]) take(n int, dst *batch[T, R]) {
	c := q.head
	from, to := c.from, c.from+n
	copy(dst.tasks, c.tasks[from:to])
	clear(c.tasks[from:to])
	if dst.same = c.same; dst.same == nil {
		dst.mixed(n)
		copy(dst.tickets, c.tickets[from:to])
		clear(c.tickets[from:to])
	}
	c.from = to
	if q.n -= n; c.from == c.to {
		q.dropHead()
	}
}

// dropHead lets go of the first chunk, which is used up.
func (q *queue[T, R]) dropHead() {
	c := q.head
	q.head = c.next
	if q.head == nil {
		q.tail = nil
	}
	c.next, c.same = nil, nil
	if q.spares < mostSpares[T]() {
		c.next, q.spare = q.spare, c
		q.spares++
	}
}

// moveTo moves all tasks to dst, which is empty, and takes what it has kept for
// later in exchange if that is more.
func (q *queue[T, R]) moveTo(dst *queue[T, R]) {
	dst.head, dst.tail, dst.n = q.head, q.tail, q.n
	q.head, q.tail, q.n = nil, nil, 0
	if q.spares < dst.spares {
		q.spare, dst.spare = dst.spare, q.spare
		q.spares, dst.spares = dst.spares, q.spares
	}
}

// trim lets go of what is kept for later.
func (q *queue[T, R]) trim() { q.spare, q.spares = nil, 0 }

// An item is a task on its own, outside of queue and batches.
type item[T, R any] struct {
	seq    uint64
	task   T
	ticket *ticket[T, R]
}

// bySeq compares items by the order of acceptance.
func bySeq[T, R any](a, b item[T, R]) int { return cmp.Compare(a.seq, b.seq) }

// drain empties the queue.
func (q *queue[T, R]) drain() (items []item[T, R]) {
	items = make([]item[T, R], 0, q.n)
	for c := q.head; c != nil; c = c.next {
		for i := c.from; i < c.to; i++ {
			t := c.same
			if t == nil {
				t = c.tickets[i]
			}
			items = append(items, item[T, R]{c.seq + uint64(i), c.tasks[i], t})
		}
	}
	*q = queue[T, R]{}
	return items
}

// refill puts items back, which are all there is, in their order. They are
// numbered anew, without gaps and so that the last one keeps its number.
func (q *queue[T, R]) refill(items []item[T, R]) {
	if len(items) == 0 {
		return
	}
	seq := items[len(items)-1].seq - uint64(len(items)-1)
	var from, moved *ticket[T, R] // that was moved last, and to what
	for _, it := range items {
		t := it.ticket
		if t.many && it.seq != seq {
			if from != t || moved.base-from.base != seq-it.seq {
				from, moved = t, new(*t)
				moved.base += seq - it.seq
			}
			t = moved
		}
		q.push(seq, it.task, t)
		seq++
	}
}

// compact removes the places whose task has been claimed away and returns how
// many there were.
func (q *queue[T, R]) compact() int {
	items := q.drain()
	n := len(items)
	items = slices.DeleteFunc(items, func(it item[T, R]) bool {
		return it.ticket.to != nil && !it.ticket.to.waits(it.ticket.index(it.seq))
	})
	q.refill(items)
	return n - len(items)
}
