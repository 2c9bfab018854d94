package takertest

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// Windows tests only the law of windows: no window has more grants than allowed when
// several goroutines take all they can get.
func (s Subject) Windows(t *testing.T) {
	for seed, r := range []struct {
		permits int
		period  time.Duration
		burst   int
	}{
		{1, 10 * time.Millisecond, 1},
		{7, 30 * time.Millisecond, 5},
		{1001, time.Second, 20},
		{9_973, time.Second, 300}, // no whole number of microseconds
	} {
		x := s.tape(t, ratelimit.Per(r.permits, r.period), r.burst)
		ledger := NewLedger()
		var wg sync.WaitGroup
		for g := range 4 {
			rnd := rand.New(rand.NewPCG(uint64(seed), uint64(g)))
			wg.Go(func() {
				for ledger.Age() < 250*time.Millisecond {
					n := 1 + rnd.IntN(min(r.burst, 6))
					var c call
					if !ledger.Note(n, func() bool { c = x.take("a", n); return c.OK }) {
						time.Sleep(time.Duration(rnd.Int64N(1 + int64(2*c.RetryAfter))))
					}
				}
			})
		}
		wg.Wait()
		ledger.CheckWindows(t, r.burst, r.permits, r.period, s.Ahead, s.slack)
	}
}

// due: every permit that is due is granted, even after denials: a caller that keeps
// asking gets all that the law allows.
func (s Subject) due(t *testing.T) {
	const burst, interval = 3, 20 * time.Millisecond
	x := s.tape(t, ratelimit.Every(interval), burst)
	first := x.take("a", burst)
	x.is("the burst", first, true, 0)
	for i := 1; i <= 10; i++ {
		// After i intervals, i permits have come back.
		for x.now() < first.to+time.Duration(i)*interval+s.slack(time.Duration(i)*interval) {
			x.take("a", burst+1)
			time.Sleep(interval / 3)
		}
		if c := x.take("a", 1); !c.OK {
			t.Errorf("permit %d, after %v: %+v", i, c.from-first.to, c.Decision)
		}
	}
}

// tight: the same call is granted after RetryAfter, and no sooner. A RetryAfter derived
// from an earlier call counts from the begin of that call, and is returned after its
// end.
func (s Subject) tight(t *testing.T) {
	const interval = 16 * time.Millisecond // of a permit, or a little less
	for _, n := range []int{1, 2, 5} {
		x := s.tape(t, ratelimit.Per(3, 50*time.Millisecond), 5) // no whole number of nanoseconds
		granted := x.take("a", 5)
		x.is("the burst", granted, true, 0)
		for rounds := 0; rounds < 3; rounds++ {
			denied := x.take("a", n)
			if denied.OK && denied.to-granted.from > interval { // the calls are so far apart that nothing is too early
				granted, rounds = denied, rounds-1
				continue
			}
			x.is("too early", denied, false, -1)
			for c := denied; ; {
				from := x.now()
				time.Sleep(max(s.Resolution, c.RetryAfter/2))
				if c = x.take("a", n); c.OK {
					// At least RetryAfter has passed since before the denial.
					if c.to-denied.from < denied.RetryAfter-s.slack(denied.RetryAfter)-s.memory(x) {
						t.Errorf("%d are granted %v after a denial that said %v", n, c.to-denied.from, denied.RetryAfter)
					}
					granted = c
					break
				}
				if c.from-denied.to > denied.RetryAfter+s.slack(denied.RetryAfter) {
					t.Fatalf("%d are denied %v after a denial that said %v", n, c.from-denied.to, denied.RetryAfter)
				}
				// The remaining wait is shorter by the time that has passed.
				if c.RetryAfter > denied.RetryAfter-(c.from-denied.to)+s.slack(denied.RetryAfter)+s.memory(x) || c.from < from {
					t.Fatalf("%v are left %v after a denial that said %v", c.RetryAfter, c.from-denied.to, denied.RetryAfter)
				}
			}
		}
	}
}

// memory returns by how much a RetryAfter may be too long.
func (s Subject) memory(x *tape) time.Duration {
	if s.exact() {
		return 0
	}
	return x.longest
}

// reset: after ResetAfter the whole burst is available.
func (s Subject) reset(t *testing.T) {
	const burst = 4
	x := s.tape(t, ratelimit.Per(7, 80*time.Millisecond), burst)
	for range 3 {
		c := x.take("a", 3)
		x.is("3", c, true, -1)
		if !s.exact() {
			c = x.take("a", burst) // the answer of Redis itself
		}
		time.Sleep(c.ResetAfter + s.slack(c.ResetAfter))
		x.is("all of it", x.take("a", burst), true, s.left(0))
		time.Sleep(100 * time.Millisecond)
	}
}
