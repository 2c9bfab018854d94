// Package fifo holds the queue in which Tandem keeps whatever waits its turn:
// tasks for a worker, goroutines for a permit, senders for room.
//
// It is a doubly linked list whose elements can leave from the middle at
// constant cost, since anything that waits under a context may give up. The
// owner's lock guards it.
package fifo

import "iter"

// A List is a first-in, first-out queue. The zero value is an empty list. It
// must not be copied after first use.
type List[T any] struct {
	head, tail *Node[T]
	n          int
	taken      int // how often Take has emptied it
}

// A Node is one element of a list. It is in one list at most.
type Node[T any] struct {
	Value      T
	list       *List[T]
	taken      int // the list's, when the node was added
	prev, next *Node[T]
}

// Len returns the number of elements.
func (l *List[T]) Len() int { return l.n }

// Front returns the element that has waited longest, nil if there is none.
func (l *List[T]) Front() *Node[T] { return l.head }

// Next returns the element behind n, nil if n is the last one or in no list.
func (n *Node[T]) Next() *Node[T] { return n.next }

// PushBack adds v as the last element and returns its node.
func (l *List[T]) PushBack(v T) *Node[T] {
	n := &Node[T]{Value: v, list: l, taken: l.taken, prev: l.tail}
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.n++
	return n
}

// Pop removes the element that has waited longest and returns its value; ok
// is false if there is none.
func (l *List[T]) Pop() (v T, ok bool) {
	n := l.head
	if n == nil {
		return v, false
	}
	v = n.Value
	l.Remove(n)
	return v, true
}

// Remove takes n out of the list and reports whether it was still in it. The
// node keeps its value and no reference to its former neighbours.
func (l *List[T]) Remove(n *Node[T]) bool {
	if n.list != l || n.taken != l.taken {
		return false
	}
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.list, n.prev, n.next = nil, nil, nil
	l.n--
	return true
}

// Take empties the list at constant cost and walks what was in it, from the
// front. The walk does not need the owner's lock: nobody else can reach these
// elements any more.
func (l *List[T]) Take() iter.Seq[T] {
	taken := List[T]{head: l.head}
	l.head, l.tail, l.n = nil, nil, 0
	l.taken++
	return taken.All()
}

// All walks the values from the front. The list must not change meanwhile.
func (l *List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for n := l.head; n != nil; n = n.next {
			if !yield(n.Value) {
				return
			}
		}
	}
}
