//go:build !points

package shortlock

import "runtime"

const (
	rounds = 4   // each ends by giving way to other goroutines
	tries  = 4   // a round
	moment = 800 // steps of nothing before a try, some 300 ns
)

func (m *Mutex) lockSlow() {
	for range rounds {
		for range tries {
			pause(moment) //lint:ignore SA4017 the time is what is wanted
			if m.mu.TryLock() {
				return
			}
		}
		runtime.Gosched()
	}
	m.mu.Lock()
}

// pause passes time in registers.
//
//go:noinline
func pause(steps int) (x int) {
	for i := range steps {
		x ^= i
	}
	return x
}
