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

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A deadline that Redis exceeds is a failure of Redis: the policy decides before it, and the
// breaker opens.
func TestShortDeadlines(t *testing.T) {
	for name, opts := range map[string][]redislimit.Option{
		"Redis":  nil,
		"Leases": {redislimit.WithLease(10, time.Second)},
	} {
		for _, deadline := range []time.Duration{2 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond, time.Minute} {
			f, client := newFake(t)
			synctest.Test(t, func(t *testing.T) {
				f.latency = 100 * time.Microsecond
				l := redislimit.New[string](client, ratelimit.Every(time.Hour), 100, opts...)
				for range 5 {
					_, _ = l.Allow(t.Context(), "a")
				}
				time.Sleep(2 * time.Second)
				f.hangs = true
				for i := range 20 {
					start := time.Now()
					granted, err := l.Allow(within(t, deadline), "a")
					if !granted || err != nil {
						t.Fatalf("%s, %v, %d: %v, %v", name, deadline, i, granted, err)
					}
					if took := time.Since(start); took >= deadline || took > 50*time.Millisecond {
						t.Errorf("%s, %v, %d: it took %v", name, deadline, i, took)
					}
				}
				if s := l.Stats(); s.Breaker != redislimit.Open || s.Failures != 3 || s.Local != 20 || s.Errors != 0 {
					t.Errorf("%s, %v: %+v", name, deadline, s)
				}
				time.Sleep(time.Second) // the probe has a short deadline, too
				if ok, err := l.Allow(within(t, deadline), "a"); !ok || err != nil || l.Stats().Breaker != redislimit.Open {
					t.Errorf("%s, %v, the probe: %v, %v", name, deadline, ok, err)
				}
				if err := l.WaitN(within(t, deadline), "a", 2); err != nil {
					t.Errorf("%s, %v: %v", name, deadline, err)
				}
				f.set(func() { f.hangs = false })
				time.Sleep(time.Second)
				if _, err := l.Allow(within(t, deadline), "a"); err != nil || l.Stats().Breaker != redislimit.Closed {
					t.Errorf("%s, %v: Redis is back, %v", name, deadline, err)
				}
			})
		}
	}
}

// The other policies decide before the deadline, too.
func TestShortDeadlinesOfOtherPolicies(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		f.hangs = true
		open := redislimit.New[string](client, ratelimit.Every(time.Hour), 1, redislimit.WithFailurePolicy(redislimit.FailOpen))
		closed := redislimit.New[string](client, ratelimit.Every(time.Hour), 1, redislimit.WithFailurePolicy(redislimit.FailClosed))
		for range 10 {
			if ok, err := open.Allow(within(t, 10*time.Millisecond), "a"); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			ctx := within(t, 10*time.Millisecond)
			if err := closed.Wait(ctx, "a"); !errors.Is(err, redislimit.ErrUnavailable) || ctx.Err() != nil {
				t.Errorf("%v, %v", err, ctx.Err())
			}
		}
		if open.Stats().Breaker != redislimit.Open || closed.Stats().Breaker != redislimit.Open {
			t.Errorf("%+v, %+v", open.Stats(), closed.Stats())
		}
	})
}

// A deadline that leaves Redis no time says nothing of Redis: no policy decides, or one who
// chooses deadlines could choose who does; nor does a context that is cancelled.
func TestDeadlinesThatSayNothing(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		f.latency = 5 * time.Millisecond
		l := redislimit.New[string](client, ratelimit.Every(time.Hour), 100, redislimit.WithFailurePolicy(redislimit.FailOpen), redislimit.WithBreaker(1, time.Minute))
		_, _ = l.Allow(t.Context(), "a")
		for _, d := range []time.Duration{-1, 0, 1, time.Microsecond, time.Millisecond, 9 * time.Millisecond} {
			if ok, err := l.Allow(within(t, d), "a"); ok || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redislimit.ErrUnavailable) {
				t.Errorf("%v: %v, %v", d, ok, err)
			}
			if err := l.Wait(within(t, d), "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v: %v", d, err)
			}
		}
		f.hangs = true
		for range 5 {
			ctx, cancel := contextWithCancel(t)
			time.AfterFunc(20*time.Millisecond, func() { cancel(errGone) })
			if ok, err := l.Allow(ctx, "a"); ok || err != errGone {
				t.Errorf("%v, %v", ok, err)
			}
		}
		if s := l.Stats(); s.Breaker != redislimit.Closed || s.Failures != 0 || s.Opened != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Callers that wait for one call of Redis together each keep to their own deadlines, and the
// short one of the caller that asks is not that of the others.
func TestDeadlinesOfManyAtOnce(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Hour), 1000, redislimit.WithLease(10, time.Second), redislimit.WithTimeout(time.Second))
		f.hangs = true
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 60 {
			deadline := time.Duration(10+i%3*20) * time.Millisecond
			wg.Go(func() {
				ok, err := l.Allow(within(t, deadline), "a")
				if took := time.Since(start); !ok || err != nil || took >= deadline {
					t.Errorf("%v: %v, %v after %v", deadline, ok, err, took)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if s := l.Stats(); s.Local != 60 || s.Errors != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)

		// The first asks with a deadline that is too soon for Redis, but not for the second.
		f.set(func() { f.hangs, f.latency = false, 5*time.Millisecond })
		_, _ = l.Allow(t.Context(), "b")
		local := l.Stats().Local
		f.set(func() { f.latency = 50 * time.Millisecond })
		for i, deadline := range []time.Duration{60 * time.Millisecond, time.Minute} {
			wg.Go(func() {
				if ok, err := l.Allow(within(t, deadline), "c"); !ok || err != nil {
					t.Errorf("%d: %v, %v", i, ok, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if s := l.Stats(); s.Local != local+1 {
			t.Errorf("%+v", s)
		}
	})
}
