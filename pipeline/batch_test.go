package pipeline_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/pipeline"
)

// every returns a source of n items that come d apart.
func every(d time.Duration, n int) pipeline.Source[int] {
	return pipeline.Seq(func(yield func(int) bool) {
		for i := range n {
			if time.Sleep(d); !yield(i) {
				return
			}
		}
	})
}

// L6: an old batch keeps filling while the next stage is busy: a store that needs a second
// for a batch gets 1,000 items at a time, and not what has come within 10 ms.
func TestL6ABatchFillsWhileTheNextStageIsBusy(t *testing.T) {
	second := func(_ context.Context, b []int) ([]int, error) { time.Sleep(time.Second); return b, nil }
	for name, store := range map[string]pipeline.Stage[[]int, []int]{
		"one worker":     pipeline.Map(second),
		"behind a queue": pipeline.Then(pipeline.Buffer[[]int](100), pipeline.Map(second)),
		"observed":       pipeline.Map(second).Observe(new(pipeline.Observer)),
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			s := pipeline.Then(pipeline.Batch[int](1000, 10*time.Millisecond), store)
			batches, err := s.Collect(t.Context(), every(time.Millisecond, 20_000))
			if len(batches) > 30 || time.Since(start) > 23*time.Second || err != nil {
				t.Errorf("%s: %d batches in %v, %v", name, len(batches), time.Since(start), err)
			}
			// The 11th item comes at the moment at which the batch is old.
			if n := len(batches[0]); n < 10 || n > 11 || !slices.Equal(slices.Concat(batches...), slices.Collect(numbers(20_000))) {
				t.Errorf("%s: the first batch has %d items, or the order is not kept", name, len(batches[0]))
			}
		})
	}
}

// L6: a batch that has become old leaves as soon as the next stage comes back, not only
// when a further item comes.
func TestL6AnOldBatchLeavesWhenTheNextStageIsFree(t *testing.T) {
	for _, workers := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var mu sync.Mutex
			var begun []time.Duration
			first := make(chan int)
			go func() {
				for i := range workers { // one batch for each worker
					first <- i
					time.Sleep(2 * time.Second)
				}
				first <- 100
				first <- 101
				time.Sleep(time.Hour)
				close(first)
			}()
			s := pipeline.Then(pipeline.Batch[int](10, time.Second), pipeline.Map(func(_ context.Context, b []int) (int, error) {
				mu.Lock()
				begun = append(begun, time.Since(start))
				mu.Unlock()
				time.Sleep(time.Minute)
				return len(b), nil
			}, pipeline.WithWorkers(workers)))
			got, err := s.Collect(t.Context(), pipeline.Chan(first))
			if want := append(slices.Repeat([]int{1}, workers), 2); !slices.Equal(got, want) || err != nil {
				t.Errorf("got %v, want %v, %v", got, want, err)
			}
			if last := begun[len(begun)-1]; last != time.Minute+time.Second {
				t.Errorf("the last batch left after %v", last)
			}
		})
	}
}

// L6: a sink that is free gets each batch when it is old.
func TestL6AFreeSinkWaitsForTheAgeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		for b, err := range pipeline.Batch[int](1000, 10*time.Millisecond).Run(t.Context(), every(time.Millisecond, 100)) {
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(b))
		}
		if len(sizes) < 9 || len(sizes) > 10 {
			t.Errorf("batches of %v", sizes)
		}
	})
}
