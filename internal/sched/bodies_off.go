//go:build !points

package sched

// Bodies is not called. The compiler inlines a method of an alias in a package that does
// not import sync/atomic only if something that it imports has the body in its export
// data; Bodies, which could be inlined itself, puts the bodies there.
func Bodies(x *Uint64, b *Bool) {
	x.Store(x.Load())
	x.Add(x.Swap(x.And(x.Or(0))))
	x.CompareAndSwap(0, 0)
	b.Store(b.Load())
	b.CompareAndSwap(b.Swap(false), false)
}

// MutexBodies is to a mutex what Bodies is to an atomic.
func MutexBodies(mu *Mutex) {
	mu.Unlock()
	if !mu.TryLock() {
		mu.Lock()
	}
}
