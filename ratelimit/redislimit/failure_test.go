package redislimit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

var (
	errGone   = errors.New("gone")
	errBroken = errors.New("broken")
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}

// The breaker opens after failures in a row, lets one caller try after each pause, and
// closes when that works.
func TestBreaker(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 100,
			redislimit.WithFailurePolicy(redislimit.FailClosed), redislimit.WithBreaker(3, time.Second), redislimit.WithTimeout(100*time.Millisecond))
		ask := func(want error) {
			t.Helper()
			if _, err := l.Take(t.Context(), "a", 1); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		is := func(state redislimit.BreakerState, calls int, trips uint64) {
			t.Helper()
			if s := l.Stats(); s.Breaker != state || f.called() != calls || s.Trips != trips {
				t.Errorf("%v, %d calls, %d trips, want %v, %d, %d", s.Breaker, f.called(), s.Trips, state, calls, trips)
			}
		}
		f.err = errBroken
		ask(errBroken)
		ask(errBroken)
		f.err = nil
		ask(nil) // in between: it is not a row
		f.err = errBroken
		ask(errBroken)
		ask(errBroken)
		is(redislimit.Closed, 5, 0)
		ask(errBroken)
		is(redislimit.Open, 6, 1)
		for range 10 {
			ask(redislimit.ErrUnavailable)
		}
		time.Sleep(time.Second - 1)
		ask(redislimit.ErrUnavailable)
		is(redislimit.Open, 6, 1)
		time.Sleep(time.Nanosecond)
		ask(errBroken) // the probe
		is(redislimit.Open, 7, 1)
		time.Sleep(time.Second)

		f.err, f.hangs = nil, true
		var wg sync.WaitGroup
		wg.Go(func() { // the deadline that has passed is none of the caller's
			if _, err := l.Take(t.Context(), "a", 1); !errors.Is(err, redislimit.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		is(redislimit.HalfOpen, 8, 1)
		ask(redislimit.ErrUnavailable) // while one tries, nobody else does
		wg.Wait()
		is(redislimit.Open, 8, 1)
		time.Sleep(time.Second)

		// A probe whose caller goes away says nothing: the next one tries at once.
		ctx, cancel := contextWithCancel(t)
		wg.Go(func() {
			if _, err := l.Take(ctx, "a", 1); err != errGone {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		cancel(errGone)
		wg.Wait()
		is(redislimit.Open, 9, 1)
		f.set(func() { f.hangs = false })
		ask(nil)
		is(redislimit.Closed, 10, 1)
		ask(nil)
	})
}

// Calls that began before the breaker opened say nothing when they end.
func TestBreakerIgnoresTheLate(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 100, redislimit.WithBreaker(1, time.Second), redislimit.WithTimeout(time.Minute))
		f.latency = 5 * time.Second
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = l.Take(t.Context(), "a", 1) })
		synctest.Wait()
		f.set(func() { f.err, f.latency = errBroken, 0 })
		_, _ = l.Take(t.Context(), "a", 1)
		f.set(func() { f.err = nil })
		wg.Wait() // it worked, but that is no probe
		if s := l.Stats(); s.Breaker != redislimit.Open {
			t.Errorf("%+v", s)
		}
	})
}

// While Redis is away, a process grants its share, of what it was not granted yet.
func TestFailLocalIsWarm(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 10, redislimit.WithReplicas(4), redislimit.WithBreaker(1, time.Minute),
			redislimit.WithWindow(ratelimit.Every(time.Minute), 100))
		take := func(k string, n int, ok bool, remaining int, retry time.Duration) {
			t.Helper()
			d, err := l.Take(t.Context(), k, n)
			if d.OK != ok || d.Remaining != remaining || d.RetryAfter != retry || err != nil {
				t.Errorf("%+v, %v, want %v, %d remaining, %v", d, err, ok, remaining, retry)
			}
		}
		take("a", 2, true, 8, 0)
		f.err = errBroken
		take("a", 1, true, 0, 0) // a share is a burst of 3
		take("a", 1, false, 0, 4*time.Second)
		time.Sleep(4 * time.Second)
		take("a", 1, true, 0, 0)
		take("b", 3, true, 0, 0)
		// More than a share may be had of Redis, when that is back.
		take("c", 4, false, 3, time.Minute-4*time.Second)
		take("c", 11, false, 3, ratelimit.Never)
		take("c", 3, true, 0, 0)
		if s := l.Stats(); s.Local != 7 || s.Failures != 1 || s.Calls != 2 || s.Keys != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// A process that was granted more than its share owes all of it, and no more.
func TestFailLocalOwesItsShareAtMost(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 10, redislimit.WithReplicas(5), redislimit.WithBreaker(1, time.Minute))
		for range 9 {
			_, _ = l.Take(t.Context(), "a", 1)
		}
		f.err = errBroken
		d, err := l.Take(t.Context(), "a", 2)
		if d.OK || d.RetryAfter != 10*time.Second || err != nil { // 5 s a permit
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestFailOpen(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 2, redislimit.WithFailurePolicy(redislimit.FailOpen))
		f.err = errBroken
		for range 10 {
			if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
		}
		if d, err := l.Take(t.Context(), "a", 3); d.OK || d.RetryAfter != ratelimit.Never || err != nil {
			t.Errorf("more than the burst: %+v, %v", d, err)
		}
		if s := l.Stats(); s.Opened != 11 || s.Granted != 10 || s.Denied != 1 || s.Keys != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Who waits for a flight that fails falls back with it: all at once, after one timeout.
func TestAFlightThatFailsIsOneTimeout(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Hour), 100, redislimit.WithLease(50, time.Second), redislimit.WithTimeout(70*time.Millisecond))
		f.hangs = true
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != 70*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if s := l.Stats(); s.Local != 100 || s.Failures != 1 || s.Calls != 1 {
			t.Errorf("%+v", s)
		}
		if ok, err := l.Allow(t.Context(), "a"); ok || err != nil {
			t.Errorf("the share is used up: %v, %v", ok, err)
		}
	})
}

// A flight whose pilot gives up is taken over by one of those who wait, and one who waits
// may give up, too.
func TestAFlightIsTakenOver(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Hour), 100, redislimit.WithLease(50, time.Second), redislimit.WithTimeout(time.Minute))
		f.hangs = true
		pilot, cancelPilot := contextWithCancel(t)
		passenger, cancelPassenger := contextWithCancel(t)
		var wg sync.WaitGroup
		for _, ctx := range []context.Context{pilot, passenger, t.Context(), t.Context()} {
			wg.Go(func() {
				ok, err := l.Allow(ctx, "a")
				if want := context.Cause(ctx); err != want || ok != (want == nil) {
					t.Errorf("%v, %v, want %v", ok, err, want)
				}
			})
			synctest.Wait()
		}
		cancelPassenger(errBroken)
		synctest.Wait()
		f.set(func() { f.hangs = false })
		cancelPilot(errGone)
		wg.Wait()
		if s := l.Stats(); s.Granted != 2 || s.Errors != 2 || s.Failures != 0 || s.Breaker != redislimit.Closed {
			t.Errorf("%+v", s)
		}
	})
}

// A client that panics leaves nobody waiting, and the probe free.
func TestAClientThatPanics(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Hour), 100, redislimit.WithLease(50, time.Second), redislimit.WithBreaker(1, time.Second))
		f.err = errBroken
		_, _ = l.Allow(t.Context(), "a")
		time.Sleep(time.Second)
		f.panics = true
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is swallowed")
				}
			}()
			_, _ = l.Allow(t.Context(), "a")
		}()
		f.panics, f.err = false, nil
		if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil || l.Stats().Breaker != redislimit.Closed {
			t.Errorf("%v, %v, %+v", ok, err, l.Stats())
		}
	})
}
