package ratelimit_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

// R1, R7: Take of several limits knows what each of them has granted on its own.
func TestMultiTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		few, many := ratelimit.New(ratelimit.Every(time.Second), 3), ratelimit.New(ratelimit.Every(time.Second), 5)
		m := ratelimit.All(few, many)
		few.AllowN(2)
		want := ratelimit.Decision{OK: true, Limit: 3, Remaining: 0, ResetAfter: 3 * time.Second}
		if diff := cmp.Diff(want, m.Take(1)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		many.AllowN(4)
		want = ratelimit.Decision{Limit: 3, Remaining: 0, RetryAfter: time.Second, ResetAfter: 5 * time.Second}
		if diff := cmp.Diff(want, m.Take(1)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		if !m.Take(1).OK || few.Allow() || many.Allow() {
			t.Error("after a second there is not exactly one permit")
		}
	})
}

// R5: one that is unlimited limits nobody, whatever its burst; nor does one of a huge
// burst, or one made so long ago that the time since then does not fit in a word.
func TestR5MultiExtremes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if !ratelimit.All(ratelimit.New(ratelimit.Unlimited, 0)).AllowN(5) {
			t.Error("denied by a limiter without a limit")
		}
		// 684 years: the capacity does not fit in 64 bits.
		if !ratelimit.All(ratelimit.New(ratelimit.Every(time.Hour), 6_000_000)).AllowN(1_000_000) {
			t.Error("denied within the burst")
		}
		// 1<<32 permits in an odd number of nanoseconds: after 1<<32 of them the
		// number of units overflows to 0.
		const burst = 1_000_000_000
		l := ratelimit.New(ratelimit.Per(1<<32, time.Second-1), burst, ratelimit.WithSpent(burst))
		m := ratelimit.All(l)
		time.Sleep(1 << 32)
		if !m.AllowN(burst) {
			t.Error("all of the burst has been back for long, and was denied")
		}
	})
}

// R2: what changes a limiter, all those notice that wait for it and for another one.
func TestR2MultiAllNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Per(0, time.Second), 3, ratelimit.WithSpent(3))
		var wg sync.WaitGroup
		for range 3 {
			m := ratelimit.All(l, ratelimit.New(ratelimit.Every(time.Hour), 1))
			wg.Go(func() {
				if err := m.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		l.SetRate(ratelimit.Unlimited)
		start := time.Now()
		wg.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("they noticed after %v", took)
		}
	})
}

// R3: who waits for several limits is served first come, first served, also when
// it was unknown until now whether at all.
func TestR3MultiKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Per(0, time.Second), 1, ratelimit.WithSpent(1))
		m := ratelimit.All(l, ratelimit.New(ratelimit.Unlimited, 1))
		var mu sync.Mutex
		var got []int
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := m.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, i)
			})
			synctest.Wait()
		}
		l.SetRate(ratelimit.Every(time.Second))
		wg.Wait()
		if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("served in the order %v", got)
		}
	})
}

// R1, C2: several limits hold together while some wait, give up, and ask. Nothing
// but the limiters brings those together who do so, for the race detector to see
// whether that is enough.
func TestR1MultiUnderContention(t *testing.T) {
	const interval, burst, times = 200 * time.Microsecond, 2, 1000
	for range 10 {
		l := ratelimit.New(ratelimit.Every(interval), burst)
		m := ratelimit.All(l, ratelimit.New(ratelimit.Every(interval), 3))
		ctx, cancel := context.WithCancel(t.Context())
		soon, over := context.WithDeadline(t.Context(), time.Now().Add(time.Minute))
		start := time.Now()
		var granted atomic.Int64
		count := func(ok bool) {
			if ok {
				granted.Add(1)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { count(m.Wait(ctx) == nil) })
		wg.Go(func() { count(m.Wait(t.Context()) == nil) })
		wg.Go(func() {
			for i := range times {
				if count(m.Allow()); i == times/10 {
					cancel()
				}
			}
		})
		wg.Go(func() {
			for range times {
				count(m.Take(1).OK)
			}
		})
		wg.Go(func() {
			for range times {
				count(l.Allow())
			}
		})
		wg.Go(func() {
			for range 3 {
				count(m.Wait(soon) == nil)
			}
		})
		testkit.Watchdog(t, wg.Wait)
		if most := burst + int64(time.Since(start)/interval); granted.Load() > most {
			t.Errorf("%d permits, want %d at most", granted.Load(), most)
		}
		over()
	}
}
