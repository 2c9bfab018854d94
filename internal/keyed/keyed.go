// Package keyed keeps what has the same key in order: one entry of a key is in work at a
// time, and the others of this key wait behind it. Entries with different keys do not
// wait for each other.
//
// An Order holds the keys that are in work, and nothing of others. The owner's lock
// guards it and the entries.
package keyed

// An Order is the entries that have entered and have not left, by their keys. The zero
// value is empty.
type Order[K comparable, T any] struct {
	last map[K]*Entry[K, T]
}

// An Entry is a value in an order. It may be used again when it has left.
type Entry[K comparable, T any] struct {
	Value  T
	key    K
	behind *Entry[K, T]
}

// Enter adds e behind the entries with the same key, and reports whether there are none,
// so that the work on e may begin. Otherwise Leave returns e when its turn has come.
func (o *Order[K, T]) Enter(key K, e *Entry[K, T]) bool {
	if o.last == nil {
		o.last = map[K]*Entry[K, T]{}
	}
	before := o.last[key]
	e.key, o.last[key] = key, e
	if before == nil {
		return true
	}
	before.behind = e
	return false
}

// Leave removes e, the work on which has ended, and returns the entry whose turn it is,
// nil if there is none with the same key.
func (o *Order[K, T]) Leave(e *Entry[K, T]) (next *Entry[K, T]) {
	if next = e.behind; next == nil {
		delete(o.last, e.key)
	}
	var none K
	e.key, e.behind = none, nil
	return next
}
