package spsc

import (
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/sched"
)

const (
	// most is how far an adaptive ring grows, if that is not more than mostBytes.
	most      = 1024
	mostBytes = 64 << 10
)

// Adaptive returns a ring of the given capacity, the item in the receiver's hand included.
// It grows while its ends are fast and shrinks back when they are not.
func Adaptive[T any](base int) *Ring[T] {
	r := &Ring[T]{room: make(chan struct{}, 1), ready: make(chan struct{}, 1)}
	r.Adapt(base)
	return r
}

// Adapt makes the ring one of Adaptive with the given capacity. It must be called before the
// ring is used.
func (r *Ring[T]) Adapt(base int) {
	r.Bound(base - 1)
	r.base, r.since = r.limit, time.Now()
}

// The pace at which a ring grows and shrinks: time for an item.
const (
	fast = 4 * time.Microsecond
	slow = 16 * time.Microsecond
)

// glance is how many items the sender of a ring that has grown sends at most
// before it takes a second look at the pace.
const glance = 128

// adapt adapts the limit to the pace at which items have gone over the ring since it was
// last measured. The time of a sender at work and that of a parked one both count, so a
// fast ring has two fast ends. The limit grows only if the ring has been full and has
// emptied again, and if as many items as it holds were fast on average: a receiver that
// was held up takes some at once, and is not fast for that reason. A wake-up alone is no
// evidence.
func (r *Ring[T]) adapt() {
	n := r.given - r.passed
	if n < max(1, r.base/2) {
		return
	}
	took := time.Since(r.since)
	if n < min(r.limit/2, glance) && took < glance*slow {
		return // too few to say, and not much time
	}
	pace := took / time.Duration(n)
	switch {
	case pace > slow:
		r.limit = max(r.base, r.limit/2)
	case pace < fast && n < r.limit:
		return // not for long enough yet
	case pace < fast && r.full && r.limit < most && 2*r.limit*uint64(unsafe.Sizeof(*new(T))) <= mostBytes:
		r.limit *= 2
	}
	r.passed, r.since, r.full = r.given, time.Now(), false
	r.know(r.given)
}

// A segment is a part of a ring's memory. There is one, until the ring grows.
type segment[T any] struct {
	base  uint64 // its first item
	slots []T
	next  sched.Pointer[segment[T]] // set before its first item is published
}

func newSegment[T any](base, size uint64) *segment[T] {
	n := uint64(1)
	for n < size {
		n *= 2
	}
	return &segment[T]{base: base, slots: make([]T, n)}
}
