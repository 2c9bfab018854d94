package peers

import (
	"context"
	"iter"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{
		Name: "errgroup", Module: "golang.org/x/sync",
		Tasks: errgroupTasks, Results: errgroupResults, ForEach: errgroupForEach, Map: errgroupMap,
	})
}

func errgroupTasks(tb testing.TB, workers, _ int, run func(int)) work.Tasks {
	g := new(errgroup.Group)
	g.SetLimit(workers)
	return tasks{
		func(task int) { g.Go(func() error { run(task); return nil }) },
		func() { work.Must(tb, g.Wait()) },
	}
}

func errgroupResults(tb testing.TB, workers, _ int, run func(int) int) work.Batches {
	return batches{sum: func(n int) int {
		g, results := new(errgroup.Group), make([]int, n)
		g.SetLimit(workers)
		for i := range n {
			g.Go(func() error { results[i] = run(i); return nil })
		}
		work.Must(tb, g.Wait())
		return total(results)
	}}
}

func errgroupForEach(ctx context.Context, workers int, in iter.Seq[int], fn func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for v := range in {
		g.Go(func() error { return fn(ctx, v) })
	}
	return g.Wait()
}

func errgroupMap(ctx context.Context, workers int, in []int, fn work.Step) ([]int, error) {
	out := make([]int, len(in))
	err := errgroupForEach(ctx, workers, work.Count(len(in)), func(ctx context.Context, i int) (err error) {
		out[i], err = fn(ctx, in[i])
		return err
	})
	return out, err
}
