package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R3: a wait is one call of Redis, however long it is, in order, and no caller of Take
// overtakes the one in front.
func TestR3AWaitIsOneCall(t *testing.T) {
	for name, opts := range map[string][]redislimit.Option{"Redis": nil, "Leases": {redislimit.WithLease(10, time.Second)}} {
		f, client := newFake(t)
		synctest.Test(t, func(t *testing.T) {
			f.latency = time.Millisecond
			l := redislimit.New[string](client, ratelimit.Every(30*time.Second), 1, opts...)
			const waiters = 50
			var mu sync.Mutex
			var order []int
			var wg sync.WaitGroup
			start := time.Now()
			for i := range waiters {
				wg.Go(func() {
					if err := l.Wait(t.Context(), "a"); err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
					if due := time.Duration(i) * 30 * time.Second; time.Since(start) < due || time.Since(start) > due+10*time.Millisecond {
						t.Errorf("%s: %d after %v, want %v", name, i, time.Since(start), due)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			for i, k := range order {
				if i != k {
					t.Fatalf("%s: the order is %v", name, order)
				}
			}
			if s := l.Stats(); s.Calls != waiters || f.called() != waiters || s.Granted != waiters || s.Waiting != 0 || s.Asked != waiters {
				t.Errorf("%s: %+v, %d calls", name, s, f.called())
			}
			go func() { _ = l.Wait(t.Context(), "a") }()
			time.Sleep(29 * time.Second)
			for range 5 {
				if ok, _ := l.Allow(t.Context(), "a"); ok {
					t.Errorf("%s: a caller of Allow overtakes", name)
				}
				time.Sleep(time.Second)
			}
			time.Sleep(time.Minute)
		})
	}
}

// R2: what a caller that gives up has taken goes to the next, or is given back; and a caller
// that is not in front has taken nothing.
func TestR2AWaitThatIsCancelled(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Minute), 1)
		other := redislimit.New[string](client, ratelimit.Every(time.Minute), 1)
		_ = l.Wait(t.Context(), "a")
		start := time.Now()
		var cancels []context.CancelCauseFunc
		served := make([]time.Duration, 5)
		var wg sync.WaitGroup
		for i := range served {
			ctx, cancel := contextWithCancel(t)
			cancels = append(cancels, cancel)
			wg.Go(func() {
				if err := l.Wait(ctx, "a"); err == nil {
					served[i] = time.Since(start)
				} else if err != errGone {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		cancels[2](errGone) // behind
		cancels[0](errGone) // in front
		synctest.Wait()
		cancels[1](errGone) // in front by now
		wg.Wait()
		if got := fmt.Sprint(served); got != "[0s 0s 0s 1m0s 2m0s]" {
			t.Errorf("served after %v", got)
		}
		if s := l.Stats(); s.Granted != 3 || s.Errors != 3 || s.Calls != 3 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}

		// Nobody is behind: the place is given back, and the next is served when it would
		// have been.
		time.Sleep(30 * time.Second)
		ctx, cancel := contextWithCancel(t)
		wg.Go(func() { _ = l.Wait(ctx, "a") })
		synctest.Wait()
		cancel(errGone)
		wg.Wait()
		if f.backs != 1 {
			t.Errorf("%d were given back", f.backs)
		}
		if d, _ := other.Take(t.Context(), "a", 1); d.OK || d.RetryAfter != 30*time.Second {
			t.Errorf("%+v", d)
		}

		// Somebody came after it: it is not given back, or a window could hold more.
		ctx, cancel = contextWithCancel(t)
		wg.Go(func() { _ = l.Wait(ctx, "a") })
		synctest.Wait()
		wg.Go(func() { _ = other.Wait(t.Context(), "a") })
		synctest.Wait()
		cancel(errGone)
		synctest.Wait()
		begun := time.Now()
		wg.Wait()
		if took := time.Since(begun); took != 90*time.Second {
			t.Errorf("the other was served after %v, and not at its place", took)
		}
	})
}

// R2: permits of several are passed on, whatever those behind ask for.
func TestR2WaitsForSeveral(t *testing.T) {
	_, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 10)
		_ = l.WaitN(t.Context(), "a", 10)
		start := time.Now()
		ctx, cancel := contextWithCancel(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var served []string
		for i, n := range []int{5, 2, 2, 4, 1} {
			with := t.Context()
			if i == 0 {
				with = ctx
			}
			wg.Go(func() {
				if err := l.WaitN(with, "a", n); (err != nil) != (i == 0) {
					t.Error(i, err)
				}
				mu.Lock()
				defer mu.Unlock()
				served = append(served, fmt.Sprint(i, " at ", time.Since(start)))
			})
			synctest.Wait()
		}
		time.Sleep(time.Second)
		cancel(errGone)
		wg.Wait()
		// 2 and 2 of the 5 that were left, at 5 s; then 1 of these and 3 more, at 8 s; 9 s.
		if got := fmt.Sprint(served); got != "[0 at 1s 1 at 5s 2 at 5s 3 at 8s 4 at 9s]" {
			t.Error(got)
		}
	})
}

// R4: a wait whose deadline is before its permits fails at once and spends nothing, in front
// and behind others; as soon as it is known where others are asking yet.
func TestR4WaitsThatAreTooLate(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 2)
		within := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		fails := func(d time.Duration, n int, after time.Duration) {
			t.Helper()
			start := time.Now()
			if err := l.WaitN(within(d), "a", n); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != after {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
		_ = l.WaitN(t.Context(), "a", 2)
		fails(999*time.Millisecond, 1, 0)
		fails(1999*time.Millisecond, 2, 0)
		var wg sync.WaitGroup
		wg.Go(func() { _ = l.Wait(t.Context(), "a") }) // at 1 s
		synctest.Wait()
		calls := f.called()
		fails(1999*time.Millisecond, 1, 0)
		fails(2999*time.Millisecond, 2, 0)
		if f.called() != calls {
			t.Error("Redis is asked for what is known")
		}
		start := time.Now()
		if err := l.Wait(within(2*time.Second), "a"); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		wg.Wait()

		// While the one in front asks, nothing is known.
		f.set(func() { f.latency = 10 * time.Millisecond })
		wg.Go(func() { _ = l.Wait(t.Context(), "a") }) // at 3 s
		synctest.Wait()
		fails(1500*time.Millisecond, 1, 20*time.Millisecond)
		wg.Wait()
		if d, err := l.Take(t.Context(), "a", 3); err != nil || d.ResetAfter > 2*time.Second {
			t.Errorf("too much is spent: %+v, %v", d, err)
		}

		// The answer has taken so long that the permit comes too late.
		start = time.Now()
		_ = l.WaitN(t.Context(), "b", 2)
		if err := l.Wait(within(time.Second+5*time.Millisecond-time.Since(start)), "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if d, _ := l.Take(t.Context(), "b", 2); d.OK || d.RetryAfter > 2*time.Second {
			t.Errorf("%+v", d)
		}
	})
}

// While Redis does not answer, those who wait do so here, in order, and don't ask it.
func TestWaitsWhileRedisIsAway(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 1, redislimit.WithBreaker(1, time.Hour))
		f.err = errBroken
		start := time.Now()
		for i := range 5 {
			if err := l.Wait(t.Context(), "a"); err != nil || time.Since(start) != time.Duration(i)*time.Second {
				t.Errorf("%d: %v after %v", i, err, time.Since(start))
			}
		}
		if s := l.Stats(); s.Calls != 1 || s.Local != 5 {
			t.Errorf("%+v", s)
		}
	})
}

// The limit of a key may change at any time, also while it is in use and while permits are
// leased: as many are owed as before, in Redis and in this process.
func TestR1LimitsThatChange(t *testing.T) {
	for name, opts := range map[string][]redislimit.Option{
		"Redis":  nil,
		"Leases": {redislimit.WithLease(20, time.Hour)},
	} {
		f, client := newFake(t)
		synctest.Test(t, func(t *testing.T) {
			rate, burst := ratelimit.Per(10, time.Hour), 40
			var mu sync.Mutex
			set := func(r ratelimit.Rate, b int) {
				mu.Lock()
				defer mu.Unlock()
				rate, burst = r, b
			}
			l := redislimit.NewFunc(client, func(string) []ratelimit.Window {
				mu.Lock()
				defer mu.Unlock()
				return []ratelimit.Window{{Rate: rate, Burst: burst}}
			}, append(opts, redislimit.WithBreaker(1, time.Minute))...)
			all := func() (n int) {
				for {
					if ok, err := l.Allow(t.Context(), "a"); err != nil || !ok {
						return n
					}
					n++
				}
			}
			for range 10 {
				if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			set(ratelimit.Per(100, time.Hour), 0)
			if n := all(); n != 0 {
				t.Errorf("%s: %d of a burst of 0", name, n)
			}
			set(ratelimit.Per(100, time.Hour), 40)
			if n := all(); n > 30 || n < 10 {
				t.Errorf("%s: %d of 30", name, n)
			}
			set(ratelimit.Per(1, time.Hour), 50)
			if n := all(); n > 10 {
				t.Errorf("%s: %d of 10", name, n)
			}
			f.set(func() { f.err = errBroken })
			set(ratelimit.Per(1000, time.Hour), 60)
			if n := all(); n > 20 {
				t.Errorf("%s: %d of 20, by this process", name, n)
			}
			set(ratelimit.Unlimited, 7)
			if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil {
				t.Error(ok, err)
			}
		})
	}
}
