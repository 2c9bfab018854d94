package fan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// C10: the error of an element names it, on any goroutine, however it came.
func TestC10ErrorsNameTheElement(t *testing.T) {
	for name, c := range calls {
		if c.channels {
			continue
		}
		for how, fail := range map[string]func() error{
			"error": func() error { return errItem },
			"panic": func() error { panic(errItem) },
		} {
			synctest.Test(t, func(t *testing.T) {
				err := c.run(t.Context(), 12, func(ctx context.Context, v int) (int, error) {
					if v == 7 {
						return 0, fail()
					}
					if name == "First" {
						return 0, errors.New("another")
					}
					return v, nil
				})
				failed := false
				for _, err := range leaves(err) {
					if te, ok := errors.AsType[*fan.TaskError](err); ok && errors.Is(te.Err, errItem) && !errors.Is(err, fan.ErrNotStarted) {
						failed = true
						equal(t, name+": index", 7, te.Index)
					}
				}
				if !failed {
					t.Errorf("%s, %s: got %v", name, how, err)
				}
			})
		}
	}
}

// leaves returns the errors that err joins, or err.
func leaves(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// C11: the error of a Map or Reduce lists the elements that never started, and no others:
// after an error, a panic, a Goexit of another goroutine, and the end of the context.
func TestC11ElementsThatNeverStartedAreListed(t *testing.T) {
	fails := map[string]func(cancel func()) error{
		"error":  func(func()) error { return errItem },
		"panic":  func(func()) error { panic(errItem) },
		"goexit": func(func()) error { runtime.Goexit(); return nil },
		"cancel": func(cancel func()) error { cancel(); return nil },
	}
	runs := map[string]func(ctx context.Context, n int, fn func(int) error) error{
		"Map": func(ctx context.Context, n int, fn func(int) error) error {
			_, err := fan.Map(ctx, n, numbers(40), func(_ context.Context, v int) (int, error) { return v, fn(v) })
			return err
		},
		"Reduce": func(ctx context.Context, n int, fn func(int) error) error {
			_, err := fan.Reduce(ctx, n, numbers(40), func() int { return 0 },
				func(acc, v int) (int, error) { return acc + v, fn(v) }, func(a, b int) int { return a + b })
			return err
		},
	}
	for name, run := range runs {
		for how, fail := range fails {
			for _, n := range []int{1, 3, 8} {
				for _, cost := range []time.Duration{0, 10, time.Microsecond, time.Second} {
					for _, at := range []int{0, 1, 7, 9, 20, 36, 39} {
						what := fmt.Sprintf("%s, %s at %d of %v by %d", name, how, at, cost, n)
						synctest.Test(t, func(t *testing.T) { listsWhatNeverStarted(t, what, n, cost, at, run, fail) })
					}
				}
			}
		}
	}
}

// listsWhatNeverStarted runs 40 elements of which the cost is the given one, or twice or
// three times as much, and one fails.
func listsWhatNeverStarted(t *testing.T, what string, n int, cost time.Duration, at int, run func(context.Context, int, func(int) error) error, fail func(cancel func()) error) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	started := make([]bool, 40)
	returned, done := false, make(chan struct{})
	var err error
	go func() { // a Goexit may end it
		defer close(done)
		err = run(ctx, n, func(v int) error {
			started[v] = true
			time.Sleep(cost * time.Duration(1+v*7%3))
			if v == at {
				return fail(func() { cancel(errItem) })
			}
			return nil
		})
		returned = true
	}()
	<-done
	if !returned {
		return
	}
	listed := slices.Repeat([]bool{true}, 40)
	for _, err := range leaves(err) {
		if te, ok := errors.AsType[*fan.TaskError](err); ok && errors.Is(err, fan.ErrNotStarted) {
			if !listed[te.Index] {
				t.Errorf("%s: element %d is listed twice", what, te.Index)
			}
			listed[te.Index] = false
			if !errors.Is(te.Err, errItem) && !errors.Is(te.Err, fan.ErrGoexit) {
				t.Errorf("%s: element %d has the error %v", what, te.Index, te.Err)
			}
		}
	}
	equal(t, what+": elements that started", started, listed)
	if some := slices.Contains(started, false); some != errors.Is(err, fan.ErrNotStarted) {
		t.Errorf("%s: elements have not started: %v; got %v", what, some, err)
	}
}

// C11: errors.Is and errors.As find the error that ended the call, and ErrNotStarted, at no cost,
// however many elements never started.
func TestC11TheErrorIsFoundBeforeTheList(t *testing.T) {
	_, err := fan.Map(t.Context(), 2, numbers(100_000), func(context.Context, int) (int, error) { return 0, errItem })
	if n := testing.AllocsPerRun(10, func() {
		var te *fan.TaskError
		if !errors.Is(err, errItem) || !errors.Is(err, fan.ErrNotStarted) || !errors.As(err, &te) || te.Err != errItem {
			t.Error(err)
		}
	}); n > 1 { // te
		t.Errorf("%v allocations", n)
	}
}

// C11: so says an error of a call whose context has ended before all has started.
func TestC11TheContextEndsBeforeTheStart(t *testing.T) {
	for name, c := range calls {
		if c.channels {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errCaller)
			if err := c.run(ctx, 10, square); !errors.Is(err, fan.ErrNotStarted) || !errors.Is(err, errCaller) {
				t.Errorf("%s: got %v", name, err)
			}
			ctx, cancel = context.WithCancelCause(t.Context())
			var started testkit.Gauge
			err := c.run(ctx, 10, func(context.Context, int) (int, error) {
				started.Enter()
				cancel(errCaller)
				time.Sleep(time.Second)
				return 0, nil
			})
			if name != "First" && name != "Quorum" && (started.Now() == 10 || !errors.Is(err, fan.ErrNotStarted) || !errors.Is(err, errCaller)) {
				t.Errorf("%s: %d of 10 started, got %v", name, started.Now(), err)
			}
		})
	}
}

// C12: a nil Option is ignored.
func TestC12ANilOption(t *testing.T) {
	got := 0
	for v := range fan.Seq(t.Context(), 2, count(3), square, nil, fan.Unordered(), nil) {
		got += v
	}
	equal(t, "sum", 5, got)
}

// C8: nothing is allocated in proportion to a number of goroutines that is not reached.
func TestC8NothingForGoroutinesThatAreNotReached(t *testing.T) {
	const most = int(^uint(0) >> 1)
	for name, run := range map[string]func(n int) error{
		"Map": func(n int) error { _, err := fan.Map(t.Context(), n, numbers(10), square); return err },
		"Seq": func(n int) error { return last(fan.Seq(t.Context(), n, count(10), square)) },
		"ByKey": func(n int) error {
			return last(fan.ByKey(t.Context(), n, count(10), func(v int) int { return v }, square))
		},
		"Reduce": func(n int) error { return reduceSum(t.Context(), n, 10) },
		"ForEach": func(n int) error {
			return fan.ForEach(t.Context(), n, count(10), func(context.Context, int) error { return nil })
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := run(most); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if made := after.TotalAlloc - before.TotalAlloc; made > 1<<20 {
			t.Errorf("%s: %d bytes for ten items", name, made)
		}
	}
}

func reduceSum(ctx context.Context, n, size int) error {
	_, err := fan.Reduce(ctx, n, numbers(size), func() int { return 0 },
		func(a, v int) (int, error) { return a + v, nil }, func(a, b int) int { return a + b })
	return err
}

// C8: the context of a Map that is kept keeps neither its elements nor its results alive.
func TestC8AKeptContextKeepsNothing(t *testing.T) {
	var kept context.Context
	element, result := func() (weak.Pointer[[1000]int], weak.Pointer[[1000]int]) {
		in := []*[1000]int{new([1000]int)}
		out, err := fan.Map(t.Context(), 1, in, func(ctx context.Context, v *[1000]int) (*[1000]int, error) {
			kept = ctx
			return new([1000]int), nil
		})
		equal(t, "error", nil, err)
		return weak.Make(in[0]), weak.Make(out[0])
	}()
	runtime.GC()
	if element.Value() != nil || result.Value() != nil {
		t.Error("an element or a result is kept")
	}
	runtime.KeepAlive(kept)
}

// F3: In is fair: of two inputs that always have an item, each gives every second one.
func TestF3InTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		busy := func(v int) <-chan int {
			ch := make(chan int, 100)
			for range cap(ch) {
				ch <- v
			}
			return ch
		}
		merged := fan.In(ctx, busy(0), busy(1), busy(2))
		var counts [3]int
		for range 90 {
			synctest.Wait() // all inputs have an item ready
			counts[<-merged]++
		}
		equal(t, "items of each input", [3]int{30, 30, 30}, counts)
	})
}

// F4: items with different keys do not wait for each other: four keys with four items of
// a second each take four goroutines four seconds, though all items of a key come at once.
func TestF4KeysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		for _, err := range fan.ByKey(t.Context(), 4, count(16), func(v int) int { return v / 4 },
			func(_ context.Context, v int) (int, error) { time.Sleep(time.Second); return v, nil }) {
			equal(t, "error", nil, err)
		}
		equal(t, "time", 4*time.Second, time.Since(start))
	})
}

// F4: a merge that takes as long as a fold leaves Reduce n/2 times as fast as a loop.
func TestF4ReduceMergesInParallel(t *testing.T) {
	const size, cost = 1000, 100 * time.Millisecond
	for _, n := range []int{2, 8, 32} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got, err := fan.Reduce(t.Context(), n, numbers(size), func() []int { return nil },
				func(acc []int, v int) ([]int, error) { time.Sleep(cost); return append(acc, v), nil },
				func(a, b []int) []int { time.Sleep(cost); return append(a, b...) })
			if !slices.Equal(got, numbers(size)) || err != nil {
				t.Errorf("by %d: %v", n, err)
			}
			took := time.Since(start)
			if limit := size * cost / time.Duration(n/2); took > limit {
				t.Errorf("by %d: took %v, the limit is %v", n, took, limit)
			}
			t.Logf("by %d: %v", n, took)
		})
	}
}

// F5: Out, In, Tee and Partition leave goroutines until their context ends, and nothing
// else does.
func TestF5WhatIsLeftRunning(t *testing.T) {
	never := make(chan int)
	for name, run := range map[string]func(context.Context){
		"Out":       func(ctx context.Context) { fan.Out(ctx, never, 3, square) },
		"In":        func(ctx context.Context) { fan.In(ctx, never) },
		"Tee":       func(ctx context.Context) { fan.Tee(ctx, never, 3) },
		"Partition": func(ctx context.Context) { fan.Partition(ctx, never, 3, func(v int) int { return v }) },
		"":          func(ctx context.Context) { _, _ = fan.Map(ctx, 3, numbers(100), square) },
	} {
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(t.Context())
		run(ctx)
		for try := 0; try < 1000 && name == "" && runtime.NumGoroutine() > before; try++ {
			runtime.Gosched() // the callback of a timer that was stopped may be about to return
		}
		if left := runtime.NumGoroutine() > before; left != (name != "") {
			t.Errorf("%s: it leaves goroutines: %v", name, left)
		}
		cancel()
		for runtime.NumGoroutine() > before {
			runtime.Gosched()
		}
	}
}

// C4: a key that cannot be compared panics, which is the error of the last pair.
func TestC4AKeyThatCannotBeCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []error
		for _, err := range fan.ByKey(t.Context(), 2, count(5), func(v int) any {
			if v == 3 {
				return []int{v}
			}
			return v
		}, square) {
			got = append(got, err)
		}
		if _, ok := errors.AsType[*fan.PanicError](got[len(got)-1]); len(got) != 4 || !ok {
			t.Errorf("got %v", got)
		}
	})
}
