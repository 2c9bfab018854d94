package peers

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/work"
	"github.com/tandemgo/tandem/pool"
)

func tandemTasks(tb testing.TB, workers, room int, run func(int)) work.Tasks {
	ctx := context.Background()
	p := pool.New(workers, func(_ context.Context, task int) (struct{}, error) {
		run(task)
		return struct{}{}, nil
	}, pool.WithQueue(room))
	return tasks{
		submit: func(task int) { work.Must(tb, p.Go(ctx, task)) },
		wait:   func() { work.Must(tb, p.Close()) },
	}
}

func tandemPool(workers, room int, run func(int) int) *pool.Pool[int, int] {
	return pool.New(workers, func(_ context.Context, task int) (int, error) { return run(task), nil }, pool.WithQueue(room))
}

func tandemGroup(tb testing.TB, workers, batch int, run func(int) int) work.Batches {
	ctx := context.Background()
	p := tandemPool(workers, batch, run)
	return batches{
		sum: func(n int) int {
			g := p.Group(ctx)
			for i := range n {
				g.Go(i)
			}
			results, err := g.Wait(ctx)
			work.Must(tb, err)
			return total(results)
		},
		close: func() { work.Must(tb, p.Close()) },
	}
}

func tandemFutures(tb testing.TB, workers, batch int, run func(int) int) work.Batches {
	ctx := context.Background()
	p := tandemPool(workers, batch, run)
	futures := make([]*pool.Future[int], batch)
	return batches{
		sum: func(n int) (sum int) {
			for i := range n {
				f, err := p.Submit(ctx, i)
				work.Must(tb, err)
				futures[i] = f
			}
			for _, f := range futures[:n] {
				v, err := f.Wait(ctx)
				work.Must(tb, err)
				sum += v
			}
			return sum
		},
		close: func() { work.Must(tb, p.Close()) },
	}
}
