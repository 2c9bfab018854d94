//go:build points

package ratelimit

import (
	"context"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
)

// Keys of one shard. To sweep it, and to give it a new table, is what happens
// when a key is added; where the keys are in a table, chance decides, so these
// programs do it themselves.

func oneShard(opts ...KeyedOption) (*Keyed[int], *shard[int]) {
	x := NewKeyed[int](Every(tick), 1, append(opts, WithMaxKeys(8))...)
	return x, &x.shards[0]
}

func sweep(x *Keyed[int]) {
	sh := &x.shards[0]
	point.At("sweep")
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if t := sh.table.Load(); t != nil {
		sh.sweepLocked(time.Since(x.base), len(t.slots), &x.keys)
	}
}

func rebuild(x *Keyed[int]) {
	sh := &x.shards[0]
	point.At("rebuild")
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.table.Load() != nil {
		x.rebuildLocked(sh)
	}
}

// R1, R6: whatever is done to the table, claims on a key answer as if they came one
// after the other.
func TestExploreKeyedTable(t *testing.T) {
	programs := map[string]func(x *Keyed[int]){
		"swept":   sweep,
		"rebuilt": rebuild,
		"swept, and another key comes": func(x *Keyed[int]) {
			sweep(x)
			x.Allow(2)
		},
	}
	for name, fn := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				x, _ := oneShard()
				h := newHistory(1, tick)
				claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
				claim()
				time.Sleep(time.Nanosecond)
				r.Go("claims", func() { claim(); claim() })
				r.Go(name, func() { fn(x) })
				r.Go("clock", func() { r.Pass(tick) })
				r.After(func() {
					claim()
					h.check(t, false)
				})
			})
		})
	}
}

// R1, R6: the first claims on a key make one limiter.
func TestExploreKeyedFirstClaims(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x, sh := oneShard(WithLimits(func(int) (Rate, int) { return Every(tick), 2 }))
		h := newHistory(2, tick)
		claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
		r.Go("first", func() { claim(); claim() })
		r.Go("second", claim)
		r.After(func() {
			h.check(t, false)
			if x.Stats().Keys != 1 || sh.used != 1 {
				t.Errorf("%+v", x.Stats())
			}
		})
	})
}

// R1, R2: somebody waits for a key and leaves, while others ask for it and the
// table is swept.
func TestExploreKeyedWait(t *testing.T) {
	programs := map[string]func(x *Keyed[int]){
		"swept":   sweep,
		"rebuilt": rebuild,
		"another": func(x *Keyed[int]) { _ = x.Wait(context.Background(), 1) },
	}
	for name, fn := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				x, sh := oneShard()
				h := newHistory(1, tick)
				claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
				claim()
				time.Sleep(time.Nanosecond)
				r.Go("wait", func() {
					h.claim(1, func() bool { return x.Wait(t.Context(), 1) == nil })
				})
				r.Go("allow", claim)
				r.Go(name, func() { fn(x) })
				if name != "another" {
					r.Go("clock", func() { r.Pass(tick) })
				}
				r.After(func() {
					claim()
					h.check(t, true)
					if len(sh.guests) > 0 || x.Stats().Waiting > 0 {
						t.Errorf("a guest is left: %+v", x.Stats())
					}
					time.Sleep(4 * tick)
					sweep(x)
					if st := x.Stats(); st.Keys != 0 || sh.used != sh.dead {
						t.Errorf("R6: %+v, %d slots of which %d are dead", st, sh.used, sh.dead)
					}
				})
			})
		})
	}
}

// R2: who waits for a key gives up, or the key is forgotten: the next one is
// granted at once.
func TestExploreKeyedForgetMeetsWait(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x, _ := oneShard()
		start := time.Now()
		x.Allow(1)
		r.Go("wait", func() {
			if err := x.Wait(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
		r.Go("forget", func() { x.Forget(1) })
		r.Go("sweep", func() { sweep(x) })
		r.After(func() {
			if took := time.Since(start); took != 0 {
				t.Errorf("R2: took %v", took)
			}
			if keys := x.Stats().Keys; keys > 1 {
				t.Errorf("R6: %d keys", keys)
			}
		})
	})
}

// R2, R6: the key for which somebody waits is forgotten as that one gives up: it has
// its permit or leaves it, and the key has no limiter any more, or one that is
// evicted.
func TestExploreKeyedForgetMeetsGivingUp(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x, sh := oneShard()
		x.Allow(1)
		x.Allow(2) // keeps the table
		ctx, cancel := context.WithCancelCause(t.Context())
		r.After(func() { cancel(nil) })
		r.Go("wait", func() {
			if err := x.Wait(ctx, 1); err != nil && err != errGone {
				t.Error(err)
			}
		})
		r.Go("forget", func() {
			point.At("the key is about to be forgotten")
			x.Forget(1)
			cancel(errGone)
		})
		r.After(func() {
			sweep(x)
			time.Sleep(2 * tick)
			sweep(x)
			if st := x.Stats(); st.Keys != 0 || st.Waiting != 0 || sh.used != sh.dead || len(sh.guests) > 0 {
				t.Errorf("R6: %+v, %d slots of which %d are dead, %d guests", st, sh.used, sh.dead, len(sh.guests))
			}
		})
	})
}

// R6: a key that gets a place of its own takes along what it owes where it was.
func TestExploreKeyedSharedCell(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x := NewKeyed[int](Every(tick), 1, WithMaxKeys(1))
		h := newHistory(1, tick)
		x.Allow(1) // takes the only place
		claim := func() { h.claim(1, func() bool { return x.Allow(2) }) }
		r.Go("claims", func() { claim(); claim() })
		r.Go("forget", func() { x.Forget(1) })
		r.Go("wait", func() {
			h.claim(1, func() bool { return x.Wait(t.Context(), 2) == nil })
		})
		r.After(func() {
			claim()
			h.check(t, true)
			if keys := x.Stats().Keys; keys > 1 {
				t.Errorf("R6: %d keys", keys)
			}
		})
	})
}
