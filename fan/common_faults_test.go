package fan_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A call works on the items 0 … n-1 with fn, in one of the ways there are, and
// returns an error if one came out. Those that have no function are given none.
type call struct {
	run      func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error
	channels bool // it ends with the context, and says so by closing alone
	bare     bool // it calls no function
}

var calls = map[string]call{
	"ByKey": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		return last(fan.ByKey(ctx, 3, count(n), func(v int) int { return v % 7 }, fn))
	}},
	"First": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		_, err := fan.First(ctx, each(n, fn)...)
		return err
	}},
	"ForEach": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		return fan.ForEach(ctx, 3, count(n), func(ctx context.Context, v int) error { _, err := fn(ctx, v); return err })
	}},
	"In": {channels: true, bare: true, run: func(ctx context.Context, n int, _ func(context.Context, int) (int, error)) error {
		drain(fan.In(ctx, feed(ctx, n), feed(ctx, n)))
		return nil
	}},
	"Map": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		_, err := fan.Map(ctx, 3, numbers(n), fn)
		return err
	}},
	"Out": {channels: true, run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		drain(fan.Out(ctx, feed(ctx, n), 3, fn)...)
		return nil
	}},
	"Partition": {channels: true, bare: true, run: func(ctx context.Context, n int, _ func(context.Context, int) (int, error)) error {
		drain(fan.Partition(ctx, feed(ctx, n), 3, func(v int) int { return v })...)
		return nil
	}},
	"Quorum": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		_, err := fan.Quorum(ctx, n, each(n, fn)...)
		return err
	}},
	"Reduce": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		_, err := fan.Reduce(ctx, 3, numbers(n), func() int { return 0 }, func(a, v int) (int, error) {
			v, err := fn(ctx, v)
			return a + v, err
		}, func(a, b int) int { return a + b })
		return err
	}},
	"Seq": {run: func(ctx context.Context, n int, fn func(context.Context, int) (int, error)) error {
		return last(fan.Seq(ctx, 3, count(n), fn))
	}},
	"Tee": {channels: true, bare: true, run: func(ctx context.Context, n int, _ func(context.Context, int) (int, error)) error {
		drain(fan.Tee(ctx, feed(ctx, n), 3)...)
		return nil
	}},
}

// A nil context panics; one that has ended before is answered with its cause, and
// no function runs; one that ends during a call ends it, and one that ends later
// changes nothing. The bubble fails if something is left.
func TestFaultFC1Contexts(t *testing.T) {
	testkit.Complete(t, testkit.Exported(t, ""), calls)
	cause := errors.New("enough")
	for name, c := range calls {
		check := func(t *testing.T, err error) {
			t.Helper()
			if !c.channels && !errors.Is(err, cause) {
				t.Errorf("got %v, want %v", err, cause)
			}
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if err := c.run(ctx, 20, square); err != nil {
					t.Errorf("with nothing in the way: %v", err)
				}
				cancel(cause) // later
				ran := false
				check(t, c.run(ctx, 20, func(context.Context, int) (int, error) { ran = true; return 0, nil }))
				if ran && !c.channels {
					t.Error("a function runs under a context that has ended")
				}
				ctx, cancel = context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				if !c.bare {
					check(t, c.run(ctx, 20, func(ctx context.Context, _ int) (int, error) {
						<-ctx.Done()
						return 0, context.Cause(ctx)
					}))
				}
			})
		})
	}
	var none context.Context
	testkit.Panics(t, map[string]func(){
		"fan: ByKey: context must not be nil":     func() { fan.ByKey(none, 1, count(1), func(v int) int { return v }, square) },
		"fan: First: context must not be nil":     func() { _, _ = fan.First(none, each(1, square)...) },
		"fan: ForEach: context must not be nil":   func() { _ = fan.ForEach(none, 1, count(1), func(context.Context, int) error { return nil }) },
		"fan: In: context must not be nil":        func() { fan.In[int](none) },
		"fan: Map: context must not be nil":       func() { _, _ = fan.Map(none, 1, numbers(1), square) },
		"fan: Out: context must not be nil":       func() { fan.Out(none, nil, 1, square) },
		"fan: Partition: context must not be nil": func() { fan.Partition(none, nil, 1, func(v int) int { return v }) },
		"fan: Quorum: context must not be nil":    func() { _, _ = fan.Quorum(none, 1, each(1, square)...) },
		"fan: Seq: context must not be nil":       func() { fan.Seq(none, 1, count(1), square) },
		"fan: Tee: context must not be nil":       func() { fan.Tee[int](none, nil, 1) },
	})
}

// A function that ignores its context is waited for, as nothing may be left; all
// that can go on meanwhile does, and the call returns as it does.
func TestFaultFC4FunctionIgnoresItsContext(t *testing.T) {
	for name, c := range calls {
		if c.bare {
			continue
		}
		// The first may be on the goroutine of the caller, the others are not then.
		for stubborn := 1; stubborn <= 3; stubborn++ {
			if stubborn > 1 && name == "ByKey" {
				break // all keys may be in one lane
			}
			t.Run(fmt.Sprint(name, stubborn), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { ignoresItsContext(t, c, stubborn) })
			})
		}
	}
}

// ignoresItsContext makes a call of which one function, by the order in which they
// begin, ignores its context.
func ignoresItsContext(t *testing.T, c call, stubborn int) {
	ctx, cancel := context.WithCancel(t.Context())
	forever := make(chan struct{})
	var in testkit.Gauge
	returned := false
	go func() {
		_ = c.run(ctx, 20, func(ctx context.Context, _ int) (int, error) {
			defer in.Leave()
			if in.Enter() == stubborn {
				<-forever
			} else {
				<-ctx.Done()
			}
			return 0, errItem
		})
		returned = true
	}()
	synctest.Wait()
	time.Sleep(time.Hour) // others may join a function that takes long
	synctest.Wait()
	cancel()
	synctest.Wait()
	if in.Now() != 1 || returned && !c.channels {
		t.Errorf("%d functions run, returned %v", in.Now(), returned)
	}
	close(forever)
	synctest.Wait()
	if in.Now() != 0 || !returned {
		t.Errorf("in the end %d functions run, returned %v", in.Now(), returned)
	}
}

// What ends here is the context: again, from 64 goroutines, and from inside a
// function, while work goes on.
func TestFaultFC5EndTwice(t *testing.T) {
	endings(t, func(cancel func(), _ int) { cancel(); cancel() })
}

func TestFaultFC6EndFromEverywhere(t *testing.T) {
	endings(t, func(cancel func(), _ int) {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(cancel)
		}
		wg.Wait()
	})
}

func TestFaultFC7EndInsideAFunction(t *testing.T) {
	endings(t, func(cancel func(), v int) {
		if v == 5 {
			cancel()
		}
	})
}

// endings calls end inside the functions of every call, and checks that it ends.
func endings(t *testing.T, end func(cancel func(), v int)) {
	for name, c := range calls {
		if c.bare {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var in testkit.Gauge
				err := c.run(ctx, 60, func(ctx context.Context, v int) (int, error) {
					in.Enter()
					defer in.Leave()
					end(cancel, v)
					if v >= 5 {
						<-ctx.Done() // of a call that is over, or of the test
					}
					return 0, ctx.Err()
				})
				if !c.channels && name != "First" && !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				synctest.Wait()
				if in.Now() != 0 {
					t.Errorf("%d functions still run", in.Now())
				}
				cancel()
			})
		})
	}
}

// Every item once, while the number of processors changes.
func TestFaultFC8ProcessorsChange(t *testing.T) {
	const n = 10_000
	for _, name := range []string{"ByKey", "ForEach", "Map", "Out", "Reduce", "Seq"} {
		change := testkit.Procs(t)
		ran := testkit.NewLedger(n)
		var mu sync.Mutex
		testkit.Watchdog(t, func() {
			err := calls[name].run(t.Context(), n, func(_ context.Context, v int) (int, error) {
				if ran.Note(v); v%500 == 0 {
					mu.Lock()
					defer mu.Unlock()
					change()
				}
				return v, nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		ran.ExactlyOnce(t)
	}
}

func TestFaultFC9HeapReturns(t *testing.T) {
	in := numbers(1000)
	testkit.HeapReturns(t, func(items int) {
		for range items / 2 / len(in) {
			got, err := fan.Map(t.Context(), 3, in, square)
			if err != nil || got[999] != 999*999 {
				t.Fatal(err, got[999])
			}
		}
		n := 0
		for _, err := range fan.Seq(t.Context(), 3, count(items/2), square) {
			if n++; err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "items of Seq", items/2, n)
	})
}

// Every pair of functions may be called at once, under one context.
func TestFaultFC10AllPairsAtOnce(t *testing.T) {
	type fixture struct {
		ctx    context.Context
		cancel func()
	}
	both := map[string]func(fixture){"cancel": func(f fixture) { f.cancel() }}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		both[name] = func(f fixture) {
			if err := calls[name].run(f.ctx, 30, square); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	testkit.Complete(t, testkit.Exported(t, ""), both)
	testkit.Pairs(t, both, func() fixture {
		ctx, cancel := context.WithCancel(t.Context())
		return fixture{ctx, cancel}
	}, func(f fixture) { f.cancel() })
}
