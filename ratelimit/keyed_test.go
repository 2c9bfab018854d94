package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

var _ ratelimit.Taker[string] = (*ratelimit.Keyed[string])(nil)

// A user is a key of several parts.
type user struct {
	tenant string
	id     int
}

// R1–R4, R7: a key of a Keyed is as a Limiter of its own, whatever is evicted on
// the way: for random scripts both do the same, to the permit and the nanosecond.
func TestR1KeyedIsAsOneLimiterPerKey(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 6))
			keys := 1 + rnd.IntN(40)
			limits := map[user]struct {
				r     ratelimit.Rate
				burst int
			}{}
			single := map[user]*ratelimit.Limiter{}
			for i := range keys {
				k := user{fmt.Sprint(i % 3), i}
				l := limits[k]
				l.burst = 1 + rnd.IntN(8)
				switch rnd.IntN(10) {
				case 0:
					l.r = ratelimit.Per(999_999_937, time.Second)
				case 1:
					l.r = ratelimit.Unlimited
				case 2:
					l.r = ratelimit.Per(1<<60+1, 1<<58) // too fine for a word
				case 3:
					l.r = ratelimit.Per(0, time.Second)
				default:
					l.r = ratelimit.Per(1+rnd.IntN(20), time.Duration(1+rnd.IntN(1000)))
				}
				limits[k] = l
				single[k] = ratelimit.New(l.r, l.burst)
			}
			x := ratelimit.NewKeyed[user](ratelimit.Every(1), 1, ratelimit.WithLimits(func(k user) (ratelimit.Rate, int) {
				return limits[k].r, limits[k].burst
			}))
			var wg sync.WaitGroup
			var cancels []context.CancelFunc
			for step := range 300 {
				i := rnd.IntN(keys)
				k := user{fmt.Sprint(i % 3), i}
				n := 1 + rnd.IntN(limits[k].burst+1)
				switch rnd.IntN(6) {
				case 0, 1:
					if got, want := x.AllowN(k, n), single[k].AllowN(n); got != want {
						t.Errorf("seed %d, step %d: AllowN(%v, %d): %v, want %v", seed, step, k, n, got, want)
					}
				case 2, 3:
					got, err := x.Take(t.Context(), k, n)
					if want := single[k].Take(n); got != want || err != nil {
						t.Errorf("seed %d, step %d: Take(%v, %d) at %v: %+v, %v, want %+v", seed, step, k, n, limits[k].r, got, err, want)
					}
				case 4:
					ctx, cancel := context.WithCancel(t.Context())
					cancels = append(cancels, cancel) // when all is settled that is due by then
					results := make(chan error, 1)
					wg.Go(func() { results <- single[k].WaitN(ctx, n) })
					synctest.Wait()
					wg.Go(func() {
						got := x.WaitN(ctx, k, n)
						if want := <-results; (got == nil) != (want == nil) {
							t.Errorf("seed %d, step %d: WaitN(%v, %d): %v, want %v", seed, step, k, n, got, want)
						}
					})
					synctest.Wait()
				default:
					time.Sleep(time.Duration(1 + rnd.IntN(2000)))
					synctest.Wait()
					for len(cancels) > 5 {
						cancels[0]()
						cancels = cancels[1:]
						synctest.Wait()
					}
				}
			}
			for _, cancel := range cancels {
				cancel()
			}
			wg.Wait()
			if st := x.Stats(); st.Waiting != 0 || st.Shared != 0 || st.Keys > keys {
				t.Errorf("seed %d: %+v", seed, st)
			}
		})
	}
}

// R6, FR12: only a key whose burst is back is evicted; while others come and go by the
// thousand, one that owes something goes on owing it.
func TestR6OnlyIdleKeysAreEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[int](ratelimit.Every(time.Second), 3)
		for i := range 10 {
			if !x.AllowN(-1-i, 3) {
				t.Error("a new key is denied")
			}
		}
		for round := range 20 {
			for i := range 1000 {
				x.Allow(round*1000 + i)
			}
			time.Sleep(time.Second / 10)
			if round < 9 {
				for i := range 10 {
					if x.Allow(-1 - i) {
						t.Error("a debt was washed off")
					}
				}
			}
		}
		// A key of the flood is idle after a second, that is ten rounds.
		if st := x.Stats(); st.Keys > 15_000 || st.Evicted < 5000 {
			t.Errorf("memory is not bounded: %+v", st)
		}
	})
}

// R6: at the cap, new keys share. That is only ever stricter, nobody's debt is
// washed off, and one who gets a place of his own takes along what he owes.
func TestR6AtTheCapKeysShare(t *testing.T) {
	for _, most := range []int{1, 10, 1000} {
		synctest.Test(t, func(t *testing.T) {
			x := ratelimit.NewKeyed[int](ratelimit.Every(time.Second), 2, ratelimit.WithMaxKeys(most))
			start := time.Now()
			grants := make([][]grant, 5*most)
			for range 6 {
				for k := range grants {
					if x.Allow(k) {
						grants[k] = append(grants[k], grant{time.Since(start), 1})
					}
				}
				if st := x.Stats(); st.Keys > most {
					t.Errorf("%d keys, at most %d", st.Keys, most)
				}
				time.Sleep(600 * time.Millisecond)
			}
			shared := x.Stats().Shared
			if shared == 0 {
				t.Error("nobody shares")
			}
			for _, g := range grants {
				checkWindows(t, g, 2, 1, time.Second)
			}
			time.Sleep(time.Hour)
			for i := range 20 * most * max(1, 10/most) { // all are idle, and there is room again
				x.Allow(i % (5 * most))
				if i%most == 0 {
					time.Sleep(2 * time.Second)
				}
			}
			if x.Stats().Evicted == 0 {
				t.Error("nobody was evicted")
			}
		})
	}
}

// R6, FR14: keys of several plans that share get no more than the strictest of them.
func TestR6SharingIsStricter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[int](ratelimit.Every(1), 1, ratelimit.WithMaxKeys(1), ratelimit.WithLimits(func(k int) (ratelimit.Rate, int) {
			return ratelimit.Every(time.Duration(1+k%3) * time.Second), 1 + k%5
		}))
		start := time.Now()
		grants := make([][]grant, 100)
		for i := range 3000 {
			k := i % 100
			if n := 1 + i%2; x.AllowN(k, n) {
				grants[k] = append(grants[k], grant{time.Since(start), n})
			}
			time.Sleep(10 * time.Millisecond)
		}
		if s := x.Stats(); s.Keys > 1 {
			t.Errorf("%d keys are kept, 1 at most", s.Keys)
		}
		for k, g := range grants {
			checkWindows(t, g, 1+k%5, 1, time.Duration(1+k%3)*time.Second)
		}
	})
}

// R1, R6: while keys are evicted and tables replaced under their hands, many
// goroutines get no more than the law, and the burst to the permit.
func TestR1KeyedUnderContention(t *testing.T) {
	const keys, burst = 100, 50
	x := ratelimit.NewKeyed[int](ratelimit.Every(24*time.Hour), burst)
	var got [keys]atomic.Int64
	rounds := 20_000
	if testing.Short() {
		rounds = 2000
	}
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range rounds {
					if k := i % keys; x.Allow(k) {
						got[k].Add(1)
					}
					x.Allow(keys + i*8 + g) // each is new
				}
			})
		}
		wg.Wait()
	})
	for k := range got {
		if n := got[k].Load(); n != min(burst, int64(rounds/keys*8)) {
			t.Errorf("key %d: %d permits of a burst of %d", k, n, burst)
		}
	}

	// Fast enough for keys to be idle and evicted all the time.
	const interval = 2 * time.Microsecond
	fast := ratelimit.NewKeyed[int](ratelimit.Every(interval), 2, ratelimit.WithMaxKeys(64))
	var granted [8]atomic.Int64
	start := time.Now()
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range rounds {
					if k := (i + g) % 8; fast.Allow(k) {
						granted[k].Add(1)
					}
					fast.Allow(8 + i%1000)
				}
			})
		}
		wg.Wait()
	})
	most := int64(time.Since(start)/interval) + 2
	for k := range granted {
		if n := granted[k].Load(); n > most {
			t.Errorf("key %d: %d permits, at most %d", k, n, most)
		}
	}
}

// R3: who waits for a key is served first come, first served, and delays nobody
// who waits for another.
func TestR3KeyedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 1)
		x.Allow("a")
		x.Allow("b")
		start := time.Now()
		var wg sync.WaitGroup
		cause := errors.New("no patience")
		ctx, cancel := context.WithCancelCause(t.Context())
		wg.Go(func() {
			if err := x.Wait(ctx, "a"); err != cause {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		for i := range 3 {
			wg.Go(func() {
				if err := x.Wait(t.Context(), "a"); err != nil || time.Since(start) != time.Duration(i+1)*time.Second {
					t.Errorf("%d of a: %v after %v", i, err, time.Since(start))
				}
			})
			synctest.Wait()
		}
		wg.Go(func() {
			if err := x.Wait(t.Context(), "b"); err != nil || time.Since(start) != time.Second {
				t.Errorf("b: %v after %v", err, time.Since(start))
			}
		})
		short, cancel2 := context.WithTimeout(t.Context(), time.Second)
		defer cancel2()
		if err := x.Wait(short, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("a deadline that is too early: %v", err)
		}
		if err := x.WaitN(t.Context(), "a", 2); !errors.Is(err, ratelimit.ErrExceedsBurst) {
			t.Errorf("more than the burst: %v", err)
		}
		synctest.Wait()
		if x.Allow("a") {
			t.Error("somebody overtook those who wait")
		}
		if st := x.Stats(); st.Waiting != 5 {
			t.Errorf("%+v", st)
		}
		cancel(cause)
		wg.Wait()
		if st := x.Stats(); st.Waiting != 0 || st.Keys != 2 {
			t.Errorf("%+v", st)
		}
		ended, cancel3 := context.WithCancelCause(t.Context())
		cancel3(cause)
		if _, err := x.Take(ended, "c", 1); err != cause {
			t.Errorf("Take under an ended context: %v", err)
		}
		if err := x.Wait(ended, "c"); err != cause {
			t.Errorf("Wait under an ended context: %v", err)
		}
	})
}

// Forget gives a key its burst back, and lets those go on who wait.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 2)
		x.AllowN("a", 2)
		x.Forget("a")
		x.Forget("nobody")
		if !x.AllowN("a", 2) || x.Allow("a") {
			t.Error("after Forget, there is not exactly the burst")
		}
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := x.Wait(t.Context(), "a"); err != nil || time.Since(start) != time.Minute {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
		time.Sleep(time.Minute)
		x.Forget("a")
		wg.Wait()
		if !x.Allow("a") || x.Allow("a") {
			t.Error("of the burst of 2, the waiter has had one")
		}
		if st := x.Stats(); st.Keys != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// R5: a clock that jumps back grants nothing and delays nobody for longer than
// burst/rate; keys that are new then are not concerned.
func TestR5KeyedClockJumpsBack(t *testing.T) {
	x := ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 2)
	x.AllowN("spent", 2)
	synctest.Test(t, func(t *testing.T) {
		if x.Allow("spent") || !x.AllowN("new", 2) || x.Allow("new") {
			t.Error("the jump has minted or lost a permit")
		}
		time.Sleep(2 * time.Second)
		if !x.AllowN("spent", 2) || x.Allow("spent") {
			t.Error("after burst/rate the key is not what it was")
		}
		time.Sleep(100 * 365 * 24 * time.Hour)
		if !x.AllowN("spent", 2) || x.Allow("spent") {
			t.Error("after 100 years there is not exactly the burst")
		}
	})
}

// R6: claims on keys that are known do not allocate, and nor do denials.
func TestR6KeyedNoAllocation(t *testing.T) {
	x := ratelimit.NewKeyed[user](ratelimit.Per(1_000_000_000, time.Second), 1<<40)
	spent := ratelimit.NewKeyed[user](ratelimit.Every(time.Hour), 1)
	k, ctx := user{"a", 1}, t.Context()
	x.Allow(k)
	spent.Allow(k)
	for name, fn := range map[string]func(){
		"Allow":        func() { x.Allow(k) },
		"Take":         func() { _, _ = x.Take(ctx, k, 2) },
		"Wait":         func() { _ = x.Wait(ctx, k) },
		"Allow denied": func() { spent.Allow(k) },
		"Take denied":  func() { _, _ = spent.Take(ctx, k, 1) },
		"too many":     func() { spent.AllowN(user{"new", 1}, 2) },
	} {
		if n := testing.AllocsPerRun(200, fn); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if st := spent.Stats(); st.Keys != 1 {
		t.Errorf("a denial has written: %+v", st)
	}
}

// R6: a key takes at most 64 bytes and its own size, at any number of keys.
func TestR6BytesPerKey(t *testing.T) {
	x := ratelimit.NewKeyed[[2]uint64](ratelimit.Every(24*time.Hour), 10)
	before, n := testkit.Heap(), 0
	for _, most := range []int{50_000, 70_000, 90_000, 110_000} {
		for ; n < most; n++ {
			x.Allow([2]uint64{uint64(n), 1})
		}
		if each := (testkit.Heap() - before) / int64(n); each > 64+16 {
			t.Errorf("%d bytes for each of %d keys", each, n)
		}
	}
	runtime.KeepAlive(x)
}

// C5, FC2: misuse panics at the call that is wrong.
func TestC5KeyedMisusePanics(t *testing.T) {
	var none context.Context
	every := ratelimit.Every(time.Second)
	x := ratelimit.NewKeyed[string](every, 1)
	bad := func(string) (ratelimit.Rate, int) { return every, -1 }
	testkit.Panics(t, map[string]func(){
		"ratelimit: NewKeyed: burst must not be negative, got -1":                                                               func() { ratelimit.NewKeyed[int](every, -1) },
		"ratelimit: NewKeyed: the zero Rate is not usable, make one with Per or Every":                                          func() { ratelimit.NewKeyed[int](ratelimit.Rate{}, 1) },
		"ratelimit: NewKeyed: WithLimits must have a func(int) (ratelimit.Rate, int), got a func(string) (ratelimit.Rate, int)": func() { ratelimit.NewKeyed[int](every, 1, ratelimit.WithLimits(bad)) },
		"ratelimit: WithLimits: burst must not be negative, got -1":                                                             func() { ratelimit.NewKeyed[string](every, 1, ratelimit.WithLimits(bad)).Allow("a") },
		"ratelimit: WithLimits: function must not be nil":                                                                       func() { ratelimit.WithLimits[int](nil) },
		"ratelimit: WithMaxKeys: number must be at least 1, got 0":                                                              func() { ratelimit.WithMaxKeys(0) },
		"ratelimit: AllowN: number must be at least 1, got 0":                                                                   func() { x.AllowN("a", 0) },
		"ratelimit: Take: number must be at least 1, got 0":                                                                     func() { _, _ = x.Take(t.Context(), "a", 0) },
		"ratelimit: Take: context must not be nil":                                                                              func() { _, _ = x.Take(none, "a", 1) },
		"ratelimit: WaitN: context must not be nil":                                                                             func() { _ = x.Wait(none, "a") },
		"ratelimit: WaitN: number must be at least 1, got -1":                                                                   func() { _ = x.WaitN(t.Context(), "a", -1) },
	})
}

// C3: the function of WithLimits may call everything.
func TestC3KeyedMethodsInsideLimits(t *testing.T) {
	var x *ratelimit.Keyed[int]
	x = ratelimit.NewKeyed[int](ratelimit.Every(time.Second), 1, ratelimit.WithLimits(func(k int) (ratelimit.Rate, int) {
		if k > 0 {
			x.Allow(k - 1)
			x.Forget(k)
			x.Stats()
		}
		return ratelimit.Every(time.Second), math.MaxInt32
	}))
	testkit.Watchdog(t, func() {
		if !x.Allow(100) {
			t.Error("denied")
		}
	})
	if st := x.Stats(); st.Keys != 101 {
		t.Errorf("%+v", st)
	}
}

// Everything at once, under the race detector.
func TestKeyedChaos(t *testing.T) {
	x := ratelimit.NewKeyed[int](ratelimit.Per(100_000, time.Second), 5, ratelimit.WithMaxKeys(50))
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for r := range rounds {
					k := (r*7 + g) % 100
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r%100)*time.Microsecond)
					switch (g + r) % 7 {
					case 0:
						x.Allow(k)
					case 1:
						_ = x.WaitN(ctx, k, 1+r%5)
					case 2:
						_, _ = x.Take(t.Context(), k, 1+r%5)
					case 3:
						x.Forget(k)
					case 4:
						x.Stats()
					case 5:
						x.AllowN(k, 5)
					default:
						if err := x.Wait(t.Context(), k); err != nil {
							t.Error(err)
						}
					}
					cancel()
				}
			})
		}
		wg.Wait()
	})
	if st := x.Stats(); st.Waiting != 0 || st.Keys > 50 {
		t.Errorf("%+v", st)
	}
}

// R6: one who gets a place of his own takes along what he owes.
func TestR6DebtMovesAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 2, ratelimit.WithMaxKeys(1))
		if !x.Allow("first") || !x.AllowN("second", 2) {
			t.Error("a new key is denied")
		}
		time.Sleep(time.Second) // the first is idle, the second owes one
		for range 10 {
			if x.AllowN("second", 2) {
				t.Error("a debt was washed off")
			}
		}
		if !x.Allow("second") || x.Allow("second") {
			t.Error("of the burst of 2, one was owed")
		}
		if st := x.Stats(); st.Keys != 1 || st.Evicted != 1 {
			t.Errorf("%+v", st)
		}
	})
}
