package redislimit_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R6, R8: what this process knows of keys is bounded: those that owe nothing are dropped.
// When there is no room, new ones are served all the same while Redis is away, and have no
// lease.
func TestR6MemoryIsBounded(t *testing.T) {
	for _, opts := range [][]redislimit.Option{nil, {redislimit.WithLease(10, time.Second)}} {
		f, client := newFake(t)
		synctest.Test(t, func(t *testing.T) {
			const most = 1024
			l := redislimit.New[int](client, ratelimit.Every(time.Second), 2, append(opts, redislimit.WithMaxKeys(most), redislimit.WithBreaker(1, time.Minute))...)
			for k := range 5 * most {
				if ok, err := l.Allow(t.Context(), k); !ok || err != nil {
					t.Fatalf("%v, %v", ok, err)
				}
			}
			if keys := l.Stats().Keys; keys < most/2 || keys > most {
				t.Errorf("%d keys, at most %d", keys, most)
			}
			f.err = errBroken
			for k := range 5 * most {
				if d, err := l.Take(t.Context(), -1-k, 1); err != nil || !d.OK {
					t.Fatalf("%+v, %v", d, err)
				}
			}
			time.Sleep(time.Hour)
			f.err = nil
			for k := range 10 * most { // some at a time, so that others are idle by then
				if ok, err := l.Allow(t.Context(), k); !ok || err != nil {
					t.Fatalf("%v, %v", ok, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if keys := l.Stats().Keys; keys > most/2 {
				t.Errorf("%d keys, and most of them owe nothing", keys)
			}
		})
	}
}

// R6: a decision by a lease does not allocate, and neither does one that is denied.
func TestR6LeasesDoNotAllocate(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	_, client := newFake(t)
	l := redislimit.New[string](client, ratelimit.Per(0, time.Hour), 100_000, redislimit.WithLease(50_000, time.Hour))
	ctx := t.Context()
	for l.Stats().Leased < 60_000 {
		_, _ = l.Allow(ctx, "a")
	}
	before := l.Stats()
	if n := testing.AllocsPerRun(1000, func() { _, _ = l.Allow(ctx, "a") }); n != 0 {
		t.Errorf("%v allocations a decision", n)
	}
	if after := l.Stats(); after.Calls != before.Calls || after.FromLease-before.FromLease < 1000 {
		t.Errorf("%+v", after)
	}
	for ok := true; ok; {
		ok, _ = l.Allow(ctx, "a")
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = l.Allow(ctx, "a") }); n != 0 {
		t.Errorf("%v allocations a denial", n)
	}
}

// A lease follows the demand: a key that is asked for seldom takes what it needs, one that
// is in demand a batch at a time, and calls at once are one call.
func TestLeasesFollowTheDemand(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(time.Millisecond), 10_000, redislimit.WithLease(50, 100*time.Millisecond))
		f.latency = time.Millisecond
		for range 20 {
			_, _ = l.Allow(t.Context(), "seldom")
			time.Sleep(time.Second)
		}
		if s := l.Stats(); s.Leased != 0 || s.Calls != 20 {
			t.Errorf("seldom: %+v", s)
		}
		var wg sync.WaitGroup
		for range 2000 {
			wg.Go(func() {
				if ok, err := l.Allow(t.Context(), "often"); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		wg.Wait()
		s := l.Stats()
		if calls := s.Calls - 20; calls < 2000/50 || calls > 2000/50+8 {
			t.Errorf("often: %+v", s)
		}
		time.Sleep(time.Second)
		_, _ = l.Allow(t.Context(), "often")
		s = l.Stats()
		if s.Expired == 0 || s.Leased != s.FromLease+s.Expired {
			t.Errorf("what is leased is handed out or expires: %+v", s)
		}
	})
}

// What Redis denied is denied here until it would be granted, and no longer than the time to
// live: somebody may have forgotten the key.
func TestDenialsAreKept(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Every(50*time.Millisecond), 2, redislimit.WithLease(50, 100*time.Millisecond))
		other := redislimit.New[string](client, ratelimit.Every(50*time.Millisecond), 2)
		_, _ = l.Take(t.Context(), "a", 2)
		_, _ = l.Take(t.Context(), "a", 2)
		calls := f.called()
		for _, n := range []int{1, 2, 3} {
			if d, err := l.Take(t.Context(), "a", n); d.OK || err != nil || n < 3 && d.RetryAfter != time.Duration(n)*50*time.Millisecond {
				t.Errorf("%d: %+v, %v", n, d, err)
			}
		}
		time.Sleep(49 * time.Millisecond)
		if d, err := l.Take(t.Context(), "a", 1); d.OK || err != nil || d.RetryAfter != time.Millisecond {
			t.Errorf("%+v, %v", d, err)
		}
		if f.called() != calls {
			t.Errorf("%d calls", f.called()-calls)
		}
		time.Sleep(time.Millisecond)
		if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if err := other.Forget(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
		if ok, _ := l.Allow(t.Context(), "a"); ok {
			t.Error("it can't know that")
		}
		if err := l.Forget(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if d, err := l.Take(t.Context(), "a", 2); !d.OK || err != nil {
			t.Errorf("forgotten: %+v, %v", d, err)
		}
	})
}

// R4: Wait fails at once when the deadline comes first, or a permit never does.
func TestR4Wait(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 1)
		if err := l.Wait(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		if err := l.Wait(soon, "a"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "takes 1s, the deadline is in 900ms") || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		none := redislimit.New[string](client, ratelimit.Every(time.Second), 0, redislimit.WithPrefix("none"))
		if err := none.Wait(t.Context(), "a"); !errors.Is(err, ratelimit.ErrExceedsBurst) {
			t.Error(err)
		}
		once := redislimit.New[string](client, ratelimit.Per(0, time.Second), 1, redislimit.WithPrefix("once"))
		_ = once.Wait(t.Context(), "a")
		if err := once.Wait(soon, "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.AfterFunc(25*time.Second, func() { _ = once.Forget(t.Context(), "a") })
		if err := once.Wait(t.Context(), "a"); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		closed := redislimit.New[string](client, ratelimit.Every(time.Second), 1, redislimit.WithFailurePolicy(redislimit.FailClosed))
		f.err = errBroken
		if err := closed.Wait(t.Context(), "a"); !errors.Is(err, redislimit.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Error(err)
		}
		if err := closed.Forget(t.Context(), "a"); !errors.Is(err, redislimit.ErrUnavailable) {
			t.Error(err)
		}
		gone, cancelGone := contextWithCancel(t)
		cancelGone(errGone)
		if err := closed.Wait(gone, "a"); err != errGone {
			t.Error(err)
		}
		if err := closed.Forget(gone, "a"); err != errGone {
			t.Error(err)
		}
	})
}

// Each key has the windows of the function, and all have those of WithWindow besides.
func TestNewFunc(t *testing.T) {
	_, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		for _, opts := range [][]redislimit.Option{nil, {redislimit.WithLease(3, time.Hour)}} {
			l := redislimit.NewFunc(client, func(k int) []ratelimit.Window {
				if k == 0 {
					return []ratelimit.Window{{Rate: ratelimit.Unlimited}}
				}
				return []ratelimit.Window{{Rate: ratelimit.Every(time.Hour), Burst: k}}
			}, append(opts, redislimit.WithPrefix(strconv.Itoa(len(opts))), redislimit.WithWindow(ratelimit.Every(time.Minute), 7))...)
			for k := range 12 {
				granted := 0
				for ok := true; ok; granted++ {
					ok, _ = l.Allow(t.Context(), k)
				}
				want := min(k, 7)
				if k == 0 {
					want = 7
				}
				if granted-1 != want {
					t.Errorf("key %d: %d, want %d", k, granted-1, want)
				}
			}
		}
		free := redislimit.NewFunc(client, func(int) []ratelimit.Window {
			return []ratelimit.Window{{Rate: ratelimit.Unlimited, Burst: 4}}
		}, redislimit.WithLease(3, time.Hour))
		for range 10 {
			if d, err := free.Take(t.Context(), 1, 100); err != nil || d != (ratelimit.Decision{OK: true, Limit: 4, Remaining: 4}) {
				t.Errorf("%+v, %v", d, err)
			}
		}
		if s := free.Stats(); s.Calls != 0 || s.Granted != 10 {
			t.Errorf("%+v", s)
		}
	})
}
