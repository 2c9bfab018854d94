// Package keyed keeps values with the same key in order: one value of a key is in work at
// a time, and the others of this key wait behind it. Values with different keys do not
// wait for each other.
package keyed

import "hash/maphash"

// An Item is a value with its key. Make one with NewItem.
type Item[K comparable, T any] struct {
	Key   K
	Value T
	hash  uint64
}

var seed = maphash.MakeSeed()

// NewItem returns an item. It panics if key cannot be compared.
func NewItem[K comparable, T any](key K, v T) Item[K, T] {
	return Item[K, T]{key, v, maphash.Comparable(seed, key)}
}

// same reports whether the items have the same key. A key that is not equal to itself,
// such as a NaN, has a random hash, and no other item has it.
func (it *Item[K, T]) same(other *Item[K, T]) bool {
	return it.hash == other.hash && (it.Key == other.Key || it.Key != it.Key)
}

// An Order is the items that have entered and have not left. It holds nothing for other
// keys. The owner's lock guards it. The zero value is empty.
//
// It is a hash table of the items that are in work, with chains. The hash is computed
// without the lock, and an item costs no allocation, which makes it several times as fast
// as a map of queues.
type Order[K comparable, T any] struct {
	table []*cell[K, T] // by hash modulo its length
	keys  int           // in the table
	free  *cell[K, T]   // to be used again
}

type cell[K comparable, T any] struct {
	item   Item[K, T]
	chain  *cell[K, T] // the next one of the place in the table, or of those that are free
	behind *cell[K, T] // the item that waits behind this one
	last   *cell[K, T] // in the table: the last one that waits behind it, or itself
}

// Enter adds an item behind those with the same key, and reports whether there are none,
// so that the work on it may begin. Otherwise Leave returns it when its turn has come.
func (o *Order[K, T]) Enter(it Item[K, T]) bool {
	if o.keys == len(o.table) {
		o.grow()
	}
	c := o.free
	if c == nil {
		c = new(cell[K, T])
	}
	o.free, c.chain, c.item, c.last = c.chain, nil, it, c
	at := o.find(&it)
	if first := *at; first != nil {
		first.last.behind, first.last = c, c
		return false
	}
	*at = c
	o.keys++
	return true
}

// Leave ends the work on it, and returns the item whose turn it is, with ok == false if
// none with this key waits.
func (o *Order[K, T]) Leave(it Item[K, T]) (next Item[K, T], ok bool) {
	at := o.find(&it)
	c := *at
	if behind := c.behind; behind != nil {
		behind.chain, behind.last, *at = c.chain, c.last, behind
		next, ok = behind.item, true
	} else {
		*at = c.chain
		o.keys--
	}
	*c = cell[K, T]{chain: o.free}
	o.free = c
	return next, ok
}

// find returns the place of the item in work that has the key of it, or of the end of the
// chain.
func (o *Order[K, T]) find(it *Item[K, T]) **cell[K, T] {
	at := &o.table[it.hash&uint64(len(o.table)-1)]
	for *at != nil && !(*at).item.same(it) {
		at = &(*at).chain
	}
	return at
}

func (o *Order[K, T]) grow() {
	old := o.table
	o.table = make([]*cell[K, T], max(16, 2*len(old)))
	for _, c := range old {
		for c != nil {
			next := c.chain
			c.chain = nil
			*o.find(&c.item) = c
			c = next
		}
	}
}
