//go:build points

package sched

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A Kind says how an operation accesses an object.
type Kind uint8

const (
	// Read leaves the object as it is. Two of them commute.
	Read Kind = iota
	// Write may change the object.
	Write
	// Acquire is a Write that can be performed only after a Release or a Write of
	// another goroutine has made that possible.
	Acquire
	// Release makes an Acquire possible. It is never an operation of its own: it belongs
	// to the one before it.
	Release
	// AcquireShared and ReleaseShared are those of a reader: they commute with those of
	// other readers.
	AcquireShared
	ReleaseShared
	// Unknown commutes with nothing, whatever the object is.
	Unknown
)

// An Access says which object is accessed, and how.
type Access struct {
	Object unsafe.Pointer
	Kind   Kind
}

// An Op is an operation that a goroutine is about to perform.
type Op struct {
	Name    string
	Callers [4]uintptr
	// Ways are the ways to perform it, of which the explorer chooses one. There is more
	// than one where a select can have more than one case ready.
	Ways []Access
	// Ready reports whether a way can be gone. Nil means that each of them always can.
	Ready func(way int) bool
	// Way is the way that the explorer has chosen.
	Way int
	// Point says that the operation is a call of point.At. What its goroutine accesses up
	// to the next operation is not known.
	Point bool
}

// A Hook is told of all operations. Package explore has the only one.
type Hook interface {
	// Await returns when it is the turn of op, which is of the calling goroutine.
	Await(op *Op)
	// Accessed adds an access to the operation that is being performed.
	Accessed(Access)
}

var hook atomic.Pointer[Hook]

// Attach has h told of all operations until detach is called.
func Attach(h Hook) (detach func()) {
	if !hook.CompareAndSwap(nil, &h) {
		panic("sched: Attach: there must be one hook at a time")
	}
	return func() { hook.Store(nil) }
}

// Attached reports whether a hook is attached.
func Attached() bool { return hook.Load() != nil }

// await announces op to the hook, and returns whether there is one. skip is the
// number of frames of this package above it.
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

// access announces an operation on one object that is always ready.
func access(object unsafe.Pointer, k Kind, name string) {
	if hook.Load() == nil {
		giveWay()
		return
	}
	await(2, &Op{Name: name, Ways: []Access{{object, k}}})
}

// accessed adds an access to the present operation.
func accessed(object unsafe.Pointer, k Kind) {
	if h := hook.Load(); h != nil {
		(*h).Accessed(Access{object, k})
	}
}

// At is what point.At calls.
func At(name string) {
	if hook.Load() == nil {
		giveWay()
		return
	}
	await(2, &Op{Name: name, Ways: []Access{{Kind: Unknown}}, Point: true})
}

// Opaque announces an operation that commutes with nothing.
func Opaque(name string) { access(nil, Unknown, name) }
