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
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { keyedAsLimiters(t, seed) })
	}
}

func keyedAsLimiters(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 6))
	keys := 1 + rnd.IntN(40)
	var opts []ratelimit.LimitOption
	var parents [2]*ratelimit.Limiter // of the keys, and of the limiters
	if seed%3 == 1 {
		opts = append(opts, ratelimit.WithWindow(ratelimit.Per(1+rnd.IntN(30), time.Duration(1+rnd.IntN(1000))), 1+rnd.IntN(12)))
	}
	if seed%4 == 1 {
		rate := ratelimit.Per(1+rnd.IntN(100), time.Duration(1+rnd.IntN(1000)))
		parents = [2]*ratelimit.Limiter{ratelimit.New(rate, 20), ratelimit.New(rate, 20)}
	}
	limits := map[user]ratelimit.Window{}
	single := map[user]*ratelimit.Limiter{}
	for i := range keys {
		k := user{fmt.Sprint(i % 3), i}
		w := ratelimit.Window{Burst: 1 + rnd.IntN(8)}
		switch rnd.IntN(10) {
		case 0:
			w.Rate = ratelimit.Per(999_999_937, time.Second)
		case 1:
			w.Rate = ratelimit.Unlimited
		case 2:
			w.Rate = ratelimit.Per(1_000_000_007, 1<<54+1) // rounded
		case 3:
			w.Rate = ratelimit.Per(0, time.Second)
		default:
			w.Rate = ratelimit.Per(1+rnd.IntN(20), time.Duration(1+rnd.IntN(1000)))
		}
		limits[k] = w
		var more []ratelimit.Option
		for _, opt := range opts {
			more = append(more, opt)
		}
		if parents[1] != nil {
			more = append(more, ratelimit.WithParent(parents[1]))
		}
		single[k] = ratelimit.New(w.Rate, w.Burst, more...)
	}
	var more []ratelimit.KeyedOption
	for _, opt := range opts {
		more = append(more, opt)
	}
	if parents[0] != nil {
		more = append(more, ratelimit.WithParent(parents[0]))
	}
	x := ratelimit.NewKeyedFunc[user](func(k user) []ratelimit.Window { return []ratelimit.Window{limits[k]} }, more...)
	var wg sync.WaitGroup
	var cancels []context.CancelFunc
	type reserved struct {
		got, want *ratelimit.Reservation
		unlimited bool // and so evicted at any time
	}
	var held []reserved
	for step := range 300 {
		i := rnd.IntN(keys)
		k := user{fmt.Sprint(i % 3), i}
		l, n := single[k], 1+rnd.IntN(limits[k].Burst+1)
		compare := func(what string, got, want any) {
			t.Helper()
			if got != want {
				t.Errorf("seed %d, step %d: %s of %v, %d of %v: %+v, want %+v", seed, step, what, k, n, limits[k], got, want)
			}
		}
		switch rnd.IntN(12) {
		case 0, 1:
			compare("AllowN", x.AllowN(k, n), l.AllowN(n))
		case 2, 3:
			got, err := x.Take(t.Context(), k, n)
			if compare("Take", got, l.Take(n)); err != nil {
				t.Error(err)
			}
		case 4:
			compare("Peek", x.Peek(k), l.Peek())
		case 5:
			if parents[0] == nil || rnd.IntN(4) == 0 { // or nothing would be granted any more
				x.Charge(k, n)
				l.Charge(n)
			}
		case 6:
			got, want := x.Reserve(k, n), l.ReserveN(n)
			compare("Reserve", [2]any{got.OK(), got.Delay()}, [2]any{want.OK(), want.Delay()})
			if got.OK() {
				held = append(held, reserved{&got, &want, limits[k].Rate == ratelimit.Unlimited})
			}
		case 7:
			if len(held) > 0 {
				i := rnd.IntN(len(held))
				actual := rnd.IntN(6)
				got, want := held[i].got.Settle(actual), held[i].want.Settle(actual)
				if !held[i].unlimited {
					compare("Settle", got, want)
				}
				held = append(held[:i], held[i+1:]...)
			}
		case 8:
			ctx, cancel := context.WithCancel(t.Context())
			cancels = append(cancels, cancel) // when all is settled that is due by then
			results := make(chan error, 1)
			wg.Go(func() { results <- l.WaitN(ctx, n) })
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
		if t.Failed() {
			break
		}
	}
	for _, cancel := range cancels {
		cancel()
	}
	wg.Wait()
	if st := x.Stats(); st.Waiting != 0 || st.Shared != 0 || st.Keys > keys {
		t.Errorf("seed %d: %+v", seed, st)
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

// R8, FR14: a full table serves new keys: each takes the place of one that owes little. A key that
// owes much is not forgotten, and memory is bounded.
func TestR8NewKeysAreServed(t *testing.T) {
	for _, most := range []int{1, 10, 1000} {
		synctest.Test(t, func(t *testing.T) {
			x := ratelimit.NewKeyed[int](ratelimit.Every(time.Hour), 10, ratelimit.WithMaxKeys(most))
			if most >= 10 && !x.AllowN(-1, 10) {
				t.Error("a new key is denied")
			}
			for k := range 20 * most {
				if !x.Allow(k) {
					t.Fatalf("key %d is denied with room for %d", k, most)
				}
				if most >= 10 && x.Allow(-1) {
					t.Fatalf("what a heavy debtor owed was forgotten at key %d", k)
				}
			}
			st := x.Stats()
			if st.Keys > most || st.Forgotten == 0 || st.Shared > 0 {
				t.Errorf("%+v", st)
			}
			time.Sleep(12 * time.Hour)
			for k := range 20 * most {
				x.Allow(k)
				time.Sleep(time.Hour / time.Duration(most))
			}
			if st := x.Stats(); st.Keys > most || st.Evicted == 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// R8: a key with callers that wait, or with reservations that are not settled, is not
// replaced. If all have some, new keys share a limiter.
func TestR8PinnedKeysStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[int](ratelimit.Every(time.Second), 2, ratelimit.WithMaxKeys(2))
		r := x.Reserve(1, 2)
		x.AllowN(2, 2)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := x.Wait(t.Context(), 2); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if !x.Allow(3) || !x.Allow(4) || x.Allow(5) {
			t.Error("new keys do not share the burst of 2")
		}
		if x.Allow(1) || x.Allow(2) {
			t.Error("a key was replaced that must stay")
		}
		if st := x.Stats(); st.Keys != 2 || st.Shared != 3 || st.Forgotten != 0 || st.Waiting != 1 {
			t.Errorf("%+v", st)
		}
		if got := r.Settle(0); got != 2 || !x.AllowN(1, 2) {
			t.Errorf("%d permits were given back", got)
		}
		wg.Wait()
		if !x.Allow(6) || x.Stats().Forgotten != 1 {
			t.Errorf("there is a place again: %+v", x.Stats())
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
	// At the maximum, a key that owes something may be forgotten, and gets its burst again.
	most := int64(time.Since(start)/interval) + 2 + 2*int64(fast.Stats().Forgotten)
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
		"Peek":         func() { x.Peek(k) },
		"Peek of new":  func() { x.Peek(user{"new", 2}) },
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
	bad := func(string) []ratelimit.Window { return []ratelimit.Window{{Rate: every, Burst: -1}} }
	tests := map[string]func(){
		"ratelimit: NewKeyed: burst must not be negative, got -1":                      func() { ratelimit.NewKeyed[int](every, -1) },
		"ratelimit: NewKeyed: the zero Rate is not usable, make one with Per or Every": func() { ratelimit.NewKeyed[int](ratelimit.Rate{}, 1) },
		"ratelimit: NewKeyedFunc: burst must not be negative, got -1":                  func() { ratelimit.NewKeyedFunc(bad).Allow("a") },
		"ratelimit: NewKeyedFunc: number of windows must be at least 1, got 0":         func() { ratelimit.NewKeyedFunc(func(string) []ratelimit.Window { return nil }).Allow("a") },
		"ratelimit: Set: number of windows must be at least 1, got 0":                  func() { x.Set("a") },
		"ratelimit: Charge: number must be at least 1, got 0":                          func() { x.Charge("a", 0) },
		"ratelimit: Reserve: number must be at least 1, got 0":                         func() { x.Reserve("a", 0) },
		"ratelimit: NewKeyedFunc: function must not be nil":                            func() { ratelimit.NewKeyedFunc[int](nil) },
		"ratelimit: WithMaxKeys: number must be at least 1, got 0":                     func() { ratelimit.WithMaxKeys(0) },
		"ratelimit: AllowN: number must be at least 1, got 0":                          func() { x.AllowN("a", 0) },
		"ratelimit: Take: number must be at least 1, got 0":                            func() { _, _ = x.Take(t.Context(), "a", 0) },
		"ratelimit: Take: context must not be nil":                                     func() { _, _ = x.Take(none, "a", 1) },
		"ratelimit: WaitN: context must not be nil":                                    func() { _ = x.Wait(none, "a") },
		"ratelimit: WaitN: number must be at least 1, got -1":                          func() { _ = x.WaitN(t.Context(), "a", -1) },
	}
	var zero ratelimit.Keyed[string]
	for call, fn := range map[string]func(){
		"Allow":   func() { zero.Allow("a") },
		"Take":    func() { _, _ = zero.Take(t.Context(), "a", 1) },
		"Peek":    func() { zero.Peek("a") },
		"Charge":  func() { zero.Charge("a", 1) },
		"Reserve": func() { zero.Reserve("a", 1) },
		"Wait":    func() { _ = zero.Wait(t.Context(), "a") },
		"Set":     func() { zero.Set("a", ratelimit.Window{Rate: every, Burst: 1}) },
		"Forget":  func() { zero.Forget("a") },
		"Stats":   func() { zero.Stats() },
	} {
		tests["ratelimit: "+call+": the zero Keyed is not usable, make one with NewKeyed or NewKeyedFunc"] = fn
	}
	testkit.Panics(t, tests)
}

// C3: the function of NewKeyedFunc may call everything.
func TestC3KeyedMethodsInsideWindows(t *testing.T) {
	var x *ratelimit.Keyed[int]
	x = ratelimit.NewKeyedFunc[int](func(k int) []ratelimit.Window {
		if k > 0 {
			x.Allow(k - 1)
			x.Forget(k)
			x.Stats()
		}
		return []ratelimit.Window{{Rate: ratelimit.Every(time.Second), Burst: math.MaxInt16}}
	})
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

// R1: what is settled, charged and changed by key is that of the key, also after it was
// evicted.
func TestR1KeyedOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := ratelimit.New(ratelimit.Every(time.Second), 100)
		for name, x := range map[string]*ratelimit.Keyed[string]{
			"plain":   ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 10, ratelimit.WithMaxKeys(8)),
			"windows": ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 10, ratelimit.WithMaxKeys(8), ratelimit.WithWindow(ratelimit.Every(time.Second), 50)),
			"parent":  ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 10, ratelimit.WithMaxKeys(8), ratelimit.WithParent(parent)),
		} {
			if d := x.Peek("a"); !d.OK || d.Remaining != 10 || x.Stats().Keys != 0 {
				t.Errorf("%s: %+v of a new key", name, d)
			}
			x.Charge("a", 15)
			if d := x.Peek("a"); d.OK || d.RetryAfter != 6*time.Second || x.Allow("a") {
				t.Errorf("%s: %+v after a charge", name, d)
			}
			if d := x.Peek("b"); d.Remaining != 10 {
				t.Errorf("%s: %+v of another key", name, d)
			}
			time.Sleep(15 * time.Second)
			r := x.Reserve("a", 8)
			if d := x.Peek("a"); d.Remaining != 2 || !r.OK() {
				t.Errorf("%s: %+v after a reservation", name, d)
			}
			if got := r.Settle(3); got != 5 || x.Peek("a").Remaining != 7 {
				t.Errorf("%s: %d given back", name, got)
			}
			x.Set("a", ratelimit.Window{Rate: ratelimit.Every(time.Minute), Burst: 20})
			if d := x.Peek("a"); d.Remaining != 17 || d.ResetAfter != 3*time.Minute {
				t.Errorf("%s: %+v after Set", name, d)
			}
			later := x.Reserve("a", 18)
			if later.Delay() != time.Minute {
				t.Errorf("%s: in %v", name, later.Delay())
			}
			start := time.Now()
			if err := later.Wait(t.Context()); err != nil || time.Since(start) != time.Minute {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
			time.Sleep(time.Hour)
			for i := range 100 { // evicts it
				x.Allow(string(rune('A' + i)))
				time.Sleep(time.Minute)
			}
			if got := later.Settle(20); got != -2 || x.Peek("a").Remaining != 8 {
				t.Errorf("%s: %d, %+v after a late settlement", name, got, x.Peek("a"))
			}
			if got := later.Settle(1); got != 0 && name == "plain" {
				t.Errorf("%s: %d given back", name, got)
			}
			x.Set("nobody", ratelimit.Window{Rate: ratelimit.Every(time.Minute), Burst: 1})
			if d := x.Peek("nobody"); d.Remaining != 10 {
				t.Errorf("%s: %+v after Set of a key that owes nothing", name, d)
			}
		}
	})
}

// R1, FR5: keys with a parent are granted by both or spent on neither.
func TestR1KeyedParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := ratelimit.New(ratelimit.Every(time.Second), 5)
		x := ratelimit.NewKeyed[int](ratelimit.Every(time.Second), 3, ratelimit.WithParent(all), ratelimit.WithMaxKeys(4))
		for k := range 2 {
			if got := x.AllowN(k, 3); got != (k == 0) {
				t.Errorf("key %d: %v", k, got)
			}
		}
		if all.Peek().Remaining != 2 || x.Peek(1).Remaining != 2 || x.Stats().Keys != 1 {
			t.Errorf("%+v, %+v, %+v", all.Peek(), x.Peek(1), x.Stats())
		}
		start := time.Now()
		var wg sync.WaitGroup
		for k := range 6 {
			wg.Go(func() {
				if err := x.WaitN(t.Context(), k, 2); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("12 permits behind 2 took %v", took)
		}
	})
}
