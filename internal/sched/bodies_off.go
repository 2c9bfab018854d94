//go:build !points

package sched

// Bodies is never called. The compiler inlines a method of an alias into a package that
// does not import sync/atomic only if an imported package has the body in its export
// data. Bodies can be inlined, which puts the bodies there.
func Bodies(x *Uint64, b *Bool) {
	x.Store(x.Load())
	x.Add(x.Swap(x.And(x.Or(0))))
	x.CompareAndSwap(0, 0)
	b.Store(b.Load())
	b.CompareAndSwap(b.Swap(false), false)
}

// MutexBodies does for a mutex the same as Bodies for atomics.
func MutexBodies(mu *Mutex) {
	mu.Unlock()
	if !mu.TryLock() {
		mu.Lock()
	}
}
