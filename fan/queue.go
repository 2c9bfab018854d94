package fan

// A queue is first in, first out, in a ring that doubles when it is full.
type queue[T any] struct {
	ring []T
	head int
	n    int
}

func (q *queue[T]) front() T { return q.ring[q.head] }

func (q *queue[T]) push(v T) {
	if q.n == len(q.ring) {
		ring := make([]T, max(8, 2*q.n))
		copy(ring[copy(ring, q.ring[q.head:]):], q.ring[:q.head])
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = v
	q.n++
}

func (q *queue[T]) pop() (v T) {
	v, q.ring[q.head] = q.ring[q.head], v
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return v
}
