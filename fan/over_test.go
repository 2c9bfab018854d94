package fan_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// An overContext is one of a kind of its own: its end is seen by Err at once, and
// closes Done when told to, as a context of another package may.
type overContext struct {
	context.Context
	over atomic.Bool
	done chan struct{}
}

func (c *overContext) Done() <-chan struct{} { return c.done }

func (c *overContext) Err() error {
	if c.over.Load() {
		return errCaller
	}
	return nil
}

// oneByOne are the calls on one goroutine, or one at a time.
func oneByOne() map[string]func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
	return map[string]func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error{
		"Map": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			_, err := fan.Map(ctx, 1, numbers(n), fn)
			return err
		},
		"Reduce": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			_, err := fan.Reduce(ctx, 1, numbers(n), func() int { return 0 }, func(a, v int) (int, error) { return fn(ctx, v) }, func(a, b int) int { return a })
			return err
		},
		"ForEach": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			return fan.ForEach(ctx, 1, count(n), func(ctx context.Context, v int) error { _, err := fn(ctx, v); return err })
		},
		"Seq": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			return last(fan.Seq(ctx, 1, count(n), fn))
		},
		"Seq unordered": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			return last(fan.Seq(ctx, 1, count(n), fn, fan.Unordered()))
		},
		"ByKey": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			return last(fan.ByKey(ctx, 1, count(n), func(int) int { return 0 }, fn))
		},
		"Out": func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
			in := make(chan int, n)
			for v := range n {
				in <- v
			}
			close(in)
			drain(fan.Out(ctx, in, 1, fn)...)
			return context.Cause(ctx)
		},
	}
}

// C2: once the context has ended, no function is called any more: not the next one on
// the goroutine that has ended it.
func TestC2NoFunctionIsCalledAfterTheEnd(t *testing.T) {
	for name, run := range oneByOne() {
		for _, at := range []int{0, 1, 7, 8, 9, 500, 998} {
			for kind, end := range map[string]func() (context.Context, func()){
				"cancelled": func() (context.Context, func()) {
					ctx, cancel := context.WithCancelCause(context.Background())
					return ctx, func() { cancel(errCaller) }
				},
				"of another kind": func() (context.Context, func()) {
					ctx := &overContext{Context: context.Background(), done: make(chan struct{})}
					return ctx, func() {
						if ctx.over.CompareAndSwap(false, true) {
							time.AfterFunc(time.Second, func() { close(ctx.done) })
						}
					}
				},
			} {
				synctest.Test(t, func(t *testing.T) {
					ctx, end := end()
					called := 0
					err := run(ctx, 1000, func(context.Context, int) (int, error) {
						if called++; called == at+1 {
							end()
						}
						return 0, nil
					})
					if called != at+1 || !errors.Is(err, errCaller) && name != "Out" {
						t.Errorf("%s, context %s at element %d: %d functions are called, got %v", name, kind, at, called, err)
					}
					if err == nil {
						end()
					}
					time.Sleep(time.Minute)
				})
			}
		}
	}
}

// C2: so it is on several goroutines: each may have been at work, none begins.
func TestC2NoFunctionIsCalledAfterTheEndOnSeveralGoroutines(t *testing.T) {
	for name, c := range calls {
		if c.bare || name == "First" || name == "Quorum" {
			continue
		}
		for _, cost := range []time.Duration{0, 10, time.Microsecond, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				var over atomic.Bool
				var late testkit.Gauge
				_ = c.run(ctx, 1000, func(_ context.Context, v int) (int, error) {
					if over.Load() {
						late.Enter()
					}
					if v == 500 {
						cancel(errCaller)
						synctest.Wait() // those that have begun are at work now
						over.Store(true)
					}
					time.Sleep(cost)
					return 0, nil
				})
				if late.Now() > 0 {
					t.Errorf("%s, elements of %v: %d functions are called after the end", name, cost, late.Now())
				}
			})
		}
	}
}

// C2: no function is called after the first error, either.
func TestC2NoFunctionIsCalledAfterTheFirstError(t *testing.T) {
	runs := oneByOne()
	for _, name := range []string{"Map", "Reduce", "ForEach"} {
		for _, at := range []int{0, 1, 7, 8, 9, 500, 998} {
			called := 0
			err := runs[name](t.Context(), 1000, func(context.Context, int) (int, error) {
				if called++; called == at+1 {
					return 0, errItem
				}
				return 0, nil
			})
			if called != at+1 || !errors.Is(err, errItem) {
				t.Errorf("%s, an error at element %d: %d functions are called, got %v", name, at, called, err)
			}
		}
	}
}

// C2: an item that comes together with the end of the context is not worked on.
func TestC2AnItemThatComesWithTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := &foreignContext{Context: t.Context()}
		in := make(chan int)
		called := false
		outs := fan.Out(ctx, in, 1, func(context.Context, int) (int, error) { called = true; return 0, nil })
		parts := fan.Partition(ctx, in, 1, func(int) int { called = true; return 0 })
		synctest.Wait()
		ctx.ended.Store(true) // Done is late
		in <- 1
		in <- 2
		drain(outs...)
		drain(parts...)
		if called {
			t.Error("a function is called after the end")
		}
	})
}

// C2: Reduce merges nothing after the end: of eight parts, two pairs are merged at once.
func TestC2NothingIsMergedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var merges testkit.Gauge
		got, err := fan.Reduce(ctx, 2, numbers(8), func() int { return 1 },
			func(a, v int) (int, error) { time.Sleep(time.Duration(v%2+1) * time.Second); return a, nil },
			func(a, b int) int {
				merges.Enter()
				cancel(errCaller)
				time.Sleep(time.Second)
				return a
			})
		if got != 0 || !errors.Is(err, errCaller) || merges.Now() < 1 || merges.Now() > 2 {
			t.Errorf("got %d, %v after %d merges", got, err, merges.Now())
		}
	})
}

// C2: under the context of a pool's task that has returned, calls do what that context
// says: they work while it has not ended, and call nothing once it has.
func TestC2TheContextOfATaskThatHasReturned(t *testing.T) {
	for name, c := range calls {
		if c.bare {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			root, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			p := pool.New(1, func(ctx context.Context, _ int) (context.Context, error) { return ctx, nil }, pool.WithContext(root))
			defer p.Close()
			ctx, err := p.Do(root, 0)
			if err != nil {
				t.Fatal(err)
			}
			run := func() (called int, err error) {
				var at testkit.Gauge
				err = c.run(ctx, 20, func(context.Context, int) (int, error) { at.Enter(); return 0, nil })
				return at.Now(), err
			}
			if called, err := run(); ctx.Err() == nil && (err != nil || called == 0) {
				t.Errorf("%s: %d functions were called under a context that has not ended, got %v", name, called, err)
			}
			cancel(errCaller)
			if called, err := run(); ctx.Err() == nil || called > 0 || !c.channels && !errors.Is(err, context.Cause(ctx)) {
				t.Errorf("%s: %d functions were called under a context that has ended with %v, got %v", name, called, context.Cause(ctx), err)
			}
		})
	}
}
