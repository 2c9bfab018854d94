//go:build points

package sched

import (
	"sync"
	"unsafe"
)

// A RWMutex is a sync.RWMutex in whose critical sections a goroutine may wait for its
// turn: a goroutine that waits for the lock is durably blocked in the sense of
// testing/synctest, as one that waits for a sync.Mutex is not.
//
// Unlock is no operation of its own. Nothing that another goroutine does before it,
// and after the last operation of the critical section, can tell the difference,
// except TryLock.
type RWMutex struct {
	mu      sync.Mutex
	free    *sync.Cond // made by the first goroutine that waits
	readers int
	held    bool
}

// Lock locks m for writing.
func (m *RWMutex) Lock() {
	m.await("Lock", Acquire, m.lockable)
	m.take(m.lockable, func() { m.held = true })
}

// TryLock locks m for writing if it is free, and reports whether it did.
func (m *RWMutex) TryLock() bool {
	access(unsafe.Pointer(m), Write, "TryLock")
	m.mu.Lock()
	defer m.mu.Unlock()
	ok := m.lockable()
	m.held = m.held || ok
	return ok
}

// Unlock unlocks m for writing.
func (m *RWMutex) Unlock() {
	m.leave("Unlock", Release, func() bool { return m.held }, func() { m.held = false })
}

// RLock locks m for reading.
func (m *RWMutex) RLock() {
	m.await("RLock", AcquireShared, m.readable)
	m.take(m.readable, func() { m.readers++ })
}

// RUnlock undoes an RLock.
func (m *RWMutex) RUnlock() {
	m.leave("RUnlock", ReleaseShared, func() bool { return m.readers > 0 }, func() { m.readers-- })
}

func (m *RWMutex) lockable() bool { return m.readable() && m.readers == 0 }
func (m *RWMutex) readable() bool { return !m.held }

func (m *RWMutex) await(name string, k Kind, ready func() bool) {
	await(2, &Op{
		Name:  name,
		Ways:  []Access{{unsafe.Pointer(m), k}},
		Ready: func(int) bool { return ready() },
	})
}

// take waits for the lock, for goroutines that no hook controls.
func (m *RWMutex) take(ready func() bool, take func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !ready() {
		if m.free == nil {
			m.free = sync.NewCond(&m.mu)
		}
		m.free.Wait()
	}
	take()
}

func (m *RWMutex) leave(name string, k Kind, locked func() bool, leave func()) {
	accessed(unsafe.Pointer(m), k)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !locked() {
		panic("sched: " + name + ": the mutex must be locked")
	}
	leave()
	if m.free != nil {
		m.free.Broadcast()
	}
}

// A Mutex is a sync.Mutex, see [RWMutex].
type Mutex struct{ rw RWMutex }

// Lock locks m.
func (m *Mutex) Lock() {
	m.rw.await("Lock", Acquire, m.rw.lockable)
	m.rw.take(m.rw.lockable, func() { m.rw.held = true })
}

// TryLock locks m if it is free, and reports whether it did.
func (m *Mutex) TryLock() bool { return m.rw.TryLock() }

// Unlock unlocks m.
func (m *Mutex) Unlock() { m.rw.Unlock() }
