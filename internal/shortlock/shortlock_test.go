package shortlock_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/internal/shortlock"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// One goroutine at a time is inside, and every goroutine gets in.
func TestMutualExclusion(t *testing.T) {
	testkit.Watchdog(t, func() {
		const goroutines, entries = 16, 2_000
		var mu shortlock.Mutex
		var inside testkit.Gauge
		plain := 0 // the race detector checks that the lock orders the accesses
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for i := range entries {
					mu.Lock()
					inside.Enter()
					plain++
					if i%16 == 0 {
						runtime.Gosched() // the others spin for a while, and some park
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

// A goroutine that has spun long enough parks, and is still not inside.
func TestALongWait(t *testing.T) {
	testkit.Watchdog(t, func() {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that Gosched lets the other goroutine try
		var mu shortlock.Mutex
		var inside atomic.Bool
		mu.Lock()
		var wg sync.WaitGroup
		wg.Go(func() {
			mu.Lock()
			inside.Store(true)
			mu.Unlock()
		})
		for range 1_000 {
			runtime.Gosched()
		}
		if inside.Load() {
			t.Error("two are inside")
		}
		mu.Unlock()
		wg.Wait()
	})
}

// A goroutine that gets the lock by spinning holds it, and releases it once.
func TestAShortWait(t *testing.T) {
	testkit.Watchdog(t, func() {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var mu shortlock.Mutex
		for range 100 {
			var comes atomic.Bool
			mu.Lock()
			var wg sync.WaitGroup
			wg.Go(func() {
				comes.Store(true)
				mu.Lock()
				defer mu.Unlock()
			})
			for !comes.Load() {
				runtime.Gosched() // the goroutine tries, and yields
			}
			mu.Unlock()
			wg.Wait()
		}
	})
}
