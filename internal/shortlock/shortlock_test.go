package shortlock_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/shortlock"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// One at a time is inside, however many come, and everybody gets in.
func TestMutualExclusion(t *testing.T) {
	testkit.Watchdog(t, func() {
		const goroutines, entries = 16, 2_000
		var mu shortlock.Mutex
		var inside testkit.Gauge
		plain := 0 // the race detector sees whether the lock is one
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for i := range entries {
					mu.Lock()
					inside.Enter()
					plain++
					if i%16 == 0 {
						runtime.Gosched() // the others try for a while, and some park
					}
					inside.Leave()
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if inside.Most() != 1 || plain != goroutines*entries {
			t.Errorf("%d inside at once, %d entries of %d", inside.Most(), plain, goroutines*entries)
		}
	})
}
