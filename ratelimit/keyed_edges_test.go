package ratelimit_test

import (
	"math"
	"sync"
	"testing"
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
	if st := x.Stats(); st != (ratelimit.KeyedStats{Granted: 100}) {
		t.Errorf("%+v", st)
	}
}

// R8: a NaN is not equal to itself, so each call with one is for a new key, which does not make
// the table search for ever.
func TestR8KeysWithNaN(t *testing.T) {
	x := ratelimit.NewKeyed[float64](ratelimit.Per(1, time.Hour), 1, ratelimit.WithMaxKeys(100))
	testkit.Watchdog(t, func() {
		for range 10_000 {
			if !x.Allow(math.NaN()) {
				t.Error("a key that is new is denied")
			}
		}
	})
	if st := x.Stats(); st.Keys > 100 {
		t.Errorf("%v", st)
	}
}

// R1: keys with limits of their own come from many goroutines at once.
func TestR1NewKeysWithWindowsAtOnce(t *testing.T) {
	const keys = 400
	x := ratelimit.NewKeyedFunc[int](func(k int) []ratelimit.Window {
		return []ratelimit.Window{{Rate: ratelimit.Every(time.Hour), Burst: 1 + k/4}} // the same for neighbours
	})
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

// R1: keys below a parent come while the limit of the parent changes.
func TestR1NewKeysWhileTheParentChanges(t *testing.T) {
	const burst = 100
	all := ratelimit.New(ratelimit.Every(time.Hour), burst)
	x := ratelimit.NewKeyed[int](ratelimit.Every(time.Hour), 1, ratelimit.WithParent(all), ratelimit.WithMaxKeys(64))
	var granted testkit.Gauge
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 500 {
					if x.Allow(4*i + g) {
						granted.Enter()
					}
				}
			})
		}
		for i := range 200 {
			all.SetRate(ratelimit.Every(time.Duration(1+i%2) * time.Hour))
		}
		wg.Wait()
	})
	if granted.Now() != burst {
		t.Errorf("%d granted of a burst of %d", granted.Now(), burst)
	}
}
