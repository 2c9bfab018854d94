// Package fifo provides the queue of everything that waits its turn in Tandem: tasks
// for a worker, goroutines for a permit, senders for room.
//
// It is a doubly linked list, so an element can leave from the middle at constant cost
// when the context of its wait ends. The owner's lock guards the list.
package fifo

import "iter"

// A List is a first-in, first-out queue. The zero value is an empty list. A List must
// not be copied after first use.
type List[T any] struct {
	head, tail *Node[T]
	n          int
	taken      int // how often Take has emptied it
}

// A Node is an element of at most one list.
type Node[T any] struct {
	Value      T
	list       *List[T]
	taken      int // the value of list.taken when the node was added
	prev, next *Node[T]
}

// Len returns the number of elements.
func (l *List[T]) Len() int { return l.n }

// Front returns the element that has waited longest, or nil if there is none.
func (l *List[T]) Front() *Node[T] { return l.head }

// Next returns the element behind n, or nil if n is the last one or in no list.
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

// Pop removes the element that has waited longest and returns its value. ok is false if
// the list is empty.
func (l *List[T]) Pop() (v T, ok bool) {
	n := l.head
	if n == nil {
		return v, false
	}
	v = n.Value
	l.Remove(n)
	return v, true
}

// Remove removes n from the list and reports whether it was in it. The node keeps its
// value and no reference to its former neighbours.
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

// Take empties the list at constant cost and returns an iterator over its former
// values, from the front. The iteration does not need the owner's lock, since the nodes
// are no longer reachable from the list.
func (l *List[T]) Take() iter.Seq[T] {
	taken := List[T]{head: l.head}
	l.head, l.tail, l.n = nil, nil, 0
	l.taken++
	return taken.All()
}

// All returns an iterator over the values from the front. The list must not change
// meanwhile.
func (l *List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for n := l.head; n != nil; n = n.next {
			if !yield(n.Value) {
				return
			}
		}
	}
}
