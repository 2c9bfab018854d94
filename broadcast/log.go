package broadcast

// A log holds the last values sent: those with sequence numbers head ≤ s < tail.
// Broadcast.mu guards it. It is a ring that grows up to its capacity and is then
// overwritten.
type log[T any] struct {
	capacity   uint64
	ring       []T // doubles from firstRing until it has the capacity
	head, tail uint64
}

const firstRing = 16

// add appends v and drops the oldest value if there is no more room.
func (l *log[T]) add(v T) {
	n := uint64(len(l.ring))
	if l.tail-l.head == n && n < l.capacity {
		bigger := make([]T, min(l.capacity, max(firstRing, 2*n)))
		for s := l.head; s < l.tail; s++ {
			bigger[s%uint64(len(bigger))] = l.ring[s%n]
		}
		l.ring = bigger
	}
	l.ring[l.tail%uint64(len(l.ring))] = v
	l.tail++
	if l.tail-l.head > l.capacity {
		l.head++
	}
}

// at returns the value with sequence number s, which must be retained.
func (l *log[T]) at(s uint64) T { return l.ring[s%uint64(len(l.ring))] }
