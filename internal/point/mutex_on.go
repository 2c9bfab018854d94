//go:build points

package point

import "sync"

// A Mutex is a lock that may be held at a point: who waits for it is asleep, in
// the sense of testing/synctest, which who waits for a sync.Mutex is not.
type Mutex struct {
	mu   sync.Mutex
	free *sync.Cond // made by the first one that waits
	held bool
}

// Lock locks m.
func (m *Mutex) Lock() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.held {
		if m.free == nil {
			m.free = sync.NewCond(&m.mu)
		}
		m.free.Wait()
	}
	m.held = true
}

// TryLock locks m, unless it is locked, and reports whether it did.
func (m *Mutex) TryLock() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held {
		return false
	}
	m.held = true
	return true
}

// Unlock unlocks m.
func (m *Mutex) Unlock() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.held {
		panic("point: Mutex: Unlock of what is not locked")
	}
	m.held = false
	if m.free != nil {
		m.free.Signal()
	}
}
