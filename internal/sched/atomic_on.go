//go:build points

package sched

import (
	"sync/atomic"
	"unsafe"
)

// A Uint64 is an atomic.Uint64.
type Uint64 struct{ v atomic.Uint64 }

func (x *Uint64) access(k Kind, name string) { access(unsafe.Pointer(x), k, name) }

// Load loads the value.
func (x *Uint64) Load() uint64 { x.access(Read, "Load"); return x.v.Load() }

// Store stores n.
func (x *Uint64) Store(n uint64) { x.access(Write, "Store"); x.v.Store(n) }

// Add adds n and returns the sum.
func (x *Uint64) Add(n uint64) uint64 { x.access(Write, "Add"); return x.v.Add(n) }

// And keeps the bits of mask and returns the old value.
func (x *Uint64) And(mask uint64) uint64 { x.access(Write, "And"); return x.v.And(mask) }

// Or sets the bits of mask and returns the old value.
func (x *Uint64) Or(mask uint64) uint64 { x.access(Write, "Or"); return x.v.Or(mask) }

// Swap stores n and returns the old value.
func (x *Uint64) Swap(n uint64) uint64 { x.access(Write, "Swap"); return x.v.Swap(n) }

// CompareAndSwap stores n if the value is old, and reports whether it was.
func (x *Uint64) CompareAndSwap(old, n uint64) bool {
	x.access(Write, "CompareAndSwap")
	return x.v.CompareAndSwap(old, n)
}

// A Counter is an atomic.Uint64 for statistics. It is not reported to the explorer,
// since no goroutine's behaviour depends on its value.
type Counter = atomic.Uint64

// A Bool is an atomic.Bool.
type Bool struct{ v atomic.Bool }

func (x *Bool) access(k Kind, name string) { access(unsafe.Pointer(x), k, name) }

// Load loads the value.
func (x *Bool) Load() bool { x.access(Read, "Load"); return x.v.Load() }

// Store stores b.
func (x *Bool) Store(b bool) { x.access(Write, "Store"); x.v.Store(b) }

// Swap stores b and returns the old value.
func (x *Bool) Swap(b bool) bool { x.access(Write, "Swap"); return x.v.Swap(b) }

// CompareAndSwap stores b if the value is old, and reports whether it was.
func (x *Bool) CompareAndSwap(old, b bool) bool {
	x.access(Write, "CompareAndSwap")
	return x.v.CompareAndSwap(old, b)
}

// A Pointer is an atomic.Pointer.
type Pointer[T any] struct{ v atomic.Pointer[T] }

func (x *Pointer[T]) access(k Kind, name string) { access(unsafe.Pointer(x), k, name) }

// Load loads the value.
func (x *Pointer[T]) Load() *T { x.access(Read, "Load"); return x.v.Load() }

// Store stores p.
func (x *Pointer[T]) Store(p *T) { x.access(Write, "Store"); x.v.Store(p) }

// Swap stores p and returns the old value.
func (x *Pointer[T]) Swap(p *T) *T { x.access(Write, "Swap"); return x.v.Swap(p) }

// CompareAndSwap stores p if the value is old, and reports whether it was.
func (x *Pointer[T]) CompareAndSwap(old, p *T) bool {
	x.access(Write, "CompareAndSwap")
	return x.v.CompareAndSwap(old, p)
}
