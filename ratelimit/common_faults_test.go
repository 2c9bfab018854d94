package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
)

// What fails, in every way that there is to fail, has spent nothing and delays
// nobody.
func TestFaultFR9FailuresSpendNothing(t *testing.T) {
	fails := map[string]func(context.Context, *ratelimit.Limiter) bool{
		"Allow":           func(_ context.Context, l *ratelimit.Limiter) bool { return l.Allow() },
		"Take":            func(_ context.Context, l *ratelimit.Limiter) bool { return l.Take(2).OK },
		"AllowN too many": func(_ context.Context, l *ratelimit.Limiter) bool { return l.AllowN(9) },
		"ReserveN":        func(_ context.Context, l *ratelimit.Limiter) bool { return l.ReserveN(9).OK() },
		"ReserveN huge":   func(_ context.Context, l *ratelimit.Limiter) bool { return l.ReserveN(math.MaxInt).OK() },
		"Reserve, Cancel": func(_ context.Context, l *ratelimit.Limiter) bool { r := l.ReserveN(3); r.Cancel(); return false },
		"WaitN too many":  func(ctx context.Context, l *ratelimit.Limiter) bool { return l.WaitN(ctx, 9) == nil },
		"WaitN too late":  func(ctx context.Context, l *ratelimit.Limiter) bool { return l.WaitN(ctx, 3) == nil },
		"child of none": func(_ context.Context, l *ratelimit.Limiter) bool {
			return ratelimit.New(ratelimit.Per(0, time.Second), 0, ratelimit.WithParent(l)).Allow()
		},
	}
	for name, fail := range fails {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ratelimit.New(ratelimit.Every(time.Second), 3, ratelimit.WithSpent(3))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				for range 100 {
					if fail(ctx, l) {
						t.Fatal("it does not fail: the test shows nothing")
					}
				}
				if d := l.Take(3).RetryAfter; d != 3*time.Second {
					t.Errorf("the burst is back in %v, want 3s", d)
				}
			})
		})
	}
}

// waits are all that take a context.
var waits = map[string]func(ctx context.Context, l *ratelimit.Limiter, x *ratelimit.Keyed[int]) error{
	"Limiter": func(ctx context.Context, l *ratelimit.Limiter, _ *ratelimit.Keyed[int]) error { return l.Wait(ctx) },
	"child": func(ctx context.Context, l *ratelimit.Limiter, _ *ratelimit.Keyed[int]) error {
		return ratelimit.New(ratelimit.Unlimited, 1, ratelimit.WithParent(l)).Wait(ctx)
	},
	"Keyed": func(ctx context.Context, _ *ratelimit.Limiter, x *ratelimit.Keyed[int]) error { return x.Wait(ctx, 1) },
}

// A nil context panics; one that has ended before is answered with its cause; one
// that ends while it waits too; one that ends later changes nothing. The books
// show that nothing was taken along.
func TestFaultFC1Contexts(t *testing.T) {
	cause := errors.New("enough")
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, x := ratelimit.New(ratelimit.Every(time.Minute), 1), ratelimit.NewKeyed[int](ratelimit.Every(time.Minute), 1)
				var none context.Context
				if testkit.Panicked(func() { _ = wait(none, l, x) }) == nil {
					t.Error("a nil context does not panic")
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(cause)
				if err := wait(ctx, l, x); err != cause {
					t.Errorf("ended before: %v", err)
				}
				ctx, cancel = context.WithCancelCause(t.Context())
				if err := wait(ctx, l, x); err != nil {
					t.Errorf("with nothing in the way: %v", err)
				}
				cancel(cause) // later
				ctx, cancel = context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				if err := wait(ctx, l, x); err != cause {
					t.Errorf("ended during the call: %v", err)
				}
				start := time.Now()
				if err := wait(t.Context(), l, x); err != nil || time.Since(start) != 59*time.Second {
					t.Errorf("the next one waits %v, %v; want 59s", time.Since(start), err)
				}
			})
		})
	}
}

// The user code here is that of contexts and of NewKeyedFunc. A panic of it goes on
// to the caller, leaves no lock, and takes nothing.
func TestFaultFC3PanicsOfUserCode(t *testing.T) {
	for name, end := range testkit.Ends() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ratelimit.New(ratelimit.Every(time.Minute), 1)
				fails := true
				x := ratelimit.NewKeyedFunc[int](func(int) []ratelimit.Window {
					if fails {
						end()
					}
					return []ratelimit.Window{{Rate: ratelimit.Every(time.Minute), Burst: 1}}
				})
				bad := &nosyContext{Context: t.Context(), ask: end}
				for kind, call := range map[string]func(){
					"context": func() { _ = l.Wait(bad) },
					"child":   func() { _ = ratelimit.New(ratelimit.Unlimited, 1, ratelimit.WithParent(l)).Wait(bad) },
					"windows": func() { x.Allow(1) },
				} {
					got := testkit.Panicked(call)
					if err, ok := got.(error); got == nil || name == "error" && (!ok || !errors.Is(err, testkit.ErrEnd)) {
						t.Errorf("%s panicked with %v", kind, got)
					}
				}
				fails = false
				if !l.Allow() || !x.Allow(1) || l.Allow() || x.Allow(1) {
					t.Error("afterwards the burst of 1 is not 1")
				}
			})
		})
	}
}

// A function of NewKeyedFunc that never returns holds up those who ask for its key
// for the first time, and nobody else, not even for keys of the same shard.
func TestFaultFC4LimitsBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		x := ratelimit.NewKeyedFunc[int](func(k int) []ratelimit.Window {
			if k == 0 {
				<-forever
			}
			return []ratelimit.Window{{Rate: ratelimit.Every(time.Minute), Burst: 1}}
		})
		stuck := make(chan bool, 2)
		for range 2 {
			go func() { stuck <- x.Allow(0) }()
		}
		synctest.Wait()
		for k := 1; k <= 5000; k++ { // some in each shard
			if !x.Allow(k) || x.Allow(k) {
				t.Fatalf("key %d is not granted its burst", k)
			}
		}
		x.Forget(0)
		if n := x.Stats().Keys; n != 5000 || len(stuck) != 0 {
			t.Errorf("%d keys, %d came back", n, len(stuck))
		}
		close(forever)
		if a, b := <-stuck, <-stuck; a == b {
			t.Error("of two who waited for the limit of 1, one is granted")
		}
	})
}

// Closing again does nothing.
func TestFaultFC5CloseTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Minute), 1, ratelimit.WithSpent(1))
		done := make(chan error)
		go func() { done <- l.Wait(t.Context()) }()
		synctest.Wait()
		for range 3 {
			_ = l.Close()
			l.SetRate(ratelimit.Unlimited) // does not start it again
			if err := l.Wait(t.Context()); !errors.Is(err, ratelimit.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		if err := <-done; !errors.Is(err, ratelimit.ErrClosed) {
			t.Errorf("who waited: %v", err)
		}
	})
}

// Closing works inside everything that is called: the methods of a context and
// the function of NewKeyedFunc.
func TestFaultFC7CloseInsideUserCode(t *testing.T) {
	for _, child := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := ratelimit.New(ratelimit.Every(time.Minute), 1, ratelimit.WithSpent(1))
			ctx := &nosyContext{Context: t.Context(), ask: func() { _ = l.Close() }}
			wait := l.Wait
			if child {
				wait = ratelimit.New(ratelimit.Unlimited, 1, ratelimit.WithParent(l)).Wait
			}
			if err := wait(ctx); !errors.Is(err, ratelimit.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Every(time.Minute), 1)
		x := ratelimit.NewKeyedFunc[int](func(int) []ratelimit.Window {
			_ = l.Close()
			return []ratelimit.Window{{Rate: ratelimit.Every(time.Minute), Burst: 1}}
		})
		if !x.Allow(1) || l.Allow() {
			t.Error("the limiter is not closed, or the key is denied")
		}
	})
}

// The burst is granted exactly, while the number of processors changes.
func TestFaultFC8ProcessorsChange(t *testing.T) {
	const burst, asked = 10_000, 20_000
	change := testkit.Procs(t)
	l := ratelimit.New(ratelimit.Every(time.Hour), burst)
	x := ratelimit.NewKeyed[int](ratelimit.Every(time.Hour), burst)
	var got, keyed atomic.Int64
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range asked / 4 {
					if w == 0 && i%250 == 0 {
						change()
					}
					if l.Allow() {
						got.Add(1)
					}
					if x.Allow(1) {
						keyed.Add(1)
					}
				}
			})
		}
		wg.Wait()
	})
	if got.Load() != burst || keyed.Load() != burst {
		t.Errorf("%d and %d permits of %d", got.Load(), keyed.Load(), burst)
	}
}

func TestFaultFC9HeapReturns(t *testing.T) {
	l := ratelimit.New(ratelimit.Every(time.Nanosecond), 1<<40)
	x := ratelimit.NewKeyed[int](ratelimit.Every(time.Nanosecond), 1<<40, ratelimit.WithMaxKeys(10_000))
	denied := 0
	testkit.HeapReturns(t, func(items int) {
		for i := range items / 2 {
			if !l.Allow() {
				denied++
			}
			if !x.Allow(i % 100_000) { // at the cap
				denied++
			}
		}
	})
	if denied > 0 {
		t.Errorf("%d denied", denied)
	}
}
