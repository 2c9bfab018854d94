//go:build points

package proofs_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/explore"
)

// The histories of small scenes, in every order there is, or in as many as
// TANDEM_SCHEDULES says. One that is wrong can be made again.
func TestExplore(t *testing.T) {
	for name, stage := range map[string]func(t testing.TB, h *history) scene{
		"a pool":                     func(t testing.TB, h *history) scene { return poolScene(t, h, 2, 2) },
		"a pool, one submitter":      func(t testing.TB, h *history) scene { return poolScene(t, h, 1, 3) },
		"a ring":                     func(t testing.TB, h *history) scene { return ringScene(t, h, 1, 3, 1) },
		"a ring behind a mutex":      func(t testing.TB, h *history) scene { return ringScene(t, h, 2, 2, 0) },
		"a mutex":                    func(t testing.TB, _ *history) scene { return mutexScene(t, 3, 1) },
		"a Latest":                   func(t testing.TB, h *history) scene { return latestScene(t, h, 1, 2) },
		"a Latest, two setters":      func(t testing.TB, h *history) scene { return latestScene(t, h, 2, 1) },
		"a broadcast":                func(t testing.TB, h *history) scene { return logScene(t, h, 2, 2, 2, broadcast.SkipOldest) },
		"a broadcast that may block": func(t testing.TB, h *history) scene { return logScene(t, h, 2, 2, 1, broadcast.Block) },
		"a broadcast, two readers": func(t testing.TB, h *history) scene {
			return logScene(t, h, 1, 3, 1, broadcast.Block, broadcast.SkipOldest)
		},
	} {
		t.Run(name, func(t *testing.T) { exploreScene(t, stage) })
	}
	for first := range 4 {
		t.Run(fmt.Sprintf("a limiter, %d", first), func(t *testing.T) {
			exploreScene(t, func(_ testing.TB, h *history) scene { return bucketScene(h, 2, 2, 2, first) })
		})
	}
}

// newCountedHistory returns one that numbers the begins and ends of calls, for
// bubbles, in which no time passes.
func newCountedHistory() *history {
	var n atomic.Int64
	return &history{now: func() int64 { return n.Add(1) }}
}

func exploreScene(t *testing.T, stage func(t testing.TB, h *history) scene) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		h := newCountedHistory()
		s := stage(t, h)
		for client, fn := range s.clients {
			r.Go(fmt.Sprintf("client %d", client), func() { h.play(client, fn) })
		}
		r.After(func() { s.check(t, h) })
	})
}
