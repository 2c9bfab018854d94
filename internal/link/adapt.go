package link

import (
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	// most is how far an adaptive link grows, if that is not more than mostBytes.
	most      = 1024
	mostBytes = 64 << 10
)

// Adaptive returns a link of the given capacity, with what the receiver has in
// hand, that grows while its ends are fast and shrinks back when they are not.
func Adaptive[T any](base int) *Link[T] {
	l := New[T](base - 1)
	l.base = l.limit
	return l
}

// The pace at which a link grows and shrinks: time for an item.
const (
	fast = 4 * time.Microsecond
	slow = 16 * time.Microsecond
)

// Unpark is called by the sender when it has parked and been woken, and adapts
// the link to how long that took.
func (l *Link[T]) Unpark() {
	if l.base == 0 || l.parked.IsZero() {
		return
	}
	before := l.given
	l.know(l.freed.Load() / giveOne)
	pace := time.Since(l.parked) / time.Duration(max(1, l.given-before))
	l.parked = time.Time{}
	switch {
	case pace > slow:
		l.limit = max(l.base, l.limit/2)
	case pace < fast && l.limit < most && 2*l.limit*uint64(unsafe.Sizeof(*new(T))) <= mostBytes:
		l.limit *= 2
		if l.limit > uint64(len(l.slots)) {
			next := newSegment[T](l.sent, l.limit)
			l.to.next.Store(next)
			l.to, l.slots = next, next.slots
			l.atSender("link: has grown")
		}
	}
	l.know(l.given)
}

// A segment is a part of a link's memory. There is one, until the link grows.
type segment[T any] struct {
	base  uint64 // its first item
	slots []T
	next  atomic.Pointer[segment[T]] // set before its first item is published
}

func newSegment[T any](base, size uint64) *segment[T] {
	n := uint64(1)
	for n < size {
		n *= 2
	}
	return &segment[T]{base: base, slots: make([]T, n)}
}
