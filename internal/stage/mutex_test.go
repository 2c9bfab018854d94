package stage_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/stage"
	"github.com/tandemgo/tandem/internal/testkit"
)

// Nobody is inside with another one, nobody is forgotten before it, and those
// who give up harm nobody.
func TestMutexLetsInOneByOne(t *testing.T) {
	testkit.Watchdog(t, func() {
		g := stage.NewMutex(nil)
		var inside testkit.Gauge
		plain := 0 // the race detector sees whether the mutex is one
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%4 == 3 { // gives up at some time
					time.AfterFunc(200*time.Microsecond, cancel)
				}
				for range 2000 {
					if g.Lock(ctx) != nil {
						return
					}
					inside.Enter()
					plain++
					inside.Leave()
					g.Unlock()
				}
			})
		}
		wg.Wait()
		if inside.Most() != 1 || plain < 6*2000 {
			t.Errorf("%d inside at once, %d entries", inside.Most(), plain)
		}
	})
}

// The mutex may be held over a wait: those before it are durably blocked, and
// leave with their context.
func TestMutexIsHeldOverAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := stage.NewMutex(nil)
		if err := g.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if err := g.Lock(ctx); err != cause {
			t.Errorf("got %v", err)
		}
		entered := make(chan error)
		go func() { entered <- g.Lock(t.Context()) }()
		time.Sleep(time.Hour)
		g.Unlock()
		if err := <-entered; err != nil {
			t.Error(err)
		}
		g.Unlock()
	})
}

// Who is woken while somebody is inside waits on. The signal is one that nobody
// waited for any more when it was sent.
func TestMutexStaysShutWhenWokenForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := stage.NewMutex(nil)
		enter := func(ctx context.Context) {
			t.Helper()
			if err := g.Lock(ctx); err != nil {
				t.Fatal(err)
			}
		}
		enter(t.Context())
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if g.Lock(gone) == nil {
			t.Fatal("two inside")
		}
		g.Unlock() // signals the one who is gone
		enter(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if g.Lock(ctx) == nil {
			t.Error("woken for nothing, and inside with another one")
		}
		g.Unlock()
	})
}

// The clock of a mutex stands still when whoever stood before it has given up.
func TestTheClockOfAMutexStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock stage.Clock
		g := stage.NewMutex(&clock)
		if err := g.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Lock(ctx); err == nil {
			t.Error("two are inside")
		}
		time.Sleep(time.Hour)
		if total := clock.Total(); total != time.Second {
			t.Errorf("it stood for %v", total)
		}
		g.Unlock()
	})
}
