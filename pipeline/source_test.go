package pipeline_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// L4: a source that waits for tomorrow's item leaves at once when the run ends, if it
// watches its context; so does Chan, under Until, too.
func TestL4ASourceThatWaitsLeavesAtOnce(t *testing.T) {
	tomorrow := pipeline.Source[int](func(ctx context.Context) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range 3 {
				if !yield(i, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(24 * time.Hour):
				yield(3, nil)
			}
		}
	})
	waiting := func() pipeline.Source[int] {
		ch := make(chan int, 3)
		for i := range 3 {
			ch <- i
		}
		return pipeline.Chan(ch)
	}
	fails := pipeline.Map(func(_ context.Context, v int) (int, error) {
		if v == 2 {
			return 0, errItem
		}
		return v, nil
	})
	for name, src := range map[string]func() pipeline.Source[int]{
		"a function": func() pipeline.Source[int] { return tomorrow },
		"Chan":       waiting,
		"Until Chan": func() pipeline.Source[int] { return pipeline.Until(t.Context(), waiting()) },
	} {
		synctest.Test(t, func(t *testing.T) {
			src := src
			if name == "Until Chan" { // a context of the bubble
				src = func() pipeline.Source[int] { return pipeline.Until(t.Context(), waiting()) }
			}
			start := time.Now()
			if out, err := add(0).Take(3).Collect(t.Context(), src()); len(out) != 3 || err != nil {
				t.Errorf("%s: Take: %v, %v", name, out, err)
			}
			if _, err := fails.Collect(t.Context(), src()); !errors.Is(err, errItem) {
				t.Errorf("%s: an error: %v", name, err)
			}
			for v := range add(0).Run(t.Context(), src()) {
				if v == 2 {
					break
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if out, err := add(0).Collect(ctx, src()); len(out) != 3 || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: the end of the context: %v, %v", name, out, err)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("%s: %v until all runs had ended", name, took)
			}
		})
	}
}

// The run under Until works off all that was read and returns nil; nothing is read once
// the context has ended.
func TestUntilIsACleanEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, end := context.WithCancel(t.Context())
		ch := make(chan int)
		sent := 0
		go func() {
			for {
				select {
				case ch <- sent:
					if sent++; sent == 50 {
						end()
					}
				case <-stop.Done():
					return
				}
			}
		}()
		slow := pipeline.Map(func(_ context.Context, v int) (int, error) { time.Sleep(time.Second); return v, nil }, pipeline.WithWorkers(3))
		batches, err := pipeline.Then(slow, pipeline.Batch[int](7, time.Hour)).Collect(t.Context(), pipeline.Until(stop, pipeline.Chan(ch)))
		if out := slices.Concat(batches...); !slices.Equal(out, slices.Collect(numbers(sent))) || sent < 50 || err != nil {
			t.Errorf("%d sent, %v, %v", sent, out, err)
		}
		if out, err := slow.Collect(t.Context(), pipeline.Until(stop, count(3))); len(out) > 0 || err != nil {
			t.Errorf("after the end: %v, %v", out, err)
		}
	})
}

// A source that does not watch its context is left at its next item, which counts.
func TestUntilLeavesAnySourceAtItsNextItem(t *testing.T) {
	stop, end := context.WithCancel(t.Context())
	src := pipeline.Seq(func(yield func(int) bool) {
		for i := 0; ; i++ {
			if i == 3 {
				end()
			}
			if !yield(i) {
				return
			}
		}
	})
	if out, err := add(0).Collect(t.Context(), pipeline.Until(stop, src)); !slices.Equal(out, []int{0, 1, 2, 3}) || err != nil {
		t.Errorf("%v, %v", out, err)
	}
}

// Until hides no error but that of its own context, and the end of the run's is no clean
// end.
func TestUntilHidesNothing(t *testing.T) {
	stop, end := context.WithCancel(t.Context())
	reads := func(also error) pipeline.Source[int] {
		return func(ctx context.Context) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				end()
				<-ctx.Done()
				yield(0, errors.Join(ctx.Err(), also))
			}
		}
	}
	if _, err := add(0).Collect(t.Context(), pipeline.Until(stop, reads(nil))); err != nil {
		t.Errorf("the source says that its context has ended: %v", err)
	}
	fails := pipeline.Seq2(func(yield func(int, error) bool) { yield(0, errItem) })
	if _, err := add(0).Collect(t.Context(), pipeline.Until(t.Context(), fails)); !errors.Is(err, errItem) {
		t.Errorf("the source fails: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	both := pipeline.Until(ctx, pipeline.Seq(func(yield func(int) bool) { yield(0); cancel(errItem); yield(1) }))
	if _, err := add(0).Collect(ctx, both); err != errItem {
		t.Errorf("the context of Until is that of the run: %v", err)
	}
}

// C10: an error has the number of its item among those that the stage got, with any
// number of workers; one that belongs to no item has none.
func TestC10StageErrorHasTheIndex(t *testing.T) {
	for _, opts := range [][]pipeline.Option{nil, {pipeline.WithWorkers(3)}, {pipeline.WithWorkers(3), pipeline.Unordered()}, {pipeline.WithTimeout(time.Hour)}} {
		for name, how := range map[string]func() error{"error": func() error { return errItem }, "panic": func() error { panic(errItem) }} {
			odd := pipeline.Filter(func(_ context.Context, v int) (bool, error) { return v%2 == 1, nil })
			s := pipeline.Then(odd, pipeline.Map(func(_ context.Context, v int) (int, error) {
				if v == 9 {
					return 0, how()
				}
				return v, nil
			}, append(opts, pipeline.WithName("fifth"))...))
			_, err := s.Collect(t.Context(), count(20))
			if se, ok := errors.AsType[*pipeline.StageError](err); !ok || se.Stage != "fifth" || se.Index != 4 || !errors.Is(err, errItem) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	err := add(0).ForEach(t.Context(), count(5), func(_ context.Context, v int) error { return map[bool]error{true: errItem}[v == 3] })
	if se, ok := errors.AsType[*pipeline.StageError](err); !ok || se.Stage != "sink" || se.Index != 3 {
		t.Errorf("sink: %v", err)
	}
}

// L8: a retry waits for as long as the error asks it to, and no longer.
func TestL8RetryTakesItsDelayFromTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, start := 0, time.Now()
		s := pipeline.Map(func(context.Context, int) (int, error) {
			switch calls++; calls {
			case 1:
				return 0, pipeline.RetryAfter(errItem, time.Hour)
			case 2:
				return 0, errors.Join(errors.New("wrapped"), pipeline.RetryAfter(errItem, time.Minute))
			}
			return 0, pipeline.Permanent(pipeline.RetryAfter(errItem, time.Hour))
		}, pipeline.WithRetry(pipeline.RetryPolicy{Attempts: 9, Delay: 100 * time.Hour, MaxDelay: time.Second}))
		if _, err := s.Collect(t.Context(), count(1)); !errors.Is(err, errItem) || calls != 3 || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("%d calls in %v: %v", calls, time.Since(start), err)
		}
	})
}

// L5, L7: an item that is skipped in a branch of Zip would take the pair of another one:
// it ends the run.
func TestL5ZipHasNoSkips(t *testing.T) {
	skip := func(_ context.Context, v int) (int, error) {
		if v == 5 {
			return 0, pipeline.ErrSkip
		}
		return v, nil
	}
	fail := func(context.Context, int) (int, error) { return 0, errItem }
	or := func(context.Context, pipeline.Failure[int]) (int, error) { return 0, pipeline.ErrSkip }
	for name, s := range map[string]pipeline.Stage[int, int]{
		"map": pipeline.Map(skip), "workers": pipeline.Map(skip, pipeline.WithWorkers(2)), "dead letter": pipeline.MapOr(fail, or),
	} {
		zip := pipeline.Zip(add(0), s, func(a, b int) int { return a - b })
		out, err := zip.Collect(t.Context(), count(10))
		if err == nil || slices.ContainsFunc(out, func(d int) bool { return d != 0 }) {
			t.Errorf("%s: %v, %v", name, out, err)
		}
		if _, ok := errors.AsType[*pipeline.StageError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
