package link_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/testkit"
)

// Nobody is inside with another one, nobody is forgotten before it, and those
// who give up harm nobody.
func TestGateLetsInOneByOne(t *testing.T) {
	testkit.Watchdog(t, func() {
		g := link.NewGate()
		var inside testkit.Gauge
		plain := 0 // the race detector sees whether the gate is one
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%4 == 3 { // gives up at some time
					time.AfterFunc(200*time.Microsecond, cancel)
				}
				for range 2000 {
					if g.Enter(ctx) != nil {
						return
					}
					inside.Enter()
					plain++
					inside.Leave()
					g.Leave()
				}
			})
		}
		wg.Wait()
		if inside.Most() != 1 || plain < 6*2000 {
			t.Errorf("%d inside at once, %d entries", inside.Most(), plain)
		}
	})
}

// The gate may be held over a wait: those before it are durably blocked, and
// leave with their context.
func TestGateIsHeldOverAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := link.NewGate()
		if err := g.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		if err := g.Enter(ctx); err != cause {
			t.Errorf("got %v", err)
		}
		entered := make(chan error)
		go func() { entered <- g.Enter(t.Context()) }()
		time.Sleep(time.Hour)
		g.Leave()
		if err := <-entered; err != nil {
			t.Error(err)
		}
		g.Leave()
	})
}

// Who is woken while somebody is inside waits on. The signal is one that nobody
// waited for any more when it was sent.
func TestGateStaysShutWhenWokenForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := link.NewGate()
		enter := func(ctx context.Context) {
			t.Helper()
			if err := g.Enter(ctx); err != nil {
				t.Fatal(err)
			}
		}
		enter(t.Context())
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if g.Enter(gone) == nil {
			t.Fatal("two inside")
		}
		g.Leave() // signals the one who is gone
		enter(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if g.Enter(ctx) == nil {
			t.Error("woken for nothing, and inside with another one")
		}
		g.Leave()
	})
}
