package broadcast

import "github.com/tandemgo/tandem/internal/sched"

// A monitor is a lock, and the goroutines that sleep until what it guards has changed.
type monitor struct {
	sched.Mutex
	asleep chan struct{} // they park on it; nil if none sleeps
}

// sleepLocked returns a channel to park on, which is closed by unlock. A goroutine that stops
// waiting leaves nothing behind. The first one makes the channel, which so belongs to the same
// testing/synctest bubble.
func (m *monitor) sleepLocked() <-chan struct{} {
	if m.asleep == nil {
		m.asleep = make(chan struct{})
	}
	return m.asleep
}

// unlock frees the lock, and then, if something has changed, wakes those that sleep.
func (m *monitor) unlock(changed bool) {
	asleep := m.asleep
	if !changed || asleep == nil {
		m.Unlock()
		return
	}
	m.asleep = nil
	m.Unlock()
	sched.Close(asleep)
}
