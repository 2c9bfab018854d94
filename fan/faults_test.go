package fan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// An error at any index ends a Map, and is not hidden by what follows from it.
func TestFaultFF3ErrorAtEveryIndex(t *testing.T) {
	for at := range 40 {
		for _, n := range []int{1, 4} {
			synctest.Test(t, func(t *testing.T) {
				got, err := fan.Map(t.Context(), n, numbers(40), func(ctx context.Context, v int) (int, error) {
					if v == at {
						return 0, errItem
					}
					select {
					case <-ctx.Done():
						return 0, ctx.Err()
					case <-time.After(time.Second):
						return v, nil
					}
				})
				if !errors.Is(err, errItem) || len(got) != 40 {
					t.Errorf("at %d by %d: %d results, %v", at, n, len(got), err)
				}
				for i, v := range got {
					if v != 0 && v != i {
						t.Errorf("at %d by %d: index %d holds %d", at, n, i, v)
					}
				}
			})
		}
	}
}

// The first error of ForEach leaves the loop over the source.
func TestFaultFF4ForEachLeavesTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pulled := 0
		err := fan.ForEach(t.Context(), 2, func(yield func(int) bool) {
			for yield(pulled) {
				pulled++
			}
		}, func(ctx context.Context, v int) error {
			if v == 5 {
				return errItem
			}
			if v > 5 { // or the other worker could go on for long, by chance
				<-ctx.Done()
			}
			return nil
		})
		if !errors.Is(err, errItem) || pulled > 8+16 {
			t.Errorf("%v after %d items", err, pulled)
		}
	})
}

// C2: a context that ends when all items have come from the source, and not all of
// them were worked on, is an error; one that ends later is not.
func TestForEachContextEndsBehindTheSource(t *testing.T) {
	for calls := 1; calls <= 3; calls++ {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			done := 0
			err := fan.ForEach(ctx, 1, slices.Values(numbers(3)), func(context.Context, int) error {
				time.Sleep(time.Second) // the source has ended by now
				if done++; done == calls {
					cancel(errItem)
				}
				return nil
			})
			if done != calls || (errors.Is(err, errItem)) != (calls < 3) {
				t.Errorf("%d of 3 calls were made, got %v", done, err)
			}
		})
	}
}

// A source of ForEach that panics does so on the caller, with nothing left.
func TestFaultFF5ForEachSourcePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in testkit.Gauge
		defer func() {
			if r := recover(); r != "source" || in.Now() != 0 {
				t.Errorf("recovered %v, %d functions run", r, in.Now())
			}
		}()
		_ = fan.ForEach(t.Context(), 3, func(yield func(int) bool) { yield(1); synctest.Wait(); panic("source") },
			func(ctx context.Context, _ int) error {
				in.Enter()
				defer in.Leave()
				<-ctx.Done()
				return nil
			})
	})
}

// In an ordered Seq, workers stay busy behind a slow head, up to the window.
func TestFaultFF6SlowHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4
		var started testkit.Gauge
		head := make(chan struct{})
		time.AfterFunc(time.Hour, func() {
			if got := started.Now(); got < 2*n || got > 2*n+16 {
				t.Errorf("%d items begun behind a slow head", got)
			}
			close(head)
		})
		next := 0
		for v, err := range fan.Seq(t.Context(), n, count(100), func(_ context.Context, v int) (int, error) {
			if v == 0 {
				<-head
			}
			time.Sleep(time.Millisecond) // or the window could grow
			started.Enter()
			return v, nil
		}) {
			if v != next || err != nil {
				t.Fatalf("got %d, %v; want %d", v, err, next)
			}
			next++
		}
		equal(t, "results", 100, next)
	})
}

// Each item of a walk has its own error, and the walk goes on.
func TestFaultFF7ErrorsOfAWalk(t *testing.T) {
	testkit.Watchdog(t, func() {
		i, bad := 0, 0
		for v, err := range fan.Seq(t.Context(), 3, count(100), func(_ context.Context, v int) (int, error) {
			if v%10 == 0 {
				return 0, fmt.Errorf("item %d", v)
			}
			return v, nil
		}) {
			if err != nil {
				bad++
				equal(t, "error", fmt.Sprintf("task %d: item %d", i, i), err.Error())
			} else if v != i {
				t.Errorf("got %d, want %d", v, i)
			}
			i++
		}
		equal(t, "items and errors", []int{100, 10}, []int{i, bad})
	})
}

// First with only failures says so, in order; with none it fails at once.
func TestFaultFF8FirstAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := func(name string, after time.Duration) func(context.Context) (int, error) {
			return func(context.Context) (int, error) { time.Sleep(after); return 0, errors.New(name) }
		}
		_, err := fan.First(t.Context(), fail("one", 3), fail("two", 1), fail("three", 2))
		if !errors.Is(err, fan.ErrNoQuorum) {
			t.Errorf("got %v", err)
		}
		equal(t, "text", "fan: not enough functions succeeded: 1 needed, 3 of 3 failed\ntask 0: one\ntask 1: two\ntask 2: three", err.Error())
		if _, err := fan.First[int](t.Context()); !errors.Is(err, fan.ErrNoQuorum) {
			t.Errorf("of none: %v", err)
		}
	})
}

// Quorum takes the first k, and gives up as soon as k cannot be reached.
func TestFaultFF9Quorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after := func(s int, err error) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				select {
				case <-ctx.Done():
					return 0, ctx.Err()
				case <-time.After(time.Duration(s) * time.Second):
					return s, err
				}
			}
		}
		start := time.Now()
		got, err := fan.Quorum(t.Context(), 2, after(3, nil), after(1, errItem), after(2, nil), after(9, nil))
		equal(t, "winners", []int{2, 3}, got)
		if err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		got, err = fan.Quorum(t.Context(), 3, after(1, errItem), after(2, errItem), after(3, nil), after(4, nil))
		if got != nil || !errors.Is(err, fan.ErrNoQuorum) || !errors.Is(err, errItem) || time.Since(start) != 2*time.Second {
			t.Errorf("%v, %v after %v", got, err, time.Since(start))
		}
		called := false
		_, err = fan.Quorum(t.Context(), 2, func(context.Context) (int, error) { called = true; return 1, nil })
		if !errors.Is(err, fan.ErrNoQuorum) || !errors.Is(err, fan.ErrNotStarted) || called {
			t.Errorf("2 of 1: %v, called %v", err, called)
		}
		equal(t, "text", "not started: fan: not enough functions succeeded: 2 needed, 0 of 1 failed", err.Error())
	})
}

// A branch of Tee that is ready is not held up by one that is at most one item
// behind, in whatever order branches are read.
func TestFaultFF10TeeBranchesInAnyOrder(t *testing.T) {
	for first := range 3 {
		synctest.Test(t, func(t *testing.T) {
			branches := fan.Tee(t.Context(), feed(t.Context(), 50), 3)
			for i := range 50 {
				for k := range branches {
					if v := <-branches[(first+k)%3]; v != i {
						t.Errorf("got %d, want %d", v, i)
					}
				}
			}
			for _, b := range branches {
				if _, ok := <-b; ok {
					t.Error("an item too many")
				}
			}
		})
	}
}

// A walk can be ranged over again, and does nothing before.
func TestFaultFF11WalksAreLazyAndRepeatable(t *testing.T) {
	starts := 0
	seq := fan.Seq(t.Context(), 2, func(yield func(int) bool) { starts++; yield(starts) }, square)
	equal(t, "starts before the loop", 0, starts)
	for range 3 {
		for range seq {
		}
	}
	equal(t, "starts after three loops", 3, starts)
}

// Everything at once, each item once.
func TestChaosConservesItems(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	testkit.Watchdog(t, func() {
		ledger := testkit.NewLedger(n)
		in := make(chan int)
		go func() {
			defer close(in)
			for v, err := range fan.Seq(t.Context(), 3, count(n), func(_ context.Context, v int) (int, error) { return v, nil }) {
				if err != nil {
					t.Error(err)
				}
				in <- v
			}
		}()
		parts := fan.Partition(t.Context(), in, 4, func(v int) int { return v % 100 })
		for i, p := range parts {
			parts[i] = fan.In(t.Context(), p, nil)
		}
		var merged []<-chan fan.Result[int]
		for _, p := range parts {
			merged = append(merged, fan.Out(t.Context(), p, 2, func(_ context.Context, v int) (int, error) {
				if v%50 == 0 {
					panic(v)
				}
				return v, nil
			})...)
		}
		for r := range fan.In(t.Context(), merged...) {
			if pe, ok := errors.AsType[*fan.PanicError](r.Err); ok {
				r.Value = pe.Value.(int)
			}
			ledger.Note(r.Value)
		}
		ledger.ExactlyOnce(t)
	})
}
