// Package spsc provides a bounded queue from one sender to one receiver: a ring of slots
// that holds values and not pointers.
//
// # Data
//
// The sender counts the items that it has sent in one word, published. The receiver counts
// the items that it has given back in another, freed. Each end has a copy of the other
// end's count, and loads the word only when by the copy there is no item, or no
// room. An item costs the sender one atomic addition, which makes the item visible at
// once. The receiver takes all visible items without another atomic operation.
//
// Only the sender writes the slots from given to sent and the fields of its part. Only the
// receiver writes the slots from taken to known, which it zeroes. The two words order
// these accesses.
//
// An adaptive ring begins small. The sender doubles the limit, up to a bound, when it has
// found the ring full and as many items as the ring holds have gone over it at a pace of a
// few microseconds each: neighbours that are fast then spend their time on items and not
// on wake-ups. When the pace is slow, the sender halves the limit again: between slow
// neighbours a deep queue holds memory and gains nothing. Only the pace of items counts.
// Memory grows in segments. A larger segment is linked behind the old one, which the
// receiver empties first, as in the growable array queues of JCTools.
//
// # Park and wake
//
// The lowest bit of each word is set if the other end is parked, or about to park. The
// receiver sets the bit in published and looks at the count that the same operation
// returns. If there is no item, it parks on a channel of capacity 1. The sender sees the
// bit in the result of its addition, clears it, and signals. The operations on one word
// have an order, so neither end can miss the other. The sender does the same with freed.
// Before that it stores in wakeAt how many items must be given back to wake it, half of
// the ring: a wake-up for each item would cost more than the item.
//
// An item is published before Push returns, and the receiver can take a published item
// whatever the sender does next.
package spsc
