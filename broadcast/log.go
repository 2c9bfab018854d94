package broadcast

import (
	"unsafe"

	"github.com/tandemgo/tandem/internal/sched"
)

// A chunk is a run of values, the first of which has sequence number base. A
// slot of items is written once, before its number is published, and never
// again: readers need no lock for published values.
type chunk[T any] struct {
	base  uint64
	next  sched.Pointer[chunk[T]] // nil: this is the last one; itself: it has been cut off
	items []T
}

func (c *chunk[T]) end() uint64 { return c.base + uint64(len(c.items)) }

// after returns the chunk behind c, nil if there is none or c has been cut off.
func (c *chunk[T]) after() *chunk[T] {
	next := c.next.Load()
	if next == c {
		return nil
	}
	return next
}

// A log holds the last values sent. It is a chain of chunks from first to last;
// new values are appended, and chunks of which no value is retained any more are
// cut off. The fields are in two groups: those that only the sender uses, under
// Broadcast.mu, and those that readers load.
type log[T any] struct {
	capacity uint64
	size     int       // of a chunk, once the log has grown
	tail     *chunk[T] // last, for the sender
	start    uint64    // number of the first value there ever was
	sent     uint64    // number of the next one
	keep     uint64    // while sent is less, first is needed
	_        [cacheLine]byte

	// published is the number of the next value, times 2, and the bit closed.
	published sched.Uint64
	holes     sched.Pointer[hole] // the last one
	_         [cacheLine - 16]byte

	first, last sched.Pointer[chunk[T]]
}

const (
	closed     = 1 // the bit of published: there will be no more
	publishOne = 2

	cacheLine = 128 // two: they are fetched in pairs

	smallest, largest = 8, 256 // number of values in a chunk
	chunkBytes        = 4 << 10
)

// init makes l an empty log, whose first value will have number start. Its first
// chunk has no room at all, so that a broadcast to which nothing is sent costs next to
// nothing.
func (l *log[T]) init(capacity int, start uint64) {
	var v T
	l.capacity = uint64(capacity)
	// A quarter of the capacity at most: a stalled reader keeps a chunk alive,
	// which should be little in comparison.
	l.size = min(max(1, capacity/4), min(max(smallest, chunkBytes/max(1, int(unsafe.Sizeof(v)))), largest))
	l.start, l.sent = start, start
	l.published.Store(start * publishOne)
	l.tail = &chunk[T]{base: start}
	l.first.Store(l.tail)
	l.last.Store(l.tail)
	l.keep = start + l.capacity
}

// back returns the number of the value that is n before the next one, or of the first
// one there ever was.
func (l *log[T]) back(n uint64) uint64 { return l.sent - min(l.sent-l.start, n) }

// add appends vs and makes them visible.
func (l *log[T]) add(vs []T) {
	for len(vs) > 0 {
		i := l.sent - l.tail.base
		if i == uint64(len(l.tail.items)) {
			// A new chunk. The first ones are small.
			c := &chunk[T]{base: l.sent, items: make([]T, min(l.size, max(smallest, int(min(l.sent-l.start, largest)))))}
			l.tail.next.Store(c) // before anything of c is published
			l.last.Store(c)
			l.tail, i = c, 0
		}
		n := 1
		if l.tail.items[i] = vs[0]; len(vs) > 1 { // a single one needs no call of memmove
			n = copy(l.tail.items[i:], vs)
		}
		vs = vs[n:]
		l.sent += uint64(n)
		l.published.Add(uint64(n) * publishOne)
	}
}

// cutLocked takes the first chunk off the chain, unless a Grow subscription needs it. It is called
// once the values behind it are published, or a reader could find its chunk cut off and no reason
// for it. The link of the chunk leads to itself from now on: a reader that is still there holds
// that one chunk and not all that follow.
func (b *Broadcast[T]) cutLocked() {
	l := &b.log
	old := l.first.Load()
	if b.grows {
		needed := l.sent
		b.grows = false
		for _, s := range b.openLocked() {
			if s.policy == Grow {
				b.grows = true
				needed = min(needed, max(s.needs(), l.back(s.capacity)))
			}
		}
		if needed < old.end() {
			l.keep = l.sent + uint64(l.size) // look again then
			return
		}
	}
	next := old.next.Load() // there is one: what is retained is in it
	l.first.Store(next)
	old.next.Store(old)
	l.keep = next.end() + l.capacity
}

// find returns the chunk of the value with sequence number seq, which has been
// published, or nil if it is no longer retained.
func (l *log[T]) find(seq uint64) *chunk[T] {
	if c := l.last.Load(); c.base <= seq {
		return c
	}
	c := l.first.Load()
	if c.base > seq {
		return nil
	}
	for c != nil && c.end() <= seq {
		c = c.after()
	}
	return c
}
