//go:build points

package sched

import (
	"runtime"
	"sync"
	"unsafe"
)

// A RWMutex is a sync.RWMutex in whose critical sections a goroutine may wait for its
// turn. A goroutine that waits for the lock is durably blocked in the sense of
// testing/synctest; one that waits for a sync.Mutex is not.
//
// Unlock is not an operation of its own: its effect can be moved to the end of the last
// operation of the critical section, and only TryLock could observe the difference.
type RWMutex struct {
	mu      sync.Mutex
	free    *sync.Cond // made by the first goroutine that waits
	readers int
	held    bool
}

// Lock locks m for writing.
func (m *RWMutex) Lock() {
	if Attached() {
		m.await("Lock", Acquire, m.lockable)
	} else {
		giveWay()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.lockable() {
		m.wait()
	}
	m.held = true
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
	accessed(unsafe.Pointer(m), Release)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.held {
		panic("sched: Unlock: the mutex must be locked")
	}
	m.held = false
	m.wake()
}

// RLock locks m for reading.
func (m *RWMutex) RLock() {
	if Attached() {
		m.await("RLock", AcquireShared, m.readable)
	} else {
		giveWay()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for !m.readable() {
		m.wait()
	}
	m.readers++
}

// RUnlock undoes an RLock.
func (m *RWMutex) RUnlock() {
	accessed(unsafe.Pointer(m), ReleaseShared)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.readers == 0 {
		panic("sched: RUnlock: the mutex must be locked")
	}
	m.readers--
	m.wake()
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

// wait waits until the lock is released. It is for goroutines without a hook. m.mu is
// held. Under chaos the goroutine does not block, as it would not at a sync.Mutex: a cleanup of
// the runtime, outside of the bubble, may have the lock, and then a bubble whose goroutines are
// all durably blocked would count as deadlocked.
func (m *RWMutex) wait() {
	if chaos != nil {
		m.mu.Unlock()
		runtime.Gosched()
		m.mu.Lock()
		return
	}
	if m.free == nil {
		m.free = sync.NewCond(&m.mu)
	}
	m.free.Wait()
}

// wake wakes all waiters. m.mu is held.
func (m *RWMutex) wake() {
	if m.free != nil {
		m.free.Broadcast()
	}
}

// A Mutex is a sync.Mutex, see [RWMutex].
type Mutex struct{ rw RWMutex }

// Lock locks m.
func (m *Mutex) Lock() { m.rw.Lock() }

// TryLock locks m if it is free, and reports whether it did.
func (m *Mutex) TryLock() bool { return m.rw.TryLock() }

// Unlock unlocks m.
func (m *Mutex) Unlock() { m.rw.Unlock() }
