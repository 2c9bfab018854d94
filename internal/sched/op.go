//go:build points

package sched

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A Kind is the way in which an operation accesses an object.
type Kind uint8

const (
	// Read does not change the object. Two reads commute.
	Read Kind = iota
	// Write may change the object.
	Write
	// Acquire is a Write that can be performed only after a Release or a Write of
	// another goroutine.
	Acquire
	// Release makes an Acquire possible. It is never an operation of its own: it
	// belongs to the operation before it.
	Release
	// AcquireShared and ReleaseShared are the operations of readers. Those of different
	// readers commute.
	AcquireShared
	ReleaseShared
	// Unknown commutes with no access, of any object.
	Unknown
)

// An Access is an access to an object.
type Access struct {
	Object unsafe.Pointer
	Kind   Kind
}

// An Op is an operation that a goroutine is about to perform.
type Op struct {
	Name    string
	Callers [4]uintptr
	// Ways are the alternatives of the operation, of which the explorer chooses one. A
	// select in which several cases may be ready has several.
	Ways []Access
	// Ready reports whether a way is possible. If Ready is nil, every way is always
	// possible.
	Ready func(way int) bool
	// Way is the index that the explorer has chosen.
	Way int
}

// A Hook receives all operations. Its only implementation is in package explore.
type Hook interface {
	// Await returns when the calling goroutine may perform op.
	Await(op *Op)
	// Accessed adds an access to the operation in progress.
	Accessed(Access)
}

var hook atomic.Pointer[Hook]

// Attach makes h receive all operations until detach is called.
func Attach(h Hook) (detach func()) {
	if !hook.CompareAndSwap(nil, &h) {
		panic("sched: Attach: there must be one hook at a time")
	}
	return func() { hook.Store(nil) }
}

// Attached reports whether a hook is attached.
func Attached() bool { return hook.Load() != nil }

// await passes op to the hook, and returns whether there is one. skip is the number of
// frames of this package above it.
func await(skip int, op *Op) bool {
	h := hook.Load()
	if h == nil {
		giveWay()
		return false
	}
	runtime.Callers(skip+2, op.Callers[:])
	(*h).Await(op)
	return true
}

// access announces an operation on one object, which is always possible.
func access(object unsafe.Pointer, k Kind, name string) {
	if hook.Load() == nil {
		giveWay()
		return
	}
	await(2, &Op{Name: name, Ways: []Access{{object, k}}})
}

// accessed adds an access to the operation in progress.
func accessed(object unsafe.Pointer, k Kind) {
	if h := hook.Load(); h != nil {
		(*h).Accessed(Access{object, k})
	}
}

// Opaque announces an operation that commutes with no other.
func Opaque(name string) { access(nil, Unknown, name) }
