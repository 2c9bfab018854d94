package peers

import (
	"context"
	"iter"
	"sync"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func channelForEach(ctx context.Context, workers int, in iter.Seq[int], fn func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	jobs := make(chan int, 1024)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for v := range jobs {
				if err := fn(ctx, v); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	func() {
		defer close(jobs)
		for v := range in {
			select {
			case jobs <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	wg.Wait()
	return context.Cause(ctx)
}

// channelMap reads the results after all jobs were sent, so there is room for all.
func channelMap(ctx context.Context, workers int, in []int, fn work.Step) ([]int, error) {
	type result struct {
		index, value int
		err          error
	}
	jobs, results := make(chan int, 1024), make(chan result, len(in))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range jobs {
				v, err := fn(ctx, in[i])
				results <- result{i, v, err}
			}
		})
	}
	for i := range in {
		jobs <- i
	}
	close(jobs)
	out := make([]int, len(in))
	var failed error
	for range in {
		r := <-results
		out[r.index] = r.value
		if r.err != nil && failed == nil {
			failed = r.err
		}
	}
	wg.Wait()
	return out, failed
}
