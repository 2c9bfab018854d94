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
	l.base, l.since = l.limit, time.Now()
	return l
}

// The pace at which a link grows and shrinks: time for an item.
const (
	fast = 4 * time.Microsecond
	slow = 16 * time.Microsecond
)

// glance is how many items the sender of a link that has grown sends at most
// before it takes a second look at the pace.
const glance = 128

// adapt adapts the link to the pace at which items have gone over it since it was
// last measured. The time of a sender at work and of one that is parked both count, so
// a link that is fast has two ends that are. It grows only if it has been full and
// has emptied again, and if as many items as it holds were fast on average: a
// receiver that was held up takes some at once, and is not fast for that. A wake-up by
// itself says nothing.
func (l *Link[T]) adapt() {
	n := l.given - l.passed
	if n < max(1, l.base/2) {
		return
	}
	took := time.Since(l.since)
	if n < min(l.limit/2, glance) && took < glance*slow {
		return // too few to say, and not much time
	}
	pace := took / time.Duration(n)
	switch {
	case pace > slow:
		l.limit = max(l.base, l.limit/2)
	case pace < fast && n < l.limit:
		return // not for long enough yet
	case pace < fast && l.full && l.limit < most && 2*l.limit*uint64(unsafe.Sizeof(*new(T))) <= mostBytes:
		l.limit *= 2
	}
	l.passed, l.since, l.full = l.given, time.Now(), false
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
