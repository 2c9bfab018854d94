package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
)

// C1: the channel of Execute is closed when the run has ended, and not when the last
// result is out: a function that ignores its context is waited for.
func TestC1ExecuteClosesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, ended := make(chan struct{}), false
		s := pipeline.Map(func(_ context.Context, v int) (int, error) {
			if v == 0 {
				<-begun
				return v, nil
			}
			close(begun)
			time.Sleep(time.Hour)
			ended = true
			return v, nil
		}, pipeline.WithWorkers(2)).Take(1)
		out, wait := s.Execute(t.Context(), feed(0, 1))
		for range out {
		}
		if !ended {
			t.Error("closed while a function was at work")
		}
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

// L3: an item that fails once the run has ended is not tried again, and no handler
// is asked about it; its error is joined to the first one as it is.
func TestL3WhatFailsLate(t *testing.T) {
	asked := 0
	for name, opt := range map[string]pipeline.Option{
		"plain":        pipeline.WithName("map"),
		"time limit":   pipeline.WithTimeout(time.Hour),
		"new attempts": pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 3}),
		"handler":      pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { asked++; return pipeline.Stop }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				late, attempts := errors.New("cleanup failed"), 0
				s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
					if v == 0 {
						time.Sleep(time.Second)
						return 0, errItem
					}
					attempts++
					<-ctx.Done()
					return 0, late
				}, pipeline.WithWorkers(2), opt)
				_, err := s.Collect(t.Context(), count(2))
				if !errors.Is(err, errItem) || !errors.Is(err, late) || attempts != 1 || asked > 1 {
					t.Errorf("%d attempts, handler asked %d times: %v", attempts, asked, err)
				}
			})
		})
	}
}

// L3: a context that ends when all stages have, and results wait, is the end of the
// run, and why.
func TestL3ResultsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var last error
		n := 0
		for _, err := range add(1).Run(ctx, count(5)) {
			synctest.Wait() // all results are there
			cancel(errItem)
			n, last = n+1, err
		}
		if n != 2 || last != errItem {
			t.Errorf("%d pairs, the last one with %v", n, last)
		}
	})
}

// L3: a stage that has many items to take, and looks at the context but now and then,
// is not at work on all of them after its end.
func TestL3AFullLinkIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		s := pipeline.Buffer[int](n).Filter(func(context.Context, int) (bool, error) {
			if calls++; calls == 1 {
				time.Sleep(time.Hour) // all items wait by then
				cancel(errItem)
			}
			return false, nil
		})
		if _, err := s.Collect(ctx, count(n)); err != errItem || calls > n/5 {
			t.Errorf("%d calls for %d items, %v", calls, n, err)
		}
	})
}

// A goroutine that a call of FlatMap has left behind may fail in the stage behind it
// while the run ends, or when it has ended.
func TestAFailureBehindTheEnd(t *testing.T) {
	testkit.Watchdog(t, func() {
		for range 300 {
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("enough")
			var left sync.WaitGroup
			begun := make(chan struct{})
			s := pipeline.Fuse(
				pipeline.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
					left.Go(func() { _ = emit(v) })
					<-begun
					cancel(cause)
					return nil
				}),
				pipeline.Map(func(ctx context.Context, v int) (int, error) {
					close(begun)
					<-ctx.Done()
					return v, errItem
				}))
			if _, err := s.Collect(ctx, count(1)); !errors.Is(err, cause) && !errors.Is(err, errItem) {
				t.Errorf("got %v", err)
			}
			left.Wait()
			cancel(nil)
		}
	})
}

// L3: nothing is joined by Zip once the run has ended, though there is more on both
// of its ways.
func TestL3ZipIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		s := pipeline.Zip(add(0), add(0), func(a, _ int) int {
			calls++
			time.Sleep(time.Hour) // all others wait by then
			cancel(errItem)
			return a
		})
		if _, err := s.Collect(ctx, count(5)); err != errItem || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

// The context of a call with a time limit ends with the call, and not with the run.
func TestTheContextOfACallEnds(t *testing.T) {
	var before context.Context
	s := pipeline.Map(func(ctx context.Context, v int) (int, error) {
		if v > 0 && before.Err() == nil {
			t.Errorf("that of call %d goes on", v-1)
		}
		before = ctx
		return v, nil
	}, pipeline.WithTimeout(time.Hour))
	if _, err := s.Collect(t.Context(), count(3)); err != nil {
		t.Error(err)
	}
}

// C8: a stage that waits for an item does not hold the last one.
func TestC8TheLastItemIsGarbage(t *testing.T) {
	testkit.Watchdog(t, func() {
		in := make(chan *blob)
		s := pipeline.Map(func(context.Context, *blob) (*blob, error) { return nil, nil })
		out, wait := s.Execute(t.Context(), in)
		ref := func() weak.Pointer[blob] {
			b := new(blob)
			in <- b
			<-out
			return weak.Make(b)
		}()
		for ref.Value() != nil { // the stage may not wait yet
			runtime.GC()
		}
		close(in)
		if err := wait(); err != nil {
			t.Error(err)
		}
	})
}

// An observer has counted what went on between stages that are fused, to the last
// item, when one of them has failed.
func TestObserverCountsUpToAnError(t *testing.T) {
	var o pipeline.Observer
	s := pipeline.Fuse(add(0), pipeline.Map(func(_ context.Context, v int) (int, error) {
		if v == 3 {
			return 0, errItem
		}
		return v, nil
	}, pipeline.WithName("fails"))).Observe(&o)
	if _, err := s.Collect(t.Context(), count(4)); !errors.Is(err, errItem) {
		t.Error(err)
	}
	want := pipeline.StageStats{Name: "fails", In: 4, Done: 3, Out: 3, Failed: 1}
	if diff := cmp.Diff(want, o.Stats()[1], noTimes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// One observer is put on copies of a chain, and looked at, by many at once.
func TestObserverIsShared(t *testing.T) {
	testkit.Watchdog(t, func() {
		var o pipeline.Observer
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := add(1).Observe(&o).Collect(t.Context(), count(3)); err != nil {
					t.Error(err)
				}
				o.Stats()
			})
		}
		wg.Wait()
		if got := o.Stats(); len(got) != 1 || got[0].In != 24 {
			t.Errorf("got %+v", got)
		}
	})
}

// A foreignContext has ended when the user says so, and tells nobody who waits.
type foreignContext struct {
	context.Context
	ended atomic.Bool
}

func (c *foreignContext) Err() error {
	if c.ended.Load() {
		return errItem
	}
	return nil
}

// L3: why the caller's context has ended is known, too, if the contexts of the stages
// have not ended for it, or not yet: a stage before a Take is the one that sees it.
func TestL3AForeignContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller := &foreignContext{Context: context.Background()}
		s := pipeline.Then(
			pipeline.Map(func(ctx context.Context, v int) (int, error) {
				if v > 0 { // wanted by nobody
					<-ctx.Done()
					return 0, ctx.Err()
				}
				caller.ended.Store(true)
				return v, nil
			}),
			pipeline.Then(add(0, pipeline.WithWorkers(2)), pipeline.Take[int](1)))
		if _, err := s.Collect(caller, count(2)); err != errItem {
			t.Errorf("got %v", err)
		}
	})
}
