package redislimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R1: the time of a lease is counted from before Redis was asked.
func TestR1TheTimeOfALease(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		f.latency = 10 * time.Millisecond
		l := redislimit.New[string](client, ratelimit.Per(0, time.Second), 1000, redislimit.WithLease(50, 100*time.Millisecond))
		for l.Stats().Leased == 0 {
			_, _ = l.Allow(t.Context(), "a")
		}
		calls := f.called()
		time.Sleep(79 * time.Millisecond) // 20 ms have passed by when it came
		if d, err := l.Take(t.Context(), "b", 1); !d.OK || err != nil {
			t.Errorf("%+v, %v", d, err)
		}
		_, _ = l.Allow(t.Context(), "a")
		if got := f.called() - calls; got != 2 || l.Stats().Expired != 1 {
			t.Errorf("%d calls for b and, after 99 ms in flight and in hand, a: %+v", got, l.Stats())
		}
	})
}

// R2: what Redis denied is asked for again as soon as it may be granted, however long the
// answer was on its way.
func TestR2ADenialIsNotKeptTooLong(t *testing.T) {
	f, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		f.latency = 10 * time.Millisecond
		l := redislimit.New[string](client, ratelimit.Every(50*time.Millisecond), 1, redislimit.WithLease(50, time.Second))
		_, _ = l.Allow(t.Context(), "a") // granted after 10 ms, known after 20
		if d, err := l.Take(t.Context(), "a", 1); d.OK || d.RetryAfter != 50*time.Millisecond || err != nil {
			t.Errorf("%+v, %v", d, err) // by what is known: 10 ms longer than it is
		}
		time.Sleep(32 * time.Millisecond)
		if ok, err := l.Allow(t.Context(), "a"); !ok || err != nil { // asked after 52, and granted after 62
			t.Errorf("%v, %v", ok, err)
		}
	})
}

// A key that was in demand long ago takes no more than it needs.
func TestALeaseForgetsTheDemand(t *testing.T) {
	_, client := newFake(t)
	synctest.Test(t, func(t *testing.T) {
		l := redislimit.New[string](client, ratelimit.Per(0, time.Second), 10_000, redislimit.WithLease(4, time.Second))
		for s := l.Stats(); s.Leased < 20 || s.Leased != s.FromLease; s = l.Stats() {
			_, _ = l.Allow(t.Context(), "a")
		}
		before := l.Stats()
		time.Sleep(10 * time.Second)
		_, _ = l.Allow(t.Context(), "a")
		if after := l.Stats(); after.Leased != before.Leased || after.Calls != before.Calls+1 {
			t.Errorf("%+v", after)
		}
	})
}
