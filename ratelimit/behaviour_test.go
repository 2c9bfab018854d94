package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// What users of golang.org/x/time/rate rely on, as its public tests have it, in
// tests written anew. A step asks for n permits after a pause.
type step struct {
	pause time.Duration
	n     int
	ok    bool
}

func run(t *testing.T, l *ratelimit.Limiter, steps []step) {
	t.Helper()
	for i, s := range steps {
		time.Sleep(s.pause)
		if got := l.AllowN(s.n); got != s.ok {
			t.Errorf("step %d: AllowN(%d) is %v, want %v", i, s.n, got, s.ok)
		}
	}
}

const d = 100 * time.Millisecond

// R1, R2: bursts of 1, 2 and 3, and claims of several permits.
func TestR1Allow(t *testing.T) {
	for burst, steps := range map[int][]step{
		1: {{0, 1, true}, {0, 1, false}, {0, 1, false}, {d, 1, true}, {0, 1, false}, {d, 1, true}, {d, 1, true}},
		2: {{0, 2, true}, {0, 1, false}, {d, 1, true}, {0, 1, false}, {2 * d, 2, true}, {0, 1, false}, {10 * d, 3, false}, {0, 2, true}, {0, 1, false}},
		3: {{0, 1, true}, {0, 1, true}, {0, 1, true}, {0, 1, false}, {d, 1, true}, {0, 1, false}, {d - 1, 1, false}, {1, 1, true}, {9 * d, 3, true}, {0, 1, false}},
	} {
		synctest.Test(t, func(t *testing.T) { run(t, ratelimit.New(ratelimit.Every(d), burst), steps) })
	}
}

// R5, FR7: limits of nothing, of next to nothing, and of none.
func TestR5TinyZeroAndNoLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		year := 365 * 24 * time.Hour
		run(t, ratelimit.New(ratelimit.Per(0, time.Second), 1), []step{{0, 1, true}, {0, 1, false}, {year, 1, false}})
		run(t, ratelimit.New(ratelimit.Per(0, time.Second), 0), []step{{0, 1, false}, {year, 1, false}})
		run(t, ratelimit.New(ratelimit.Every(30*year), 1), []step{{0, 1, true}, {0, 1, false}, {year, 1, false}})
		run(t, ratelimit.New(ratelimit.Per(10, time.Second), 0), []step{{0, 1, false}, {year, 1, false}})
		run(t, ratelimit.New(ratelimit.Unlimited, 0), []step{{0, 1, true}, {0, math.MaxInt, true}})
		l := ratelimit.New(ratelimit.Unlimited, 3)
		run(t, l, []step{{0, 1, true}, {0, 4, true}})
		l.SetRate(ratelimit.Every(d)) // what was granted without a limit is not owed
		run(t, l, []step{{0, 3, true}, {0, 1, false}, {d, 1, true}, {0, 1, false}})
		l.SetRate(ratelimit.Unlimited)
		run(t, l, []step{{0, 9, true}})
	})
}

// R3, R7: reservations follow one another, and one too large takes nothing.
func TestR7Reserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(d), 2)
		for i, want := range []time.Duration{0, 0, d, 2 * d} {
			if got := l.Reserve().Delay(); got != want {
				t.Errorf("reservation %d in %v, want %v", i, got, want)
			}
		}
		if r := l.ReserveN(3); r.OK() || r.Delay() != ratelimit.Never {
			t.Error("more than the burst was promised")
		}
		last := l.ReserveN(2)
		if last.Delay() != 4*d {
			t.Errorf("two more in %v, want %v", last.Delay(), 4*d)
		}
		last.Cancel()
		if got := l.Reserve().Delay(); got != 3*d {
			t.Errorf("after Cancel, one more in %v, want %v", got, 3*d)
		}
	})
}

// R1: of reservations that are cancelled, the last one gives all of its permits back, and an
// earlier one what those behind it, whose instants do not change, leave.
func TestR1CancelInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(d), 2, ratelimit.WithSpent(2))
		first, second, third := l.Reserve(), l.Reserve(), l.Reserve()
		first.Cancel()
		if second.Delay() != 2*d || third.Delay() != 3*d {
			t.Error("a promise has moved")
		}
		third.Cancel()
		if got := l.Reserve().Delay(); got != 3*d {
			t.Errorf("the place of the last one comes in %v, want %v", got, 3*d)
		}
		time.Sleep(2 * d)
		if n := second.Settle(0); n != 0 {
			t.Errorf("%d permits were given back that the last one needs", n)
		}
		if l.Allow() {
			t.Error("a permit that counts as used was given back")
		}
	})
}

// R4: a Wait under a deadline, a cancelled one, and one for too many.
func TestR4Wait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(d), 3)
		wait := func(timeout time.Duration, n int, want error, after time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			start := time.Now()
			if err := l.WaitN(ctx, n); !errors.Is(err, want) || time.Since(start) != after {
				t.Errorf("WaitN(%d): %v after %v, want %v after %v", n, err, time.Since(start), want, after)
			}
		}
		wait(time.Hour, 4, ratelimit.ErrExceedsBurst, 0)
		wait(time.Hour, 3, nil, 0)
		wait(d/2, 1, context.DeadlineExceeded, 0)
		wait(3*d/2, 1, nil, d)
		wait(3*d/2, 2, context.DeadlineExceeded, 0)
		wait(time.Hour, 2, nil, 2*d)
	})
}

// R5: a jump back of less than the burst delays for no longer than the jump, and
// mints nothing. x/time/rate drops the time in between: there the step after the jump would have one permit more.
func TestR5SmallJumpBack(t *testing.T) {
	var l *ratelimit.Limiter
	synctest.Test(t, func(t *testing.T) {
		l = ratelimit.New(ratelimit.Every(d), 3)
		run(t, l, []step{{d, 1, true}})
	})
	synctest.Test(t, func(t *testing.T) { // begins where the first one began
		run(t, l, []step{{0, 1, true}, {0, 1, false}, {d, 1, true}, {0, 1, false}, {3 * d, 3, true}, {0, 1, false}})
	})
}

// R5: Parts gives the rate back exactly, in lowest terms, and nothing of what has none.
func TestR5PartsOfARate(t *testing.T) {
	for _, c := range []struct {
		rate    ratelimit.Rate
		permits int
		period  time.Duration
	}{
		{ratelimit.Per(10, time.Second), 1, time.Second / 10},
		{ratelimit.Per(999_999_937, time.Second), 999_999_937, time.Second},
		{ratelimit.Per(math.MaxInt, math.MaxInt64), 1, 1},
		{ratelimit.Every(math.MaxInt64), 1, math.MaxInt64},
		{ratelimit.Per(0, time.Minute), 0, time.Minute},
		{ratelimit.Unlimited, 0, 0},
		{ratelimit.Rate{}, 0, 0},
	} {
		if permits, period := c.rate.Parts(); permits != c.permits || period != c.period {
			t.Errorf("%v: %d in %v, want %d in %v", c.rate, permits, period, c.permits, c.period)
		}
	}
}

// R3: no later reservation comes before an earlier one, also when the rate or the burst
// changes, and when one between them is given back.
func TestR3ReservationsKeepTheirOrder(t *testing.T) {
	for name, x := range map[string]struct {
		rate           int
		change         func(l *ratelimit.Limiter)
		earlier, later time.Duration // in which they are due
	}{
		"SetRate": {5, func(l *ratelimit.Limiter) {
			time.Sleep(200 * time.Millisecond)
			l.SetRate(ratelimit.Per(10, time.Second))
		}, 200 * time.Millisecond, 300 * time.Millisecond},
		"SetBurst": {5, func(l *ratelimit.Limiter) { l.SetBurst(6) }, 400 * time.Millisecond, 400 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := ratelimit.New(ratelimit.Per(x.rate, time.Second), 2)
			l.ReserveN(2)
			r := l.ReserveN(2)
			x.change(l)
			if late := l.ReserveN(1); r.Delay() != x.earlier || late.Delay() != x.later {
				t.Errorf("%s: the earlier one in %v, the later one in %v, want %v and %v", name, r.Delay(), late.Delay(), x.earlier, x.later)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Per(10, time.Second), 2)
		l.ReserveN(2)
		between, r := l.ReserveN(1), l.ReserveN(1)
		between.Cancel()
		if late := l.ReserveN(1); r.Delay() != 200*time.Millisecond || late.Delay() != 200*time.Millisecond {
			t.Errorf("the earlier one in %v, the later one in %v, want 200ms for both", r.Delay(), late.Delay())
		}
	})
}
