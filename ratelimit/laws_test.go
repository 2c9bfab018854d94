package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

// A grant is what a limiter has let through, and when.
type grant struct {
	at time.Duration
	n  int
}

// checkWindows fails the test if a closed window between two grants holds more
// than burst + n/d·length, in exact arithmetic.
func checkWindows(t testing.TB, grants []grant, burst, n int, d time.Duration) {
	t.Helper()
	for i := range grants {
		sum := int64(0)
		for _, g := range grants[i:] {
			sum += int64(g.n)
			// sum ≤ burst + n·w/d  ⇔  (sum - burst)·d ≤ n·w
			left := new(big.Int).Mul(big.NewInt(sum-int64(burst)), big.NewInt(int64(d)))
			right := new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(int64(g.at-grants[i].at)))
			if left.Cmp(right) > 0 {
				t.Fatalf("%d permits in the %v from %v on, with a burst of %d and %d per %v", sum, g.at-grants[i].at, grants[i].at, burst, n, d)
			}
		}
	}
}

// R1: no window holds more than the law, for random rates and random use of
// every way to ask.
func TestR1WindowLaw(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			n, d, burst := 1+rnd.IntN(20), time.Duration(1+rnd.IntN(1000)), 1+rnd.IntN(10)
			l := ratelimit.New(ratelimit.Per(n, d), burst)
			start := time.Now()
			var mu sync.Mutex
			var grants []grant
			granted := func(k int) {
				mu.Lock()
				defer mu.Unlock()
				grants = append(grants, grant{time.Since(start), k})
			}
			var wg sync.WaitGroup
			for range 120 {
				k := 1 + rnd.IntN(burst)
				giveUp := time.Duration(rnd.IntN(3 * int(d)))
				switch rnd.IntN(5) {
				case 0:
					if l.AllowN(k) {
						granted(k)
					}
				case 1:
					if l.Take(k).OK {
						granted(k)
					}
				case 2:
					wg.Go(func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						time.AfterFunc(giveUp, cancel)
						if l.WaitN(ctx, k) == nil {
							granted(k)
						}
					})
				case 3:
					r := l.ReserveN(k)
					delay := r.Delay()
					if giveUp < delay && rnd.IntN(2) == 0 {
						wg.Go(func() { time.Sleep(giveUp); r.Cancel() })
					} else {
						wg.Go(func() { time.Sleep(delay); granted(k) })
					}
				default:
					time.Sleep(time.Duration(rnd.IntN(int(d))))
				}
				synctest.Wait()
			}
			wg.Wait()
			checkWindows(t, grants, burst, n, d)
		})
	}
}

// R1, FR3: greedy demand gets all that the law allows, to the permit: the rest of an
// interval that is no whole number of nanoseconds is carried.
func TestR1NothingIsLostToRounding(t *testing.T) {
	for _, r := range []struct {
		n int
		d time.Duration
	}{{3, 10}, {7, time.Second}, {999_999_937, time.Second}, {1_000_000_000, time.Second}, {1, time.Hour}, {1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			const burst = 5
			l := ratelimit.New(ratelimit.Per(r.n, r.d), burst)
			start := time.Now()
			step := max(1, r.d*burst/time.Duration(2*r.n))
			got := int64(0)
			for range 2000 {
				for l.Allow() {
					got++
				}
				want := new(big.Int).Mul(big.NewInt(int64(time.Since(start))), big.NewInt(int64(r.n)))
				want.Quo(want, big.NewInt(int64(r.d)))
				if want.Int64()+burst != got {
					t.Fatalf("%d per %v: %d permits in %v, want %d", r.n, r.d, got, time.Since(start), want.Int64()+burst)
				}
				time.Sleep(step)
			}
		})
	}
}

// R1: many goroutines at once get no more than one would.
func TestR1UnderContention(t *testing.T) {
	l := ratelimit.New(ratelimit.Every(time.Hour), 1000)
	var got testkit.Gauge
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 500 {
					if l.Allow() {
						got.Enter()
					}
				}
			})
		}
		wg.Wait()
	})
	if got.Now() != 1000 {
		t.Errorf("%d permits of a burst of 1000", got.Now())
	}
}

// R2, FR2: a cancelled Wait gives its place to those behind it, at once; a cancelled
// Reservation too.
func TestR2CancelGivesThePlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Second), 10, ratelimit.WithSpent(10))
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.WaitN(ctx, 10); err != context.Canceled {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := l.Wait(t.Context()); err != nil || time.Since(start) != 1500*time.Millisecond {
				t.Errorf("%v after %v: the place was not given at once", err, time.Since(start))
			}
		})
		time.Sleep(1500 * time.Millisecond) // one permit is there, held up by the first
		cancel()
		wg.Wait()

		r := l.ReserveN(5)
		behind := l.Reserve()
		if r.Delay() != 4500*time.Millisecond || behind.Delay() != 5500*time.Millisecond {
			t.Errorf("delays %v and %v", r.Delay(), behind.Delay())
		}
		r.Cancel()
		r.Cancel()
		if d := l.Take(1).RetryAfter; d != 1500*time.Millisecond { // the one behind it is owed
			t.Errorf("the place of a cancelled reservation comes in %v, want 1.5s", d)
		}
		if behind.Delay() != 5500*time.Millisecond {
			t.Errorf("a promise has moved to %v", behind.Delay())
		}
	})
}

// R1: a reservation that is cancelled after its instant counts as never used, unless what
// was granted since needs it.
func TestR1CancelLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Second), 1)
		now, later := l.Reserve(), l.Reserve()
		now.Cancel() // the other one may be used as early as it is
		if l.Allow() {
			t.Error("a permit was given back that another one needs")
		}
		time.Sleep(time.Second)
		later.Cancel()
		if !l.Allow() || l.Allow() {
			t.Error("there is not exactly the permit that was given back")
		}
		if later.Delay() != 0 {
			t.Errorf("delay %v", later.Delay())
		}
	})
}

// R3, FR10: waiters are served first come, first served, and nobody overtakes them; a
// head that is cancelled wakes the next. With 1,000 of them, some leaving.
func TestR3FirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		l := ratelimit.New(ratelimit.Every(time.Millisecond), 3, ratelimit.WithSpent(3))
		var mu sync.Mutex
		var got, want []int
		var wg sync.WaitGroup
		var front time.Duration // when the next one comes to the front
		for i := range n {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch {
			case i%14 == 0: // while it is in front
				time.AfterFunc(front+time.Millisecond/2, cancel)
			case i%7 == 0:
				time.AfterFunc(time.Duration(i%50)*100*time.Microsecond, cancel)
			default:
				want = append(want, i)
				front += time.Duration(1+i%3) * time.Millisecond
			}
			wg.Go(func() {
				if l.WaitN(ctx, 1+i%3) == nil && i%7 != 0 {
					mu.Lock()
					got = append(got, i)
					mu.Unlock()
				}
			})
			synctest.Wait()
		}
		for range 20 {
			time.Sleep(1700 * time.Microsecond)
			if l.Allow() || l.Take(1).OK {
				t.Error("somebody overtook those who wait")
			}
		}
		wg.Wait()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// R4, FR15: Wait fails at once when the deadline comes first, and spends nothing.
func TestR4DeadlineTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Second), 1, ratelimit.WithSpent(1))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second-1)
		defer cancel()
		if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		enough, cancel2 := context.WithTimeout(t.Context(), time.Second+1)
		defer cancel2()
		if err := l.Wait(enough); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v: the first one has spent something", err, time.Since(start))
		}
		ended, cancel3 := context.WithCancelCause(t.Context())
		cause := errors.New("gone")
		cancel3(cause)
		time.Sleep(time.Second)
		if err := l.Wait(ended); err != cause {
			t.Errorf("under an ended context: %v", err)
		}
		if !l.Allow() {
			t.Error("an ended context has spent a permit")
		}
		if err := l.WaitN(t.Context(), 2); !errors.Is(err, ratelimit.ErrExceedsBurst) {
			t.Errorf("more than the burst: %v", err)
		}
		if l.AllowN(2) || l.ReserveN(2).OK() || l.Take(2).RetryAfter != ratelimit.Never {
			t.Error("more than the burst can be had")
		}
	})
}

// R5, FR8: extremes neither overflow nor drift.
func TestR5Extremes(t *testing.T) {
	const year = 365 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(12*year), 3)
		for range 3 {
			if !l.Allow() {
				t.Error("the burst is not granted")
			}
		}
		if d := l.Take(1); d.OK || d.RetryAfter != 12*year || d.ResetAfter != 36*year {
			t.Errorf("1 in 12 years: %+v", d)
		}
		big := ratelimit.New(ratelimit.Per(1_000_000_000, time.Second), 1<<60)
		if !big.AllowN(1<<60) || big.Allow() {
			t.Error("the largest burst is not granted exactly once")
		}
		if d := big.Take(10).RetryAfter; d != 10 {
			t.Errorf("at 1e9/s, 10 permits take %v", d)
		}
		fast := ratelimit.New(ratelimit.Per(1_000_000_000, time.Nanosecond), 1_000_000_000)
		if !fast.AllowN(1_000_000_000) {
			t.Error("the highest rate denies its burst")
		}
		time.Sleep(time.Nanosecond)
		if !fast.AllowN(1_000_000_000) || fast.Allow() {
			t.Error("the highest rate is not exact")
		}
		idle := ratelimit.New(ratelimit.Per(3, time.Second), 2)
		idle.AllowN(2)
		time.Sleep(100 * year)
		if !idle.AllowN(2) || idle.Allow() {
			t.Error("after 100 years there is more than the burst")
		}
		nothing := ratelimit.New(ratelimit.Per(0, time.Second), 2)
		if !nothing.AllowN(2) || nothing.Allow() || nothing.Take(1).RetryAfter != ratelimit.Never || nothing.Reserve().OK() {
			t.Error("a rate of 0 does not deny after its burst")
		}
		ctx, cancel := context.WithTimeout(t.Context(), year)
		defer cancel()
		if err := nothing.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a rate of 0 and a deadline: %v", err)
		}
		time.AfterFunc(time.Hour, func() { nothing.SetRate(ratelimit.Every(time.Minute)) })
		start := time.Now()
		if err := nothing.Wait(t.Context()); err != nil || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("after SetRate: %v, %v", err, time.Since(start))
		}
		if u := ratelimit.New(ratelimit.Unlimited, 0); !u.AllowN(math.MaxInt) || u.WaitN(t.Context(), 9) != nil || u.Reserve().Delay() != 0 {
			t.Error("Unlimited limits")
		}
	})
}

// R5, FR11: a clock that jumps back 26 years, as it does for a limiter made outside of
// a bubble, mints nothing and freezes nothing for longer than burst/rate.
func TestR5ClockJumpsBack(t *testing.T) {
	l := ratelimit.New(ratelimit.Every(time.Second), 2)
	l.AllowN(2)
	synctest.Test(t, func(t *testing.T) {
		if l.Allow() {
			t.Error("the jump has minted a permit")
		}
		time.Sleep(2 * time.Second)
		if !l.AllowN(2) || l.Allow() {
			t.Error("after burst/rate the limiter is not what it was")
		}
	})
}

// R6: asking does not allocate.
func TestR6NoAllocation(t *testing.T) {
	free := ratelimit.New(ratelimit.Per(1_000_000_000, time.Second), 1<<60)
	spent := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1))
	late := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1))
	ctx := t.Context()
	for name, fn := range map[string]func(){
		"Allow":        func() { free.Allow() },
		"Take":         func() { free.Take(2) },
		"Peek":         func() { free.Peek() },
		"Reserve late": func() { r := late.Reserve(); r.Cancel() },
		"Settle":       func() { r := free.Reserve(); r.Settle(0) },
		"Reserve":      func() { free.Reserve() },
		"Wait":         func() { _ = free.Wait(ctx) },
		"Allow denied": func() { spent.Allow() },
		"Take denied":  func() { spent.Take(1) },
	} {
		if n := testing.AllocsPerRun(200, fn); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// R6: a denial changes nothing.
func TestR6DenialWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Per(7, time.Second), 3, ratelimit.WithSpent(3))
		before := l.Take(3)
		for range 100 {
			l.Allow()
			l.AllowN(4)
			l.ReserveN(4)
		}
		if diff := cmp.Diff(before, l.Take(3)); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}

// R7: RetryAfter is tight: granted then, denied a nanosecond before.
func TestR7RetryAfterIsTight(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			burst := 1 + rnd.IntN(9)
			l := ratelimit.New(ratelimit.Per(1+rnd.IntN(50), time.Duration(1+rnd.IntN(10_000))), burst, ratelimit.WithSpent(burst))
			for range rnd.IntN(3) {
				l.ReserveN(1 + rnd.IntN(burst))
			}
			n := 1 + rnd.IntN(burst)
			retry := l.Take(n).RetryAfter
			if retry < 1 {
				t.Fatalf("seed %d: retry after %v", seed, retry)
			}
			time.Sleep(retry - 1)
			if l.AllowN(n) {
				t.Errorf("seed %d: granted before %v", seed, retry)
			}
			time.Sleep(time.Nanosecond)
			if !l.AllowN(n) {
				t.Errorf("seed %d: denied at %v", seed, retry)
			}
		})
	}
}

// Take says what is left and when all is back.
func TestDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Per(10, time.Second), 5)
		want := ratelimit.Decision{OK: true, Limit: 5, Remaining: 2, ResetAfter: 300 * time.Millisecond}
		if diff := cmp.Diff(want, l.Take(3)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		want = ratelimit.Decision{Limit: 5, Remaining: 2, RetryAfter: 100 * time.Millisecond, ResetAfter: 300 * time.Millisecond}
		if diff := cmp.Diff(want, l.Take(3)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// SetRate keeps what is owed, and moves those who wait; so does SetBurst.
func TestSetRateAndBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Hour), 10, ratelimit.WithSpent(10))
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			// The second at the old rate has repaid 1/3600 of a permit.
			if err := l.WaitN(t.Context(), 2); err != nil || time.Since(start) != 3*time.Second-time.Second/3600 {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
		wg.Go(func() {
			synctest.Wait()
			if err := l.WaitN(t.Context(), 9); !errors.Is(err, ratelimit.ErrExceedsBurst) {
				t.Errorf("above the new burst: %v", err)
			}
		})
		time.Sleep(time.Second)
		l.SetRate(ratelimit.Every(time.Second))
		l.SetBurst(8) // ten are owed: two come back before the first is free
		l.SetBurst(10)
		l.SetBurst(9)
		l.SetBurst(8)
		l.SetBurst(10)
		wg.Wait()
	})
}

// C6, FC6: Close ends those who wait and everything after, from many goroutines.
func TestC6Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Hour), 1, ratelimit.WithSpent(1))
		m := ratelimit.New(ratelimit.Unlimited, 1, ratelimit.WithParent(l))
		var wg sync.WaitGroup
		for _, wait := range []func(context.Context) error{l.Wait, l.Wait, m.Wait, m.Wait} {
			wg.Go(func() {
				if err := wait(t.Context()); !errors.Is(err, ratelimit.ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		for range 64 {
			wg.Go(func() { _ = l.Close() })
		}
		wg.Wait()
		if l.Allow() || l.Take(1).OK || l.Reserve().OK() || m.Allow() || !errors.Is(l.Wait(t.Context()), ratelimit.ErrClosed) {
			t.Error("a closed limiter grants")
		}
	})
}
