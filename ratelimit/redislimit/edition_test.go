package redislimit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// patiently keeps a busy machine from deciding a test.
var patiently = []Option{nil, WithTimeout(20 * time.Second), WithFailurePolicy(FailClosed)}

func grants(t *testing.T, l *Limiter[string], k string) (n int) {
	t.Helper()
	for n < 1000 {
		ok, err := l.Allow(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return n
		}
		n++
	}
	return n
}

// Set holds for all processes, keeps what is owed, and ends when nothing is owed.
func TestSet(t *testing.T) {
	client := serve(t)
	const hour = time.Hour
	for name, opts := range map[string][]Option{"": nil, "leased ": {WithLease(4, time.Millisecond)}, "child ": {WithParent("all", per(1, time.Hour, 1000))}} {
		a := New[string](client, ratelimit.Per(1, hour), 10, append(opts, patiently...)...)
		b := New[string](client, ratelimit.Per(1, hour), 10, append(opts, patiently...)...)
		if d, err := a.Take(t.Context(), name, 4); !d.OK || err != nil {
			t.Fatal(d, err)
		}
		if err := a.Set(t.Context(), name, per(1, hour, 30)); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*Limiter[string]{a, b} {
			if d, err := l.Peek(t.Context(), name); err != nil || d.Limit != 30 || d.Remaining != 26 {
				t.Errorf("%s: %+v, %v, want 26 of 30", name, d, err)
			}
			if d, err := l.Take(t.Context(), name, 31); err != nil || d.OK || d.RetryAfter != ratelimit.Never {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		}
		if d, err := b.Take(t.Context(), name, 20); !d.OK || err != nil || d.Remaining != 6 {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
		if err := b.WaitN(t.Context(), name, 31); !errors.Is(err, ratelimit.ErrExceedsBurst) {
			t.Error(err)
		}
		if err := b.Set(t.Context(), name, per(100_000, time.Second, 8), per(200_000, time.Second, 40)); err != nil {
			t.Fatal(err)
		}
		for { // 24 permits come back in a moment, and then the windows are the old ones
			d, err := a.Peek(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if d.Limit == 10 {
				break
			}
		}
		if name == "" {
			if n := grants(t, b, name); n != 10 {
				t.Errorf("%d of 10", n)
			}
		}
		if err := a.Set(t.Context(), "idle", per(1, hour, 30)); err != nil {
			t.Error(err)
		}
		if d, err := a.Peek(t.Context(), "idle"); err != nil || d.Limit != 10 {
			t.Errorf("%+v, %v: a key that owes nothing is as it was", d, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New[string](client, ratelimit.Per(1, hour), 1, patiently...).Set(ended, "a", per(1, hour, 1)); err != context.Canceled {
		t.Error(err)
	}
}

// A grant needs permits of the key and of the parent, and is spent on neither otherwise, in
// one call. Several limiters share a parent, and it decides for all of them.
func TestParent(t *testing.T) {
	client := serve(t)
	all := WithParent("all", per(1, time.Hour, 5))
	a := New[string](client, ratelimit.Per(1, time.Hour), 3, append(patiently, all)...)
	b := New[string](client, ratelimit.Unlimited, 1, append(patiently, all, WithPrefix("b:"))...)
	if n := grants(t, a, "x"); n != 3 {
		t.Errorf("%d of 3", n)
	}
	if d, err := a.Peek(t.Context(), "y"); err != nil || !d.OK || d.Limit != 5 || d.Remaining != 2 {
		t.Errorf("%+v, %v, want 2 of the parent's 5", d, err)
	}
	if d, err := a.Take(t.Context(), "y", 3); err != nil || d.OK {
		t.Errorf("%+v, %v: the parent has 2", d, err)
	}
	if n := grants(t, b, "x"); n != 2 {
		t.Errorf("%d of 2", n)
	}
	calls := a.Stats().Calls
	r, err := a.Reserve(t.Context(), "y", 1)
	if err != nil || !r.OK() || r.Delay() < 59*time.Minute || a.Stats().Calls != calls+1 {
		t.Errorf("%v in %v, %v", r.OK(), r.Delay(), err)
	}
	if n, err := r.Settle(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("gave back %d, %v", n, err)
	}
	if err := a.Charge(t.Context(), "y", 2); err != nil {
		t.Error(err)
	}
	if d, err := b.Peek(t.Context(), "z"); err != nil || d.OK || d.RetryAfter < 2*time.Hour || d.RetryAfter > 3*time.Hour {
		t.Errorf("%+v, %v: the parent owes 7 of 5", d, err)
	}
	if err := a.Forget(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if ok, err := a.Allow(t.Context(), "x"); ok || err != nil {
		t.Error("the parent has been forgotten, too", err)
	}
}

// While Redis is away, the shares of a key and of the parent decide.
func TestParentWithoutRedis(t *testing.T) {
	client := serve(t)
	l := New[string](client, ratelimit.Per(1, time.Hour), 4, WithReplicas(2), WithParent("all", per(1, time.Hour, 6)), WithBreaker(1, time.Hour))
	_ = client.Close()
	if x, y := grants(t, l, "x"), grants(t, l, "y"); x != 2 || y != 1 {
		t.Errorf("%d and %d, want 2 of the share of the key and 1 of the parent's", x, y)
	}
	r, err := l.Reserve(t.Context(), "x", 1)
	if err != nil || !r.OK() || r.Delay() < time.Hour {
		t.Errorf("%v in %v, %v", r.OK(), r.Delay(), err)
	}
	if n, err := r.Settle(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("gave back %d, %v: it is not known", n, err)
	}
}

// A reservation is waited for, given back, and paid for; a wait that ends early gives back.
func TestReservation(t *testing.T) {
	client := serve(t)
	l := New[string](client, ratelimit.Per(1, time.Hour), 10, patiently...)
	left := func(want int) {
		t.Helper()
		if d, err := l.Peek(t.Context(), "a"); err != nil || d.Remaining != want {
			t.Errorf("%+v, %v, want %d remaining", d, err, want)
		}
	}
	r, err := l.Reserve(t.Context(), "a", 8)
	if err != nil || r.Delay() != 0 || r.Wait(t.Context()) != nil {
		t.Error(r.Delay(), err)
	}
	left(2)
	for _, x := range []struct{ actual, returned, left int }{{3, 5, 7}, {3, 0, 7}, {5, -2, 5}} {
		if n, err := r.Settle(t.Context(), x.actual); n != x.returned || err != nil {
			t.Errorf("Settle(%d) = %d, %v, want %d", x.actual, n, err, x.returned)
		}
		left(x.left)
	}
	_ = grants(t, l, "a")
	for name, ctx := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) { return context.WithTimeout(t.Context(), time.Minute) },
		"cancel": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		r, err := l.Reserve(t.Context(), "a", 2)
		if err != nil || r.Delay() < time.Hour {
			t.Error(r.Delay(), err)
		}
		ctx, cancel := ctx()
		if err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if d, err := l.Peek(t.Context(), "a"); err != nil || d.RetryAfter > time.Hour {
			t.Errorf("%s: %+v, %v: the permits were not given back", name, d, err)
		}
	}
	none, err := l.Reserve(t.Context(), "a", 11)
	if err != nil || none.OK() || none.Delay() != ratelimit.Never || !errors.Is(none.Wait(t.Context()), ratelimit.ErrExceedsBurst) {
		t.Error(none.Delay(), err)
	}
	still := New[string](client, ratelimit.Per(0, time.Hour), 1, append(patiently, WithPrefix("still:"))...)
	_ = grants(t, still, "a")
	if never, err := still.Reserve(t.Context(), "a", 1); err != nil || never.OK() || never.Wait(t.Context()) == nil || errors.Is(never.Wait(t.Context()), ratelimit.ErrExceedsBurst) {
		t.Error(never.Wait(t.Context()), err)
	}
	if n, err := none.Settle(t.Context(), 3); n != 0 || err != nil || none.Cancel(t.Context()) != nil {
		t.Error(n, err)
	}
}

// C12, C13: enums and Stats have text, and Stats marshals.
func TestC12Text(t *testing.T) {
	if got := FailClosed.String() + " " + FailurePolicy(7).String() + " " + HalfOpen.String(); got != "FailClosed FailurePolicy(7) half-open" {
		t.Error(got)
	}
	l := New[string](serve(t), ratelimit.Per(1, time.Hour), 1, patiently...)
	_ = grants(t, l, "a")
	if got := l.Stats().String(); got != "1 granted, 1 denied, 0 errors, breaker closed, 0 waiting" {
		t.Error(got)
	}
	text, err := json.Marshal(l.Stats())
	if err != nil || !strings.Contains(string(text), `"Breaker":"closed"`) {
		t.Errorf("%s, %v", text, err)
	}
}
