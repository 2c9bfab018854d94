package redislimit_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// R6: Peek says what is left, in one call, and takes nothing, with several windows too.
func TestR6Peek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, client := newFake(t)
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 3, redislimit.WithWindow(ratelimit.Every(time.Minute), 4))
		is := func(ok bool, left int, retry time.Duration) {
			t.Helper()
			for range 2 {
				before := f.called()
				d, err := l.Peek(t.Context(), "a")
				if err != nil || d.OK != ok || d.Remaining != left || d.RetryAfter != retry || f.called() != before+1 {
					t.Errorf("%+v, %v, %d calls", d, err, f.called()-before)
				}
			}
		}
		take := func(n int) {
			t.Helper()
			if d, err := l.Take(t.Context(), "a", n); err != nil || !d.OK {
				t.Errorf("%+v, %v", d, err)
			}
		}
		is(true, 3, 0)
		take(3)
		is(false, 0, time.Second)
		time.Sleep(time.Second)
		is(true, 1, 0)
		take(1)
		time.Sleep(9 * time.Second)
		is(false, 0, 50*time.Second) // of the minute
		const most = math.MaxInt>>9 + 1
		large := redislimit.New[string](client, ratelimit.Per(1e9, time.Second), most, redislimit.WithPrefix("large:"))
		for range 2 {
			if d, err := large.Peek(t.Context(), "a"); err != nil || !d.OK || d.Remaining != most {
				t.Errorf("%+v, %v", d, err)
			}
		}
		free := redislimit.New[string](client, ratelimit.Unlimited, 7)
		if d, err := free.Peek(t.Context(), "a"); err != nil || !d.OK || d.Remaining != 7 {
			t.Errorf("%+v, %v", d, err)
		}
		// An unlimited window has a burst, which is told as by package ratelimit.
		also := ratelimit.WithWindow(ratelimit.Unlimited, 5)
		want := ratelimit.New(ratelimit.Every(time.Hour), 100, also).Take(1)
		both := redislimit.NewFunc(client, func(string) []ratelimit.Window {
			return []ratelimit.Window{{Rate: ratelimit.Every(time.Hour), Burst: 100}, {Rate: ratelimit.Unlimited, Burst: 5}}
		}, redislimit.WithPrefix("both:"))
		if d, err := both.Take(t.Context(), "a", 1); err != nil || !d.OK || d.Limit != want.Limit || d.Remaining != want.Remaining {
			t.Errorf("%+v, %v, want %+v", d, err, want)
		}
	})
}

// R1: what is charged is owed, beyond the burst too, in one call.
func TestR1Charge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, client := newFake(t)
		l := redislimit.New[string](client, ratelimit.Every(time.Second), 3)
		before := f.called()
		if err := l.Charge(t.Context(), "a", 10); err != nil || f.called() != before+1 {
			t.Errorf("%v, %d calls", err, f.called()-before)
		}
		if d, err := l.Peek(t.Context(), "a"); err != nil || d.OK || d.RetryAfter != 8*time.Second || d.ResetAfter != 10*time.Second {
			t.Errorf("%+v, %v", d, err)
		}
		start := time.Now()
		if err := l.Wait(t.Context(), "a"); err != nil || time.Since(start) != 8*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		still := redislimit.New[string](client, ratelimit.Per(0, time.Second), 3, redislimit.WithPrefix("still:"))
		if err := still.Charge(t.Context(), "a", 4); err == nil {
			t.Error("more than the burst is owed for ever")
		}
		if err := still.Charge(t.Context(), "a", 3); err != nil {
			t.Error(err)
		}
	})
}

// Without Redis, the policy decides.
func TestPeekAndChargeWithoutRedis(t *testing.T) {
	for policy, local := range map[redislimit.FailurePolicy]bool{redislimit.FailLocal: true, redislimit.FailOpen: false, redislimit.FailClosed: false} {
		synctest.Test(t, func(t *testing.T) {
			f, client := newFake(t)
			l := redislimit.New[string](client, ratelimit.Every(time.Second), 3, redislimit.WithFailurePolicy(policy))
			f.set(func() { f.err = errBroken })
			err := l.Charge(t.Context(), "a", 2)
			d, peeked := l.Peek(t.Context(), "a")
			if closed := policy == redislimit.FailClosed; errors.Is(err, redislimit.ErrUnavailable) != closed || errors.Is(peeked, redislimit.ErrUnavailable) != closed {
				t.Errorf("%v: %v, %v", policy, err, peeked)
			} else if left := map[bool]int{true: 1, false: 3}[local]; !closed && (!d.OK || d.Remaining != left) {
				t.Errorf("%v: %+v", policy, d)
			}
			ended, cancel := context.WithCancelCause(t.Context())
			gone := errors.New("gone")
			cancel(gone)
			if _, err := l.Peek(ended, "a"); err != gone {
				t.Errorf("Peek: %v", err)
			}
			if err := l.Charge(ended, "a", 1); err != gone {
				t.Errorf("Charge: %v", err)
			}
		})
	}
}
