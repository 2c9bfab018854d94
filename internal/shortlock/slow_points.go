//go:build points

package shortlock

import "github.com/tandemgo/tandem/internal/point"

// lockSlow looks in vain until the holder, who may stand at a point, has gone on.
func (m *Mutex) lockSlow() {
	for point.Taken() {
		point.At("lock: a goroutine that waits for it gives way")
		if m.mu.TryLock() {
			return
		}
	}
	m.mu.Lock()
}
