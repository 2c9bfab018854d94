package peers

import (
	"context"
	"iter"
	"testing"

	conciter "github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/pool"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{
		Name: "conc", Module: "github.com/sourcegraph/conc",
		Tasks: concTasks, Results: concResults,
		Stages:  func(stages ...work.Step) work.Flow { return concFlow(len(stages), stages...) },
		Ordered: func(workers int, stage work.Step) work.Flow { return concFlow(workers, stage) },
		ForEach: concForEach, Map: concMap,
	})
}

func concTasks(_ testing.TB, workers, _ int, run func(int)) work.Tasks {
	p := pool.New().WithMaxGoroutines(workers)
	return tasks{func(task int) { p.Go(func() { run(task) }) }, p.Wait}
}

// concResults makes a pool for each batch, since its results come with its end.
func concResults(_ testing.TB, workers, _ int, run func(int) int) work.Batches {
	return batches{sum: func(n int) int {
		p := pool.NewWithResults[int]().WithMaxGoroutines(workers)
		for i := range n {
			p.Go(func() int { return run(i) })
		}
		return total(p.Wait())
	}}
}

func concForEach(ctx context.Context, workers int, in iter.Seq[int], fn func(context.Context, int) error) error {
	p := pool.New().WithMaxGoroutines(workers).WithContext(ctx).WithCancelOnError().WithFirstError()
	for v := range in {
		p.Go(func(ctx context.Context) error { return fn(ctx, v) })
	}
	return p.Wait()
}

func concMap(ctx context.Context, workers int, in []int, fn work.Step) ([]int, error) {
	m := conciter.Mapper[int, int]{MaxGoroutines: workers}
	return m.MapErr(in, func(v *int) (int, error) { return fn(ctx, *v) })
}
