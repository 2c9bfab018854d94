//go:build points

package ratelimit

import (
	"context"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

// Keys of one shard. To sweep it is what happens when a key is added; where the keys are in
// a table, chance decides, so these programs do it themselves.

func oneShard() (*Keyed[int], *shard[int]) {
	x := NewKeyed[int](Every(tick), 1, WithMaxKeys(8))
	return x, &x.shards[0]
}

func sweep(x *Keyed[int]) {
	sh := &x.shards[0]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	x.sweep(sh, int64(time.Since(x.base)), sh.used)
}

// R1, R6: whatever is done to the table, claims on a key answer as if they came one after
// the other.
func TestExploreKeyedTable(t *testing.T) {
	programs := map[string]func(x *Keyed[int]){
		"swept":             sweep,
		"another key comes": func(x *Keyed[int]) { sweep(x); x.Allow(2) },
		"changed":           func(x *Keyed[int]) { x.Set(1, Window{Every(tick), 1}) },
	}
	for name, fn := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				x, _ := oneShard()
				h := newHistory(1, tick)
				claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
				claim()
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
		x := NewKeyedFunc(func(int) []Window { return []Window{{Every(tick), 2}} }, WithMaxKeys(8))
		h := newHistory(2, tick)
		claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
		r.Go("first", func() { claim(); claim() })
		r.Go("second", claim)
		r.After(func() {
			h.check(t, false)
			if st := x.Stats(); st.Keys != 1 || st.Granted != 2 || st.Denied != 1 {
				t.Errorf("%+v", st)
			}
		})
	})
}

// R1, R2: a caller waits for a key and leaves, while others ask for it and the table is
// swept.
func TestExploreKeyedWait(t *testing.T) {
	programs := map[string]func(x *Keyed[int]){
		"swept":   sweep,
		"another": func(x *Keyed[int]) { _ = x.Wait(context.Background(), 1) },
		"settled": func(x *Keyed[int]) { r := x.Reserve(1, 1); r.Cancel() },
	}
	for name, fn := range programs {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				x, sh := oneShard()
				h := newHistory(1, tick)
				claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
				claim()
				r.Go("wait", func() {
					h.claim(1, func() bool { return x.Wait(t.Context(), 1) == nil })
				})
				r.Go("allow", claim)
				r.Go(name, func() { fn(x) })
				if name == "swept" {
					r.Go("clock", func() { r.Pass(tick) })
				}
				r.After(func() {
					claim()
					h.check(t, true)
					if i := sh.find(0, 1); x.Stats().Waiting > 0 || i >= 0 && sh.slots[i].hash != 0 && sh.slots[i].plan.l != nil {
						t.Errorf("an entry is left: %+v", x.Stats())
					}
					time.Sleep(4 * tick)
					sweep(x)
					if st := x.Stats(); st.Keys != 0 {
						t.Errorf("R6: %+v", st)
					}
				})
			})
		})
	}
}

// R2: a caller waits for a key that is forgotten: it is granted at once.
func TestExploreKeyedForgetMeetsWait(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x, _ := oneShard()
		start := time.Now()
		x.Allow(1)
		r.Go("wait", func() {
			if err := x.Wait(t.Context(), 1); err != nil || time.Since(start) != 0 {
				t.Errorf("R2: %v after %v", err, time.Since(start))
			}
		})
		r.Go("forget", func() { x.Forget(1) })
		r.Go("sweep", func() { sweep(x) })
		r.After(func() {
			if keys := x.Stats().Keys; keys > 1 {
				t.Errorf("R6: %d keys", keys)
			}
		})
	})
}

// R2, R6: the key for which a caller waits is forgotten as that one gives up: it has its
// permit or leaves it, and the key is evicted.
func TestExploreKeyedForgetMeetsGivingUp(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x, _ := oneShard()
		x.Allow(1)
		x.Allow(2)
		ctx, cancel := context.WithCancelCause(t.Context())
		r.After(func() { cancel(nil) })
		r.Go("wait", func() {
			if err := x.Wait(ctx, 1); err != nil && err != errGone {
				t.Error(err)
			}
		})
		r.Go("forget", func() {
			x.Forget(1)
			sched.Cancel(func() { cancel(errGone) })
		})
		r.After(func() {
			time.Sleep(2 * tick)
			sweep(x)
			if st := x.Stats(); st.Keys != 0 || st.Waiting != 0 {
				t.Errorf("R6: %+v", st)
			}
		})
	})
}

// R1: a cost that is known late is charged to the key, also if that is evicted meanwhile.
func TestExploreKeyedSettleMeetsSweep(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x, _ := oneShard()
		first, second := x.Reserve(1, 1), x.Reserve(1, 1) // which keeps the limiter of the key
		first.Settle(1)
		time.Sleep(2 * tick)
		r.Go("settle", func() {
			if n := first.Settle(2); n != -1 {
				t.Errorf("Settle returned %d", n)
			}
		})
		r.Go("sweep", func() { sweep(x) })
		r.After(func() {
			if x.Allow(1) {
				t.Error("R1: the late cost is lost")
			}
			second.Settle(1)
		})
	})
}

// R8: at the maximum of keys, a key with a caller that waits stays, and others share.
func TestExploreKeyedFull(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		x := NewKeyed[int](Every(tick), 1, WithMaxKeys(1))
		h := newHistory(1, tick)
		claim := func() { h.claim(1, func() bool { return x.Allow(1) }) }
		claim()
		r.Go("wait", func() {
			h.claim(1, func() bool { return x.Wait(t.Context(), 1) == nil })
		})
		r.Go("new", func() {
			if !x.Allow(2) {
				t.Error("R8: a new key is denied")
			}
		})
		r.After(func() {
			if st := x.Stats(); st.Keys > 1 || st.Waiting != 0 || st.Shared+st.Forgotten == 0 {
				t.Errorf("R8: %+v", st)
			}
			if x.Stats().Shared == 1 {
				h.check(t, true)
			}
		})
	})
}
