package peers

import (
	"testing"

	"github.com/alitto/pond/v2"

	"github.com/tandemgo/tandem/benchmarks/work"
)

func init() {
	work.Add(work.Peer{
		Name: "pond", Module: "github.com/alitto/pond/v2",
		Tasks: pondTasks, Results: pondGroup, Futures: pondFutures, Waiting: true,
	})
}

func pondTasks(tb testing.TB, workers, room int, run func(int)) work.Tasks {
	p := pond.NewPool(workers, pond.WithQueueSize(room))
	return tasks{func(task int) { work.Must(tb, p.Go(func() { run(task) })) }, p.StopAndWait}
}

func pondGroup(tb testing.TB, workers, batch int, run func(int) int) work.Batches {
	p := pond.NewResultPool[int](workers, pond.WithQueueSize(batch))
	return batches{
		sum: func(n int) int {
			g := p.NewGroup()
			for i := range n {
				g.Submit(func() int { return run(i) })
			}
			results, err := g.Wait()
			work.Must(tb, err)
			return total(results)
		},
		close: p.StopAndWait,
	}
}

func pondFutures(tb testing.TB, workers, batch int, run func(int) int) work.Batches {
	p := pond.NewResultPool[int](workers, pond.WithQueueSize(batch))
	futures := make([]pond.ResultTask[int], batch)
	return batches{
		sum: func(n int) (sum int) {
			for i := range n {
				futures[i] = p.Submit(func() int { return run(i) })
			}
			for _, f := range futures[:n] {
				v, err := f.Wait()
				work.Must(tb, err)
				sum += v
			}
			return sum
		},
		close: p.StopAndWait,
	}
}
