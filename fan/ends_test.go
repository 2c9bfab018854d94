package fan_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/goid"
	"github.com/tandemgo/tandem/internal/testkit"
)

// slow walks 0, 1, 2 …, a second each, and counts how far it gets.
func slow(pulled *int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for yield(*pulled) {
			*pulled++
			time.Sleep(time.Second)
		}
	}
}

// A source is left at the next item once a ForEach has failed, or its context
// has ended, though there would be room for more.
func TestForEachLeavesTheSourceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pulled := 0
		err := fan.ForEach(t.Context(), 1, slow(&pulled), func(context.Context, int) error { return errItem })
		if !errors.Is(err, errItem) || pulled != 1 {
			t.Errorf("%v after %d items", err, pulled)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 2500*time.Millisecond, errItem)
		defer cancel()
		pulled = 0
		if err := fan.ForEach(ctx, 1, slow(&pulled), func(context.Context, int) error { return nil }); !errors.Is(err, errItem) || pulled != 3 {
			t.Errorf("%v after %d items", err, pulled)
		}
	})
}

// walks are those that go over a source, by one worker.
func walks() map[string]func(context.Context, iter.Seq[int], func(context.Context, int) (int, error)) iter.Seq2[int, error] {
	return map[string]func(context.Context, iter.Seq[int], func(context.Context, int) (int, error)) iter.Seq2[int, error]{
		"Seq": func(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) (int, error)) iter.Seq2[int, error] {
			return fan.Seq(ctx, 1, in, fn)
		},
		"ByKey": func(ctx context.Context, in iter.Seq[int], fn func(context.Context, int) (int, error)) iter.Seq2[int, error] {
			return fan.ByKey(ctx, 1, in, func(int) int { return 0 }, fn)
		},
	}
}

// C1: a walk that is left waits for the call that is at work, begins no other
// one, though items wait, and leaves the source at its next item.
func TestLeavingAWalkBeginsNothing(t *testing.T) {
	for name, walk := range walks() {
		synctest.Test(t, func(t *testing.T) {
			pulled, calls, returned := 0, 0, 0
			source := func(yield func(int) bool) {
				for yield(pulled) {
					if pulled++; pulled == 10 {
						time.Sleep(time.Minute)
					}
				}
			}
			for range walk(t.Context(), source, func(ctx context.Context, v int) (int, error) {
				if calls++; v == 1 {
					<-ctx.Done()
					time.Sleep(time.Second)
				}
				returned++
				return v, nil
			}) {
				synctest.Wait() // the second call is at work, and more items wait
				break
			}
			if calls != 2 || returned != 2 || pulled != 10 {
				t.Errorf("%s: %d calls of which %d returned, %d items", name, calls, returned, pulled)
			}
		})
	}
}

// C2: when the context has ended, results that are there are not yielded any
// more.
func TestEndedContextGoesBeforeResults(t *testing.T) {
	for name, walk := range walks() {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var got []error
			for _, err := range walk(ctx, count(5), func(_ context.Context, v int) (int, error) { return v, nil }) {
				synctest.Wait() // all results are there
				cancel(errItem)
				got = append(got, err)
			}
			if len(got) != 2 || got[1] != errItem {
				t.Errorf("%s: %v", name, got)
			}
		})
	}
}

// C2: the end of the context is noticed by a Map on one goroutine, and by one
// that has no elements.
func TestMapNoticesTheEnd(t *testing.T) {
	for range 100 {
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		_, err := fan.Map(ctx, 1, numbers(10), func(context.Context, int) (int, error) {
			calls++
			cancel(errItem)
			return 0, nil
		})
		if calls != 1 || !errors.Is(err, errItem) {
			t.Fatalf("%d calls, %v", calls, err)
		}
		if _, err := fan.Map(ctx, 1, numbers(0), func(context.Context, int) (int, error) { return 0, nil }); !errors.Is(err, errItem) {
			t.Fatalf("without elements: %v", err)
		}
	}
}

// When the source of a ForEach panics, the calls have ended before anybody gets to
// know.
func TestForEachWaitsThoughTheSourcePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		defer func() {
			if r := recover(); r != "source" || !ended.Load() {
				t.Errorf("recovered %v; the call has ended: %v", r, ended.Load())
			}
		}()
		_ = fan.ForEach(t.Context(), 1, func(yield func(int) bool) {
			yield(0)
			synctest.Wait()
			panic("source")
		}, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended.Store(true)
			return nil
		})
	})
}

// An error of fold is that of Reduce, which returns nothing else then, and merges
// nothing.
func TestReduceFails(t *testing.T) {
	got, err := fan.Reduce(t.Context(), 2, numbers(100), func() int { return 0 },
		func(acc, v int) (int, error) {
			if v == 50 {
				return 0, errItem
			}
			return acc + 1, nil
		},
		func(a, b int) int { t.Error("merge is called"); return a + b })
	if got != 0 || !errors.Is(err, errItem) {
		t.Errorf("got %d, %v", got, err)
	}
}

// A Reduce that has failed folds nothing more, not even what is left of a part.
func TestReduceIsLeftWithinAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0 // for elements of the first part
		_, err := fan.Reduce(t.Context(), 2, numbers(32), func() int { return 0 },
			func(acc, v int) (int, error) {
				if v >= 2 { // in the second of 16 parts
					return 0, errItem
				}
				calls++
				time.Sleep(time.Second)
				return acc, nil
			},
			func(a, b int) int { return a })
		if !errors.Is(err, errItem) || calls != 1 {
			t.Errorf("%v, %d elements of a part of two", err, calls)
		}
	})
}

// C4: when the function ends the caller of Map by a Goexit, those who have nothing
// to do by then leave, too.
func TestGoexitOfTheCallerWakesTheIdle(t *testing.T) {
	for range 20 { // the caller may come too late for an element
		synctest.Test(t, func(t *testing.T) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				caller := goid.Current()
				_, _ = fan.Map(t.Context(), 3, numbers(12), func(_ context.Context, v int) (int, error) {
					if goid.Current() == caller {
						synctest.Wait() // all others are idle
						runtime.Goexit()
					}
					return v, nil
				})
			}()
			<-done
		})
	}
}

// However many claim at once, each element is one worker's. In a bubble they all
// join at once.
func TestElementsAreClaimedOnce(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			calls := testkit.NewLedger(200)
			_, _ = fan.Map(t.Context(), 8, numbers(200), func(_ context.Context, v int) (int, error) {
				calls.Note(v)
				return v, nil
			})
			calls.ExactlyOnce(t)
		})
	}
}
