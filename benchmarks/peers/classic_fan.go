package peers

import (
	"context"
	"sync"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func classicMap(ctx context.Context, workers int, in []int, fn work.Step) ([]int, error) {
	type result struct {
		index, value int
		err          error
	}
	indexes := classicSource(ctx, work.Count(len(in)))
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

func classicFanIn(ctx context.Context, ins ...<-chan any) <-chan any {
	var wg sync.WaitGroup
	out := make(chan any)
	for _, in := range ins {
		wg.Go(func() {
			for v := range in {
				select {
				case <-ctx.Done():
					return
				case out <- v:
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}
