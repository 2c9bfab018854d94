package takertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// most is no upper bound.
const most = time.Duration(math.MaxInt64)

// burst: the burst is granted at once, and no more; Remaining counts down, and the
// delays tell when permits return.
func (s Subject) burst(t *testing.T) {
	const burst = 5
	x := s.tape(t, ratelimit.Every(time.Hour), burst)
	var first call
	for i := 1; i <= burst; i++ {
		c := x.take("a", 1)
		if i == 1 {
			first = c
		}
		left := burst - i
		if !s.exact() {
			left = -1
		}
		x.is(fmt.Sprintf("permit %d", i), c, true, left)
		if c.Limit != burst {
			t.Errorf("the limit is %d, want %d", c.Limit, burst)
		}
		if s.exact() {
			owed := time.Duration(i) * time.Hour
			x.within("ResetAfter", c.ResetAfter, owed-(c.to-first.from)-s.slack(c.to), owed)
		}
	}
	for range 3 {
		c := x.take("a", 1)
		x.is("beyond the burst", c, false, 0)
		x.within("RetryAfter", c.RetryAfter, time.Hour-(c.to-first.from)-s.slack(c.to), time.Hour)
		x.within("ResetAfter", c.ResetAfter, burst*time.Hour-(c.to-first.from)-s.slack(c.to), burst*time.Hour)
	}
}

// concurrency: many goroutines at once get as many permits as one would.
func (s Subject) concurrency(t *testing.T) {
	const burst, goroutines, each = 200, 16, 25
	x := s.tape(t, ratelimit.Every(time.Hour), burst)
	var got atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for range each {
				n := 1 + g%2
				if x.take("a", n).OK {
					got.Add(int64(n))
				}
			}
		})
	}
	wg.Wait()
	for x.take("a", 1).OK { // twos don't fit where one is left
		got.Add(1)
	}
	if got.Load() != burst {
		t.Errorf("%d permits of a burst of %d", got.Load(), burst)
	}
}

// allOrNone: a denied call takes no permit, and a call above the burst gets Never.
func (s Subject) allOrNone(t *testing.T) {
	x := s.tape(t, ratelimit.Every(time.Hour), 5)
	first := x.take("a", 3)
	x.is("3 of 5", first, true, s.left(2))
	c := x.take("a", 3)
	x.is("3 of 2", c, false, s.left(2))
	x.within("RetryAfter", c.RetryAfter, time.Hour-(c.to-first.from)-s.slack(c.to), time.Hour)
	c = x.take("a", 5)
	x.is("5 of 2", c, false, s.left(2))
	x.within("RetryAfter", c.RetryAfter, 3*time.Hour-(c.to-first.from)-s.slack(c.to), 3*time.Hour)
	for _, n := range []int{6, math.MaxInt32, math.MaxInt} {
		c = x.take("a", n)
		x.is("more than the burst", c, false, s.left(2))
		if c.RetryAfter != ratelimit.Never {
			t.Errorf("%d of a burst of 5 may be had after %v", n, c.RetryAfter)
		}
	}
	x.is("2 of 2", x.take("a", 2), true, s.left(0))
	x.is("1 of 0", x.take("a", 1), false, 0)
	x.is("5 of 5", x.take("b", 5), true, s.left(0))
	c = x.take("c", 6)
	x.is("more than the burst of an idle key", c, false, s.left(5))
	if s.exact() && c.ResetAfter != 0 {
		t.Errorf("an idle key is reset after %v", c.ResetAfter)
	}
}

func (s Subject) left(n int) int {
	if s.exact() {
		return n
	}
	return -1
}

// ended: under a context that has ended, no permit is spent, and the cause is returned.
func (s Subject) ended(t *testing.T) {
	x := s.tape(t, ratelimit.Every(time.Hour), 3)
	cause := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	past, cancelPast := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelPast()
	for range 10 {
		if d, err := x.taker.Take(ctx, "a", 1); err != cause || d != (ratelimit.Decision{}) {
			t.Errorf("cancelled: %+v, %v", d, err)
		}
		if d, err := x.taker.Take(past, "a", 1); !errors.Is(err, context.DeadlineExceeded) || d.OK {
			t.Errorf("too late: %+v, %v", d, err)
		}
	}
	x.is("the burst", x.take("a", 3), true, 0)
}

// misuse: numbers below 1 and a nil context panic at the call and spend no permit.
func (s Subject) misuse(t *testing.T) {
	x := s.tape(t, ratelimit.Every(time.Hour), 3)
	for what, call := range map[string]func(){
		"number must be at least 1, got 0":  func() { _, _ = x.taker.Take(t.Context(), "a", 0) },
		"number must be at least 1, got -3": func() { _, _ = x.taker.Take(t.Context(), "a", -3) },
		"context must not be nil":           func() { _, _ = x.taker.Take(nil, "a", 1) }, //lint:ignore SA1012 it is to panic
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasSuffix(got, ": Take: "+what) {
					t.Errorf("panicked with %q, want %q at its end", got, what)
				}
			}()
			call()
		}()
	}
	x.is("the burst", x.take("a", 3), true, 0)
}

// denial: any number of denials spends no permit and lengthens no delay.
func (s Subject) denial(t *testing.T) {
	x := s.tape(t, ratelimit.Every(time.Hour), 4)
	x.is("3 of 4", x.take("a", 3), true, s.left(1))
	last := x.take("a", 2)
	for range 100 {
		c := x.take("a", 2)
		x.is("2 of 1", c, false, s.left(1))
		if c.RetryAfter > last.RetryAfter || c.ResetAfter > last.ResetAfter {
			t.Errorf("a denial makes others wait: %+v after %+v", c.Decision, last.Decision)
		}
		last = c
	}
	x.is("1 of 1", x.take("a", 1), true, 0)
}

// keys: no key affects the limit of another, however similar they are.
func (s Subject) keys(t *testing.T) {
	x := s.tape(t, ratelimit.Every(time.Hour), 2)
	keys := []string{
		"", " ", "a", "A", "a ", "a:", "a:1", "a:11", "{a}", "{a}b", "{}", "a\x00", "a\x00b", "a\n", "ä", "a\u0308", "\xff",
		"*", "[a-z]", "%s", "a'--", strings.Repeat("k", 10_000), strings.Repeat("k", 10_001),
	}
	for round := range 3 {
		for _, k := range keys {
			if ok := x.take(k, 1).OK; ok != (round < 2) {
				t.Errorf("round %d, key %.20q: %v", round, k, ok)
			}
		}
	}
}

// extremes: rates and bursts of all sizes lead to the same decisions as with a limiter
// of one process.
func (s Subject) extremes(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		rate  ratelimit.Rate
		burst int
		ns    []int
	}{
		{ratelimit.Unlimited, 0, []int{1, math.MaxInt}},
		{ratelimit.Unlimited, 7, []int{8, 1}},
		{ratelimit.Per(0, time.Second), 3, []int{1, 3, 2, 1, 4}},
		{ratelimit.Per(0, 1), math.MaxInt >> 3, []int{math.MaxInt>>3 - 2, 1, 2, 1, 1}},
		{ratelimit.Every(time.Second), 0, []int{1, 5}},
		{ratelimit.Every(12 * year), 3, []int{1, 1, 2, 1, 1}},
		{ratelimit.Every(36 * year), 1, []int{2, 1, 1}},
		{ratelimit.Every(time.Second), 1_000_000_000, []int{1, 999_999_998, 2, 1, 1}},
		{ratelimit.Per(1009, 30*24*time.Hour), 1009, []int{1000, 9, 1}},
		{ratelimit.Per(7, 7*24*time.Hour+1), 9, []int{4, 5, 1}},
		{ratelimit.Per(999_983, 290*year), 1000, []int{1, 999, 1}},
	} {
		x := s.tape(t, c.rate, c.burst)
		y := &tape{t: t, taker: local{ratelimit.New(c.rate, c.burst)}, start: x.start}
		for _, n := range c.ns {
			want := y.take("a", n)
			got := x.take("a", n)
			if got.OK != want.OK || got.Limit != want.Limit || s.exact() && got.Remaining != want.Remaining {
				t.Errorf("%d of %v, %d at once: %+v, want %+v", n, c.rate, c.burst, got.Decision, want.Decision)
			}
			if s.exact() {
				s.alike(x, fmt.Sprintf("%d of %v, RetryAfter", n, c.rate), got.RetryAfter, want.RetryAfter, got.to)
				s.alike(x, fmt.Sprintf("%d of %v, ResetAfter", n, c.rate), got.ResetAfter, want.ResetAfter, got.to)
			}
		}
	}
}

// alike: two delays differ at most by the time that has passed and by rounding.
func (s Subject) alike(x *tape, what string, got, want, passed time.Duration) {
	x.t.Helper()
	if got == want {
		return
	}
	if want == ratelimit.Never { // or a delay just below Never
		x.within(what, got, most-passed-s.slack(passed), most)
		return
	}
	tolerance := passed + s.slack(passed)
	if s.Resolution > 1 {
		tolerance += want/1_000_000_000 + s.Resolution
	}
	x.within(what, got, want-tolerance, want+tolerance)
}

// A local is a limiter of one process and one key.
type local struct{ l *ratelimit.Limiter }

func (x local) Take(_ context.Context, _ string, n int) (ratelimit.Decision, error) {
	return x.l.Take(n), nil
}
