package ratelimit_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

// R6: keys that come and are forgotten, one after another, leave no trace.
func TestR6ForgottenKeysLeaveNoTrace(t *testing.T) {
	x := ratelimit.NewKeyed[int](ratelimit.Every(time.Hour), 1, ratelimit.WithMaxKeys(8))
	testkit.Watchdog(t, func() {
		for k := range 100 {
			if !x.Allow(k) {
				t.Errorf("key %d is denied", k)
			}
			x.Forget(k)
		}
	})
	if st := x.Stats(); st != (ratelimit.KeyedStats{}) {
		t.Errorf("%+v", st)
	}
}

// R5: a burst that takes too long to come back for a word is as good as any.
func TestR5KeyedHugeBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 2_000_000 // 228 years
		x := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), burst)
		if !x.AllowN("a", burst) || x.Allow("a") {
			t.Error("there is not exactly the burst")
		}
		time.Sleep(time.Hour)
		if !x.Allow("a") || x.Allow("a") {
			t.Error("after an hour there is not exactly one more")
		}
	})
}

// R1: keys with limits of their own come from many goroutines at once.
func TestR1NewKeysWithLimitsAtOnce(t *testing.T) {
	const keys = 400
	x := ratelimit.NewKeyed[int](ratelimit.Every(1), 1, ratelimit.WithLimits(func(k int) (ratelimit.Rate, int) {
		return ratelimit.Every(time.Hour), 1 + k/4 // the same for neighbours
	}))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := g; k < keys; k += 4 {
				if !x.AllowN(k, 1+k/4) || x.Allow(k) {
					t.Errorf("key %d has not got exactly its burst", k)
				}
			}
		})
	}
	wg.Wait()
	if st := x.Stats(); st.Keys != keys || st.Shared > 0 {
		t.Errorf("%+v", st)
	}
}
