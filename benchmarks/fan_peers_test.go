package benchmarks

import (
	"context"
	"sync"

	lop "github.com/samber/lo/parallel"
	"github.com/sourcegraph/conc/iter"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/fan"
)

// A mapper is one way to call a function for each element of a slice: it returns
// the results by index, and an error if there was one.
type mapper func(ctx context.Context, in []int, fn stageFunc) ([]int, error)

func tandemMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	return fan.Map(ctx, workers, in, fn)
}

// loopMap calls fn through the variable, as the others must.
func loopMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	out := make([]int, len(in))
	for i, v := range in {
		var err error
		if out[i], err = fn(ctx, v); err != nil {
			return out, err
		}
	}
	return out, nil
}

func concMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	m := iter.Mapper[int, int]{MaxGoroutines: workers}
	return m.MapErr(in, func(v *int) (int, error) { return fn(ctx, *v) })
}

// loMap starts a goroutine for each element, as lo has no limit, and no errors.
func loMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	var once sync.Once
	var failed error
	out := lop.Map(in, func(v, _ int) int {
		r, err := fn(ctx, v)
		if err != nil {
			once.Do(func() { failed = err })
		}
		return r
	})
	return out, failed
}

func errgroupMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	out := make([]int, len(in))
	for i, v := range in {
		g.Go(func() (err error) {
			out[i], err = fn(ctx, v)
			return err
		})
	}
	return out, g.Wait()
}

// channelMap reads the results when all jobs are sent, so there is room for all.
func channelMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	type result struct {
		index, value int
		err          error
	}
	jobs, results := make(chan int, queue), make(chan result, len(in))
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

func classicMap(ctx context.Context, in []int, fn stageFunc) ([]int, error) {
	type result struct {
		index, value int
		err          error
	}
	indexes := classicSource(ctx, len(in))
	results := make([]<-chan any, workers)
	for w := range results {
		results[w] = classicStage(ctx, indexes, func(i any) any {
			v, err := fn(ctx, in[i.(int)])
			return result{i.(int), v, err}
		})
	}
	out := make([]int, len(in))
	var failed error
	for v := range classicFanIn(ctx, results...) {
		r := v.(result)
		out[r.index] = r.value
		if r.err != nil && failed == nil {
			failed = r.err
		}
	}
	return out, failed
}
