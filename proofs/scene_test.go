package proofs_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
)

// A scene is what clients do, at once, with something, and the model of that.
type scene struct {
	clients []func(l *callLog)
	end     func()                 // once all of them have ended; nil: nothing
	model   func() porcupine.Model // asked for at the end
}

// threads plays scenes on goroutines as they come, each round another one, and
// checks what was recorded. Histories are short, since some that are long take for
// ever to check. They are as the machine makes them: none can be made again, so
// they are printed if they are wrong. Those of TestExplore can.
func threads(t *testing.T, stage func(t testing.TB, h *history, round int) scene) {
	t.Helper()
	rounds := 2000
	if testing.Short() {
		rounds = 400
	}
	for round := 0; round < rounds && !t.Failed(); round++ {
		h := newHistory()
		s := stage(t, h, round)
		var wg sync.WaitGroup
		var missing atomic.Int32
		missing.Store(int32(len(s.clients)))
		for client, fn := range s.clients {
			wg.Go(func() {
				// One who sleeps would come when the others are done.
				for missing.Add(-1); missing.Load() > 0; {
					runtime.Gosched()
				}
				h.play(client, fn)
			})
		}
		wg.Wait()
		s.check(t, h)
	}
}

func (s *scene) check(t testing.TB, h *history) {
	t.Helper()
	if s.end != nil {
		s.end()
	}
	h.accept(t, s.model())
}
